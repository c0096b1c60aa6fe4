//! A fused graph as steps over one piece of memory.

use std::ops::Range;

use super::elementwise;
use super::graph::{Bias, Convolution, ConvolutionI8, Graph, Layer, Numbers, Operator, Scale, Storage, Weights};
use super::kernels::{
    DenseF32, DenseI8, DepthwiseF32, DepthwiseI8, F32Kernels, I8Kernels, LANES, Memory, OVERREAD, Plane, RequantI8, Residual,
    Shape, SumI8, Window, numbers, numbers_mut, pack_depthwise, pack_f32, pack_i8,
};
use super::onnx::Unknown;

/// Bounds of what a graph from a file may ask for: pixels beside a map, and bytes of all values together.
const WIDEST_BORDER: usize = 255;
const LARGEST_ARENA: usize = 1 << 31;

/// Where a value lies.
#[derive(Clone, Debug)]
struct Place {
    bytes: Range<usize>,
    /// For maps; a row has none.
    plane: Option<Plane>,
    /// What stands in the border of a quantised map; `None` for f32.
    zero: Option<u8>,
}

enum Work {
    Input,
    Pack,
    Unpack { pixels: bool },
    DenseF32(DenseF32),
    DenseI8(DenseI8),
    DenseI8ToF32(DenseI8),
    DepthwiseF32(DepthwiseF32),
    DepthwiseI8(DepthwiseI8),
    Affine([Vec<f32>; 3]),
    Sigmoid,
    Add,
    AddI8(SumI8),
    Pool { window: Window, largest: bool },
    Upsample { factor: usize },
    Quantize(Scale),
    Dequantize(Scale),
}

struct Step {
    name: String,
    word: &'static str,
    work: Work,
    inputs: Vec<Place>,
    output: Place,
}

/// A whole network on our own kernels.
pub(super) struct Plan {
    steps: Vec<Step>,
    outputs: Vec<(Range<usize>, Vec<usize>)>,
    arena: usize,
    sets: Sets,
}

/// The instruction sets that a plan is made for.
#[derive(Clone, Copy)]
pub(super) struct Sets {
    pub f32: &'static F32Kernels,
    pub i8: &'static I8Kernels,
}

impl Sets {
    pub(super) fn best() -> Sets {
        Sets { f32: F32Kernels::best(), i8: I8Kernels::best() }
    }

    /// Those that every processor has.
    pub(super) fn portable() -> Sets {
        Sets { f32: F32Kernels::portable(), i8: I8Kernels::portable() }
    }
}

/// Finds room for values while they live.
#[derive(Default)]
struct Room {
    taken: Vec<(Range<usize>, usize)>,
    end: usize,
}

impl Room {
    /// The lowest place that is free, taken until step `last`.
    fn take(&mut self, bytes: usize, last: usize) -> Range<usize> {
        let size = bytes.next_multiple_of(64);
        self.taken.sort_by_key(|(range, _)| range.start);
        let mut at = 0;
        for (range, _) in &self.taken {
            if at + size <= range.start {
                break;
            }
            at = at.max(range.end);
        }
        self.taken.push((at..at + size, last));
        self.end = self.end.max(at + size);
        at..at + bytes
    }

    /// Gives back what nobody reads after step `now`.
    fn leave(&mut self, now: usize) {
        self.taken.retain(|(_, last)| *last > now);
    }
}

