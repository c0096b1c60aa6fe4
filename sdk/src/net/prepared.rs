//! A network as our kernels read it: the fused graph, and weights in the one order that all instruction sets share.
//!
//! `docs/pack-format.md` has the bytes. A header in JSON lists the operators; arrays follow, each at a multiple of 64, so that layers use
//! them where they lie. What is read may be anything: every size and every kind of value is checked before the planner sees it.

use serde::{Deserialize, Serialize};

use crate::pack::Bytes;

use super::graph::{Graph, Layer, Node, Numbers, Operator, Scale, Storage, Value};
use super::kernels::{SumI8, Weights, Window};
use super::onnx::Unknown;
use super::plan::{Plan, Sets};

const MAGIC: &[u8; 4] = b"VFPN";
const VERSION: u32 = 1;
/// Magic, version, length of the JSON, SHA-256 of the ONNX part, zeros.
const HEADER: usize = 64;
/// The most bytes of JSON, numbers of a value, and pixels of a side.
const MOST_JSON: usize = 4 << 20;
const LARGEST: usize = 1 << 28;
const LONGEST: usize = 1 << 15;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    input: Vec<usize>,
    nodes: Vec<Record>,
    outputs: Vec<OutputRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    name: String,
    /// Channels, height and width of a map; the length of a row.
    shape: Vec<usize>,
    inputs: Vec<usize>,
    operator: Kind,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputRecord {
    name: String,
    node: usize,
    shape: Vec<usize>,
}

/// Where an array begins in the part, and how many numbers it has.
type Array = [usize; 2];