impl Plan {
    /// Lays the values of a fused graph into memory, and turns its convolutions into layers; what nobody needs goes from the graph.
    ///
    /// # Errors
    /// What we have no kernel for.
    pub(super) fn new(graph: &mut Graph<'_>, sets: Sets) -> Result<Plan, Unknown> {
        let count = graph.nodes.len();
        let mut last = vec![None; count];
        for output in &graph.outputs {
            last[output.node] = Some(usize::MAX);
        }
        // A map that is an output is unpacked behind everything else.
        for node in (0..count).rev() {
            if last[node].is_some() {
                for input in graph.nodes[node].inputs.clone() {
                    last[input] = last[input].max(Some(node));
                }
            }
        }
        for (node, _) in graph.nodes.iter_mut().zip(&last).filter(|(_, last)| last.is_none()) {
            node.operator = Operator::Gone;
            node.inputs.clear();
        }
        let (mut room, mut places, mut steps) = (Room::default(), vec![None; count], Vec::new());
        for node in 0..count {
            let Some(until) = last[node] else { continue };
            let place = place(graph, node, until, &mut room)?;
            let inputs: Option<Vec<Place>> = graph.nodes[node].inputs.iter().map(|input| places[*input].clone()).collect();
            let inputs = inputs.ok_or("a value before it is made")?;
            lay(&mut graph.nodes[node].operator, &inputs, &place).map_err(|why| format!("{}: {why}", graph.nodes[node].name))?;
            let here = &graph.nodes[node];
            let work = work(&here.operator, &inputs, &place, sets).map_err(|why| format!("{}: {why}", here.name))?;
            room.leave(node);
            places[node] = Some(place.clone());
            steps.push(Step { name: here.name.clone(), word: here.operator.word(), work, inputs, output: place });
        }
        let mut outputs = Vec::new();
        for output in &graph.outputs {
            let from = places[output.node].clone().ok_or("an output that nothing makes")?;
            if from.zero.is_some() {
                return Err("a quantised output".into());
            }
            let length = graph.nodes[output.node].storage.len() * size_of::<f32>();
            let bytes = match from.plane {
                Some(plane) if plane.height * plane.width > 1 || plane.border > 0 => {
                    let to = Place { bytes: room.take(length, usize::MAX), plane: None, zero: None };
                    let bytes = to.bytes.clone();
                    let work = Work::Unpack { pixels: false };
                    steps.push(Step { name: "output".into(), word: "layout", work, inputs: vec![from], output: to });
                    bytes
                }
                _ => from.bytes.start..from.bytes.start + length,
            };
            outputs.push((bytes, output.dims.clone()));
        }
        if room.end > LARGEST_ARENA {
            return Err(format!("values of {} MiB", room.end >> 20));
        }
        Ok(Plan { steps, outputs, arena: room.end + OVERREAD, sets })
    }

    /// Memory for a run, to be used again.
    pub(super) fn arena(&self) -> Memory {
        Memory::zeroed(self.arena)
    }

    /// Runs on what `fill` writes into the input.
    pub(super) fn run(&self, arena: &mut Memory, fill: impl FnOnce(&mut [f32])) {
        let memory = arena.view_mut::<u8>();
        let mut fill = Some(fill);
        for step in &self.steps {
            let (before, rest) = memory.split_at_mut(step.output.bytes.start);
            let (output, after) = rest.split_at_mut(step.output.bytes.len());
            let end = step.output.bytes.end;
            let input = |at: usize| {
                let Some(place) = step.inputs.get(at) else { return &[][..] };
                match place.bytes.start >= end {
                    true => &after[place.bytes.start - end..place.bytes.end - end],
                    false => &before[place.bytes.clone()],
                }
            };
            if let Work::Input = step.work {
                if let Some(fill) = fill.take() {
                    fill(numbers_mut(output));
                }
                continue;
            }
            step.run(input, output);
        }
    }

    pub(super) fn outputs(&self) -> usize {
        self.outputs.len()
    }

    pub(super) fn output<'a>(&'a self, arena: &'a Memory, at: usize) -> (&'a [usize], &'a [f32]) {
        let (bytes, dims) = &self.outputs[at];
        (dims, numbers(&arena.view::<u8>()[bytes.clone()]))
    }

    /// A line for each step: its operator, its name in the file, its output.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.steps.iter().filter(|step| !matches!(step.work, Work::Input)).map(|step| {
            let shape = match step.output.plane {
                Some(p) => format!("{} × {} × {}", p.channels, p.height, p.width),
                None => format!("{}", step.output.bytes.len() / size_of::<f32>()),
            };
            format!("{:32} {shape:18} {}", step.word, step.name)
        })
    }

    /// The names of the kernels for f32 and int8.
    pub(super) fn kernels(&self) -> (&'static str, &'static str) {
        (self.sets.f32.name, self.sets.i8.name)
    }

    /// Bytes of packed weights, and of the memory of one run.
    pub(super) fn bytes(&self) -> (usize, usize) {
        let weights = self.steps.iter().map(|step| match &step.work {
            Work::DenseF32(layer) => layer.bytes(),
            Work::DenseI8(layer) | Work::DenseI8ToF32(layer) => layer.bytes(),
            Work::DepthwiseF32(layer) => layer.bytes(),
            Work::DepthwiseI8(layer) => layer.bytes(),
            _ => 0,
        });
        (weights.sum(), self.arena)
    }
}

impl Step {
    fn run<'a>(&self, input: impl Fn(usize) -> &'a [u8], output: &mut [u8]) {
        let plane = |at: usize| self.inputs.get(at).and_then(|place| place.plane).unwrap_or(EMPTY);
        let to = self.output.plane.unwrap_or(EMPTY);
        let (a, b) = (plane(0), plane(1));
        let float = |at: usize| numbers::<f32>(input(at));
        let second = (self.inputs.len() > 1).then_some(1);
        match &self.work {
            Work::Input => {}
            Work::Pack => elementwise::pack(float(0), &to, numbers_mut(output)),
            Work::Unpack { pixels } => elementwise::unpack(float(0), &a, *pixels, numbers_mut(output)),
            Work::DenseF32(layer) => layer.run(float(0), second.map(float), numbers_mut(output)),
            Work::DenseI8(layer) => layer.run(input(0), second.map(&input), output),
            Work::DenseI8ToF32(layer) => layer.run_raw(input(0), numbers_mut(output)),
            Work::DepthwiseF32(layer) => layer.run(float(0), numbers_mut(output)),
            Work::DepthwiseI8(layer) => layer.run(input(0), output),
            Work::Affine(all) => elementwise::affine((&a, float(0)), (&to, numbers_mut(output)), all.each_ref().map(|v| &v[..])),
            Work::Sigmoid => elementwise::sigmoid(float(0), numbers_mut(output)),
            Work::Add => elementwise::add((&a, float(0)), (&b, float(1)), (&to, numbers_mut(output))),
            Work::AddI8(sum) => elementwise::add_bytes((&a, input(0)), (&b, input(1)), (&to, output), sum),
            Work::Pool { window, largest } => elementwise::pool((&a, float(0)), (&to, numbers_mut(output)), window, *largest),
            Work::Upsample { factor } => elementwise::upsample((&a, float(0)), (&to, numbers_mut(output)), *factor),
            Work::Quantize(s) => elementwise::quantize((&a, float(0)), (&to, output), s.scale, s.zero),
            Work::Dequantize(s) => elementwise::dequantize((&a, input(0)), (&to, numbers_mut(output)), s.scale, s.zero),
        }
        if let Some(plane) = &self.output.plane {
            match self.output.zero {
                Some(zero) => plane.fill_border(output, zero),
                None => plane.fill_border(numbers_mut::<f32>(output), 0.0),
            }
        }
    }
}

/// In the place of a row's plane.
const EMPTY: Plane = Plane { channels: 0, height: 0, width: 0, border: 0, lanes: LANES };

/// Room for a node's result, with the border that its readers need.
fn place(graph: &Graph<'_>, node: usize, last: usize, room: &mut Room) -> Result<Place, Unknown> {
    let zero = match &graph.nodes[node].operator {
        Operator::Quantize(scale) => Some(scale.zero),
        Operator::AddI8(sum) => Some(sum.zero as u8),
        Operator::ConvolutionI8(c) => match (&c.sum, &c.output) {
            (Some(sum), _) => Some(sum.zero as u8),
            (None, output) => output.map(|scale| scale.zero),
        },
        Operator::Layer(layer) => match &layer.numbers {
            Numbers::I8 { sum: Some(sum), .. } => Some(sum.zero as u8),
            Numbers::I8 { zero, .. } => *zero,
            Numbers::F32 { .. } => None,
        },
        _ => None,
    };
    let Storage::Map { channels, height, width } = graph.nodes[node].storage else {
        let bytes = graph.nodes[node].storage.len() * size_of::<f32>();
        return Ok(Place { bytes: room.take(bytes, last), plane: None, zero });
    };
    let readers = graph.readers(node);
    let window = |reader: usize| match &graph.nodes[reader].operator {
        Operator::Convolution(c) => Some((c.window, c.depthwise)),
        Operator::ConvolutionI8(c) => Some((c.convolution.window, c.convolution.depthwise)),
        Operator::Layer(layer) => Some((layer.window, layer.depthwise)),
        _ => None,
    };
    let border = |reader: &usize| match (window(*reader), graph.nodes[*reader].storage) {
        (Some((window, _)), Storage::Map { height: high, width: wide, .. }) if graph.nodes[*reader].inputs[0] == node => {
            window.border((height, width), (high, wide))
        }
        _ => 0,
    };
    let border = readers.iter().map(border).max().unwrap_or(0);
    if border > WIDEST_BORDER {
        return Err(format!("{}: a window that reaches {border} pixels out of its map", graph.nodes[node].name));
    }
    let first = |reader: &usize| {
        let dense = window(*reader).is_some_and(|(_, depthwise)| !depthwise);
        dense && graph.nodes[*reader].inputs == [node]
    };
    let is_output = graph.outputs.iter().any(|output| output.node == node);
    let few = channels <= 4 && !is_output && !readers.is_empty();
    let lanes = match graph.nodes[node].operator {
        Operator::Pack
            if few && readers.iter().all(|r| first(r) || matches!(graph.nodes[*r].operator, Operator::Quantize(_))) =>
        {
            channels
        }
        Operator::Quantize(_) if few && readers.iter().all(first) => 4,
        _ => LANES,
    };
    let plane = Plane { channels, height, width, border, lanes };
    let bytes = if zero.is_some() { plane.len() + OVERREAD } else { plane.len() * size_of::<f32>() };
    Ok(Place { bytes: room.take(bytes, last), plane: Some(plane), zero })
}