/// A float by its bits: JSON has no exact floats.
type Bits = u32;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Kind {
    Input,
    Pack,
    Unpack { pixels: bool },
    Affine { factor: Array, bias: Array },
    Activation { slope: Array },
    Sigmoid,
    Add,
    AddI8(SumRecord),
    Pool { window: WindowRecord, largest: bool },
    Upsample { factor: usize },
    Quantize { scale: Bits, zero: u8 },
    Dequantize { scale: Bits, zero: u8 },
    Convolution { window: WindowRecord, depthwise: bool, weights: Array, bias: Array, slope: Array, residual: Option<bool> },
    ConvolutionI8(Box<ConvolutionRecord>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConvolutionRecord {
    window: WindowRecord,
    depthwise: bool,
    weights: Array,
    input_zero: u8,
    bias: Array,
    sums: Array,
    scale: Array,
    negative: Array,
    zero: Option<u8>,
    sum: Option<SumRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowRecord {
    height: usize,
    width: usize,
    stride: usize,
    top: usize,
    left: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SumRecord {
    a_zero: u8,
    a_ratio: Bits,
    b_zero: u8,
    b_ratio: Bits,
    zero: u8,
    least: u8,
}

/// What was read: a plan, and the names of its outputs.
pub(super) struct Prepared {
    pub plan: Plan,
    pub names: Vec<String>,
}

/// Writes a graph that [`Plan::new`] has made layers of.
pub(super) fn write(graph: &Graph<'_>, input: &[usize], names: &[String], onnx: &[u8; 32]) -> Result<Vec<u8>, Unknown> {
    let mut arrays = Vec::new();
    let mut places: Vec<Option<usize>> = Vec::new();
    let mut nodes = Vec::new();
    for node in &graph.nodes {
        if matches!(node.operator, Operator::Gone) {
            places.push(None);
            continue;
        }
        places.push(Some(nodes.len()));
        let shape = match node.storage {
            Storage::Map { channels, height, width } => vec![channels, height, width],
            Storage::Row(length) => vec![length],
        };
        let inputs: Option<Vec<usize>> = node.inputs.iter().map(|input| *places.get(*input)?).collect();
        let inputs = inputs.ok_or("a value before it is made")?;
        nodes.push(Record { name: node.name.clone(), shape, inputs, operator: kind(&node.operator, &mut arrays)? });
    }
    let output = |(at, output): (usize, &Value)| {
        let node = places.get(output.node).copied().flatten()?;
        Some(OutputRecord { name: names.get(at).cloned().unwrap_or_default(), node, shape: output.dims.clone() })
    };
    let outputs: Option<Vec<OutputRecord>> = graph.outputs.iter().enumerate().map(output).collect();
    let mut header = Header { input: input.to_vec(), nodes, outputs: outputs.ok_or("an output that nothing makes")? };
    // Arrays count from the JSON's end, which moves with the digits of their places: settle for room.
    let json = |header: &Header| serde_json::to_vec(header).map_err(|e| e.to_string());
    let length = json(&header)?.len();
    let begin = (HEADER + length + 24 * (8 * header.nodes.len() + 1)).next_multiple_of(64);
    header.nodes.iter_mut().for_each(|node| node.operator.move_arrays(begin));
    let mut text = json(&header)?;
    text.resize(begin - HEADER, b' ');
    let mut bytes = Vec::with_capacity(begin + arrays.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
    bytes.extend_from_slice(onnx);
    bytes.resize(HEADER, 0);
    bytes.extend_from_slice(&text);
    bytes.extend_from_slice(&arrays);
    Ok(bytes)
}

fn put(arrays: &mut Vec<u8>, bytes: impl IntoIterator<Item = u8>, size: usize) -> Array {
    arrays.resize(arrays.len().next_multiple_of(64), 0);
    let at = arrays.len();
    arrays.extend(bytes);
    [at, (arrays.len() - at) / size]
}

fn kind(operator: &Operator<'_>, arrays: &mut Vec<u8>) -> Result<Kind, Unknown> {
    fn floats(arrays: &mut Vec<u8>, values: &[f32]) -> Array {
        put(arrays, values.iter().flat_map(|v| v.to_le_bytes()), 4)
    }
    fn whole(arrays: &mut Vec<u8>, values: &[i32]) -> Array {
        put(arrays, values.iter().flat_map(|v| v.to_le_bytes()), 4)
    }
    let window = |w: &Window| WindowRecord { height: w.height, width: w.width, stride: w.stride, top: w.top, left: w.left };
    let sum = |s: &SumI8| SumRecord {
        a_zero: s.a_zero as u8,
        a_ratio: s.a_ratio.to_bits(),
        b_zero: s.b_zero as u8,
        b_ratio: s.b_ratio.to_bits(),
        zero: s.zero as u8,
        least: s.least as u8,
    };
    Ok(match operator {
        Operator::Input => Kind::Input,
        Operator::Pack => Kind::Pack,
        Operator::Unpack { pixels } => Kind::Unpack { pixels: *pixels },
        Operator::Affine { factor, bias } => Kind::Affine { factor: floats(arrays, factor), bias: floats(arrays, bias) },
        Operator::Activation { slope } => Kind::Activation { slope: floats(arrays, slope) },
        Operator::Sigmoid => Kind::Sigmoid,
        Operator::Add => Kind::Add,
        Operator::AddI8(s) => Kind::AddI8(sum(s)),
        Operator::Pool { window: w, largest } => Kind::Pool { window: window(w), largest: *largest },
        Operator::Upsample { factor } => Kind::Upsample { factor: *factor },
        Operator::Quantize(scale) => Kind::Quantize { scale: scale.scale.to_bits(), zero: scale.zero },
        Operator::Dequantize(scale) => Kind::Dequantize { scale: scale.scale.to_bits(), zero: scale.zero },
        Operator::Layer(layer) => {
            let weights = put(arrays, layer.weights.bytes().iter().copied(), 1);
            let (of, depthwise) = (window(&layer.window), layer.depthwise);
            match &layer.numbers {
                Numbers::F32 { bias, slope, residual } => {
                    let (bias, slope) = (floats(arrays, bias), floats(arrays, slope));
                    Kind::Convolution { window: of, depthwise, weights, bias, slope, residual: *residual }
                }
                Numbers::I8 { input_zero, bias, sums, scale, negative, zero, sum: s } => {
                    Kind::ConvolutionI8(Box::new(ConvolutionRecord {
                        window: of,
                        depthwise,
                        weights,
                        input_zero: *input_zero,
                        bias: whole(arrays, bias),
                        sums: whole(arrays, sums),
                        scale: floats(arrays, scale),
                        negative: floats(arrays, negative),
                        zero: *zero,
                        sum: s.as_ref().map(sum),
                    }))
                }
            }
        }
        Operator::Convolution(_) | Operator::ConvolutionI8(_) | Operator::Gone => {
            return Err("a graph that is not planned".into());
        }
    })
}

impl Kind {
    fn move_arrays(&mut self, by: usize) {
        let arrays: Vec<&mut Array> = match self {
            Kind::Affine { factor, bias } => vec![factor, bias],
            Kind::Activation { slope } => vec![slope],
            Kind::Convolution { weights, bias, slope, .. } => vec![weights, bias, slope],
            Kind::ConvolutionI8(of) => vec![&mut of.weights, &mut of.bias, &mut of.sums, &mut of.scale, &mut of.negative],
            _ => vec![],
        };
        arrays.into_iter().for_each(|array| array[0] += by);
    }
}

/// Reads a prepared network and plans it. `None` when it was made by another version, of another ONNX file or for another input: the
/// ONNX part serves then.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(bytes: &Bytes, input: &[usize], onnx: &[u8; 32], sets: Sets) -> Result<Option<Prepared>, Unknown> {
    let Some(head) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let number = |at: usize| head.get(at..at + 8).and_then(|b| b.first_chunk()).map_or(0, |b| u64::from_le_bytes(*b));
    if head[..4] != *MAGIC || head[4..8] != VERSION.to_le_bytes() || head[16..48] != *onnx {
        return Ok(None);
    }
    let length = usize::try_from(number(8)).ok().filter(|length| *length <= MOST_JSON).ok_or("a header that is too long")?;
    let json = bytes.get(HEADER..HEADER + length).ok_or("a header that ends beyond")?;
    let header: Header = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    if header.input != input {
        return Ok(None);
    }
    let reader = Reader { bytes };
    let mut graph = Graph { nodes: Vec::with_capacity(header.nodes.len()), outputs: vec![] };
    for record in header.nodes {
        let name = record.name.clone();
        let node = reader.node(record).and_then(|node| fits(&graph, &node, input).map(|()| node));
        graph.nodes.push(node.map_err(|why| format!("{name}: {why}"))?);
    }
    let mut names = Vec::new();
    for OutputRecord { name, node, shape } in header.outputs {
        let of = graph.nodes.get(node).ok_or("an output that nothing makes")?;
        let total = shape.iter().try_fold(1_usize, |n, side| n.checked_mul(*side));
        if total != Some(of.storage.len()) || is_quantised(&of.operator) {
            return Err(format!("the output {name} of {shape:?}"));
        }
        graph.outputs.push(Value { node, dims: shape });
        names.push(name);
    }
    let plan = Plan::new(&mut graph, sets)?;
    Ok(Some(Prepared { plan, names }))
}

struct Reader<'b> {
    bytes: &'b Bytes,
}

impl Reader<'_> {
    fn array(&self, [at, count]: Array, size: usize) -> Result<Bytes, Unknown> {
        let end = count.checked_mul(size).and_then(|length| at.checked_add(length)).ok_or("an array without end")?;
        self.bytes.part(at..end).ok_or_else(|| "an array that ends beyond".into())
    }

    fn floats(&self, array: Array) -> Result<Vec<f32>, Unknown> {
        Ok(self.array(array, 4)?.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }

    fn whole(&self, array: Array) -> Result<Vec<i32>, Unknown> {
        Ok(self.array(array, 4)?.as_chunks().0.iter().map(|b| i32::from_le_bytes(*b)).collect())
    }

    fn node(&self, record: Record) -> Result<Node<'static>, Unknown> {
        let storage = match record.shape[..] {
            [channels, height, width] => Storage::Map { channels, height, width },
            [length] => Storage::Row(length),
            _ => return Err(format!("a value of {:?}", record.shape)),
        };
        let total = record.shape.iter().try_fold(1_usize, |n, side| n.checked_mul(*side));
        let sides = record.shape.iter().skip(1).all(|side| *side <= LONGEST);
        if !total.is_some_and(|total| (1..=LARGEST).contains(&total)) || !sides {
            return Err(format!("a value of {:?}", record.shape));
        }
        Ok(Node { name: record.name, operator: self.operator(record.operator)?, inputs: record.inputs, storage })
    }

    fn operator(&self, kind: Kind) -> Result<Operator<'static>, Unknown> {
        let scale = |scale: Bits, zero: u8| match f32::from_bits(scale) {
            scale if scale.is_normal() && scale > 0.0 => Ok(Scale { scale, zero }),
            scale => Err(format!("a scale of {scale}")),
        };
        Ok(match kind {
            Kind::Input => Operator::Input,
            Kind::Pack => Operator::Pack,
            Kind::Unpack { pixels } => Operator::Unpack { pixels },
            Kind::Affine { factor, bias } => Operator::Affine { factor: self.floats(factor)?, bias: self.floats(bias)? },
            Kind::Activation { slope } => Operator::Activation { slope: self.floats(slope)? },
            Kind::Sigmoid => Operator::Sigmoid,
            Kind::Add => Operator::Add,
            Kind::AddI8(of) => Operator::AddI8(sum(&of)),
            Kind::Pool { window: of, largest } => Operator::Pool { window: window(&of)?, largest },
            Kind::Upsample { factor } => Operator::Upsample { factor },
            Kind::Quantize { scale: of, zero } => Operator::Quantize(scale(of, zero)?),
            Kind::Dequantize { scale: of, zero } => Operator::Dequantize(scale(of, zero)?),
            Kind::Convolution { window: of, depthwise, weights, bias, slope, residual } => {
                let numbers = Numbers::F32 { bias: self.floats(bias)?, slope: self.floats(slope)?, residual };
                let weights = Weights::shared(self.array(weights, 1)?);
                Operator::Layer(Box::new(Layer { window: window(&of)?, depthwise, weights, numbers }))
            }
            Kind::ConvolutionI8(of) => {
                let numbers = Numbers::I8 {
                    input_zero: of.input_zero,
                    bias: self.whole(of.bias)?,
                    sums: self.whole(of.sums)?,
                    scale: self.floats(of.scale)?,
                    negative: self.floats(of.negative)?,
                    zero: of.zero,
                    sum: of.sum.as_ref().map(sum),
                };
                let weights = Weights::shared(self.array(of.weights, 1)?);
                Operator::Layer(Box::new(Layer { window: window(&of.window)?, depthwise: of.depthwise, weights, numbers }))
            }
        })
    }
}

fn sum(of: &SumRecord) -> SumI8 {
    SumI8 {
        a_zero: i32::from(of.a_zero),
        a_ratio: f32::from_bits(of.a_ratio),
        b_zero: i32::from(of.b_zero),
        b_ratio: f32::from_bits(of.b_ratio),
        zero: i32::from(of.zero),
        least: i32::from(of.least),
    }
}

fn window(of: &WindowRecord) -> Result<Window, Unknown> {
    let &WindowRecord { height, width, stride, top, left } = of;
    let sides = (1..=LONGEST).contains(&height) && (1..=LONGEST).contains(&width) && (1..=LONGEST).contains(&stride);
    if !sides || top >= height || left >= width {
        return Err(format!("a window of {height} × {width}, {stride} apart, at {top}, {left}"));
    }
    Ok(Window { height, width, stride, top, left })
}

/// Whether the value is held as u8.
fn is_quantised(operator: &Operator<'_>) -> bool {
    match operator {
        Operator::Quantize(_) | Operator::AddI8(_) => true,
        Operator::Layer(layer) => matches!(layer.numbers, Numbers::I8 { zero: Some(_), .. }),
        _ => false,
    }
}

/// That a node's inputs are there, of the kind and the size that its operator takes.
fn fits(graph: &Graph<'_>, node: &Node<'_>, input: &[usize]) -> Result<(), Unknown> {
    use Storage::{Map, Row};
    let inputs: Option<Vec<&Node<'_>>> = node.inputs.iter().map(|at| graph.nodes.get(*at)).collect();
    let inputs = inputs.ok_or("a value before it is made")?;
    let takes_quantised = match &node.operator {
        Operator::Dequantize(_) | Operator::AddI8(_) => true,
        Operator::Layer(layer) => matches!(layer.numbers, Numbers::I8 { .. }),
        _ => false,
    };
    if inputs.iter().any(|from| is_quantised(&from.operator) != takes_quantised) {
        return Err("a value of another kind".into());
    }
    let from: Vec<Storage> = inputs.iter().map(|from| from.storage).collect();
    let to = node.storage;
    let alike = |from: &[Storage], count: usize| from.len() == count && from.iter().all(|from| *from == to);
    let a_map = matches!(to, Map { .. });
    let total: Option<usize> = input.iter().try_fold(1_usize, |n, side| n.checked_mul(*side));
    let good = match &node.operator {
        // Whoever reads the picture reads the one input.
        Operator::Input => from.is_empty() && matches!(to, Row(length) if Some(length) == total) && graph.nodes.is_empty(),
        Operator::Pack => {
            let of_input = inputs.first().is_some_and(|from| matches!(from.operator, Operator::Input));
            of_input && from.len() == 1 && a_map && from[0].len() == to.len()
        }
        Operator::Unpack { .. } => matches!((&from[..], to), ([Map { .. }], Row(length)) if from[0].len() == length),
        Operator::Affine { factor, bias } => a_map && alike(&from, 1) && !factor.is_empty() && !bias.is_empty(),
        Operator::Activation { slope } => a_map && alike(&from, 1) && !slope.is_empty(),
        Operator::Sigmoid => alike(&from, 1),
        Operator::Add | Operator::AddI8(_) => a_map && alike(&from, 2),
        Operator::Quantize(_) | Operator::Dequantize(_) => a_map && alike(&from, 1),
        Operator::Upsample { factor } => match (&from[..], to) {
            (&[Map { channels, height, width }], Map { channels: same, height: high, width: wide }) => {
                (1..=8).contains(factor) && channels == same && height * factor == high && width * factor == wide
            }
            _ => false,
        },
        Operator::Pool { window, .. } => {
            let channels = |storage: &Storage| if let Map { channels, .. } = storage { *channels } else { 0 };
            from.len() == 1 && channels(&from[0]) == channels(&to) && reaches(window, &from[0], &to)
        }
        Operator::Layer(layer) => {
            let (residual, whole) = match &layer.numbers {
                Numbers::F32 { residual, .. } => (residual.is_some(), true),
                Numbers::I8 { zero, sum, .. } => (sum.is_some(), zero.is_some() || sum.is_none() && !layer.depthwise),
            };
            let channels = match (from.first(), to) {
                (Some(Map { channels, .. }), Map { channels: made, .. }) => !layer.depthwise || *channels == made && !residual,
                _ => false,
            };
            let rest = from.get(1..).unwrap_or_default();
            channels && whole && alike(rest, usize::from(residual)) && reaches(&layer.window, &from[0], &to)
        }
        Operator::Convolution(_) | Operator::ConvolutionI8(_) | Operator::Gone => false,
    };
    if good { Ok(()) } else { Err("values that do not fit the operator".into()) }
}

/// That windows begin inside the map, and end inside it or within one window and stride behind it.
fn reaches(window: &Window, from: &Storage, to: &Storage) -> bool {
    let (&Storage::Map { height, width, .. }, &Storage::Map { height: high, width: wide, .. }) = (from, to) else { return false };
    let inside = |count: usize, size: usize, before: usize, end: usize| {
        (count - 1) * window.stride + size <= end + before + (size - 1) + (window.stride - 1)
    };
    inside(high, window.height, window.top, height) && inside(wide, window.width, window.left, width)
}