fn work(operator: &Operator<'_>, inputs: &[Place], output: &Place, sets: Sets) -> Result<Work, Unknown> {
    let planes = || {
        let from = inputs.first().and_then(|place| place.plane).ok_or("a row where a map is needed")?;
        Ok::<_, Unknown>((from, output.plane.ok_or("a row where a map is needed")?))
    };
    let padded = |values: &[f32], rest: f32, to: &Plane| {
        let lanes = to.blocks() * to.lanes;
        let mut values = if values.len() == 1 { vec![values[0]; to.channels] } else { values.to_vec() };
        values.resize(lanes, rest);
        values
    };
    Ok(match operator {
        Operator::Input => Work::Input,
        Operator::Pack => Work::Pack,
        Operator::Unpack { pixels } => Work::Unpack { pixels: *pixels },
        Operator::Layer(of) => {
            let (from, to) = planes()?;
            layer(of, (from, to, of.window), inputs.get(1).and_then(|place| place.plane), sets)?
        }
        Operator::Convolution(_) | Operator::ConvolutionI8(_) => return Err("a convolution that was not laid".into()),
        Operator::Affine { factor, bias } => {
            let (_, to) = planes()?;
            Work::Affine([padded(factor, 0.0, &to), padded(bias, 0.0, &to), padded(&[1.0], 1.0, &to)])
        }
        Operator::Activation { slope } => {
            let (_, to) = planes()?;
            Work::Affine([padded(&[1.0], 1.0, &to), padded(&[0.0], 0.0, &to), padded(slope, 0.0, &to)])
        }
        Operator::Sigmoid => match (inputs.first().and_then(|place| place.plane), output.plane) {
            // Number by number, so both must lie alike.
            (from, to) if from.map(|p| p.border) == to.map(|p| p.border) => Work::Sigmoid,
            _ => return Err("a sigmoid between maps with different borders".into()),
        },
        Operator::Add => planes().map(|_| Work::Add)?,
        Operator::AddI8(sum) => planes().map(|_| Work::AddI8(*sum))?,
        Operator::Pool { window, largest } => planes().map(|_| Work::Pool { window: *window, largest: *largest })?,
        Operator::Upsample { factor } => planes().map(|_| Work::Upsample { factor: *factor })?,
        Operator::Quantize(scale) => planes().map(|_| Work::Quantize(*scale))?,
        Operator::Dequantize(scale) => planes().map(|_| Work::Dequantize(*scale))?,
        Operator::Gone => return Err("a node that was fused".into()),
    })
}

fn one_of(values: &[f32], at: usize) -> f32 {
    if values.len() == 1 { values[0] } else { values.get(at).copied().unwrap_or_default() }
}

/// Turns a convolution into a layer.
fn lay(operator: &mut Operator<'_>, inputs: &[Place], output: &Place) -> Result<(), Unknown> {
    let made = match operator {
        Operator::Convolution(convolution) => layer_f32(convolution, shape(convolution.window, inputs, output)?),
        Operator::ConvolutionI8(convolution) => layer_i8(convolution, shape(convolution.convolution.window, inputs, output)?)?,
        _ => return Ok(()),
    };
    *operator = Operator::Layer(Box::new(made));
    Ok(())
}

fn shape(window: Window, inputs: &[Place], output: &Place) -> Result<Shape, Unknown> {
    let from = inputs.first().and_then(|place| place.plane);
    from.zip(output.plane).map(|(from, to)| (from, to, window)).ok_or_else(|| "a row where a map is needed".into())
}

fn layer_f32(convolution: &Convolution<'_>, shape: Shape) -> Layer {
    let to = shape.1;
    let bias = match &convolution.bias {
        Bias::F32(bias) => bias.clone(),
        Bias::Whole { numbers, scales } => numbers.iter().enumerate().map(|(at, b)| *b as f32 * one_of(scales, at)).collect(),
    };
    let slope = if convolution.slope.is_empty() { vec![1.0; to.channels] } else { convolution.slope.clone() };
    let factors: Vec<f32> = match &convolution.weights {
        Weights::F32(_) if convolution.factor.is_empty() => vec![1.0; to.channels],
        Weights::F32(_) => convolution.factor.clone(),
        Weights::Whole { scales, .. } => (0..to.channels).map(|at| one_of(scales, at)).collect(),
    };
    let [o, i, y, x] = convolution.strides;
    let weight = |out: usize, input: usize, dy: usize, dx: usize| {
        let at = out * o + input * i + dy * y + dx * x;
        let value = match &convolution.weights {
            Weights::F32(constant) => constant.float(at),
            Weights::Whole { numbers, .. } => numbers.get(at).map_or(0.0, |w| f32::from(*w as i8)),
        };
        value * factors[out]
    };
    let weights = match convolution.depthwise {
        true => pack_depthwise(shape, |c, y, x| weight(c, 0, y, x)),
        false => pack_f32(shape, weight),
    };
    let numbers = Numbers::F32 { bias, slope, residual: convolution.residual };
    Layer { window: convolution.window, depthwise: convolution.depthwise, weights, numbers }
}

fn layer_i8(whole: &ConvolutionI8<'_>, shape: Shape) -> Result<Layer, Unknown> {
    let (convolution, channels) = (&whole.convolution, shape.1.channels);
    let Weights::Whole { numbers, scales } = &convolution.weights else { return Err("weights that are not quantised".into()) };
    let bias = match &convolution.bias {
        Bias::F32(bias) => vec![0; bias.len()],
        Bias::Whole { numbers, .. } => numbers.clone(),
    };
    let scale: Vec<f32> = (0..channels)
        .map(|at| {
            let product = whole.input.scale * one_of(scales, at);
            whole.output.map_or(product, |output| product / output.scale)
        })
        .collect();
    let negative: Vec<f32> = match convolution.slope.is_empty() {
        true => scale.clone(),
        false => scale.iter().zip(&convolution.slope).map(|(scale, slope)| scale * slope).collect(),
    };
    let [o, i, y, x] = convolution.strides;
    let weight = |out: usize, input: usize, dy: usize, dx: usize| {
        numbers.get(out * o + input * i + dy * y + dx * x).map_or(0, |w| *w as i8)
    };
    let (weights, sums) = match convolution.depthwise {
        false => pack_i8(shape, weight),
        true => {
            let window = convolution.window;
            let taps = |c: usize| (0..window.height * window.width).map(move |at| (c, at / window.width, at % window.width));
            let sum = |c: usize| taps(c).map(|(c, y, x)| i32::from(weight(c, 0, y, x))).sum();
            (pack_depthwise(shape, |c, y, x| weight(c, 0, y, x)), (0..channels).map(sum).collect())
        }
    };
    let zero = whole.output.map(|output| output.zero);
    let numbers = Numbers::I8 { input_zero: whole.input.zero, bias, sums, scale, negative, zero, sum: whole.sum };
    Ok(Layer { window: convolution.window, depthwise: convolution.depthwise, weights, numbers })
}

fn layer(layer: &Layer, shape: Shape, other: Option<Plane>, sets: Sets) -> Result<Work, Unknown> {
    let weights = layer.weights.clone();
    let made = match &layer.numbers {
        Numbers::F32 { bias, slope, .. } if layer.depthwise => {
            DepthwiseF32::new(sets.f32, shape, weights, bias, slope).map(Work::DepthwiseF32)
        }
        Numbers::F32 { bias, slope, residual } => {
            let residual = added(*residual, other)?;
            DenseF32::new(sets.f32, shape, weights, bias, slope, residual).map(Work::DenseF32)
        }
        Numbers::I8 { input_zero, bias, sums, scale, negative, zero, sum } => {
            let requant = RequantI8 { input_zero: *input_zero, bias, sums, scale, negative, zero: zero.unwrap_or(0), least: 0 };
            match (layer.depthwise, zero) {
                (true, _) => DepthwiseI8::new(sets.i8, shape, weights, &requant).map(Work::DepthwiseI8),
                (false, Some(_)) => DenseI8::new(sets.i8, shape, weights, &requant, added(*sum, other)?).map(Work::DenseI8),
                (false, None) => DenseI8::new(sets.i8, shape, weights, &requant, None).map(Work::DenseI8ToF32),
            }
        }
    };
    made.ok_or_else(|| "weights or numbers of another size".into())
}

fn added<How>(how: Option<How>, plane: Option<Plane>) -> Result<Option<Residual<How>>, Unknown> {
    match (how, plane) {
        (None, _) => Ok(None),
        (Some(how), Some(plane)) => Ok(Some(Residual { plane, how })),
        (Some(_), None) => Err("a residual that is not a map".into()),
    }
}
