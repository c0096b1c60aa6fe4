//! An ONNX graph read into [`Graph`].

use std::collections::HashMap;

use tract_onnx::pb::{GraphProto, NodeProto};

use super::graph::{Bias, Convolution, Graph, Node, Operator, Scale, Storage, Value, Weights};
use super::kernels::Window;
use super::onnx::{Attributes, Constant, Unknown, constants};

/// Numbers of the largest value.
const LARGEST: usize = 1 << 28;

/// A constant behind `DequantizeLinear`.
struct Quantised<'a> {
    constant: Constant<'a>,
    scales: Vec<f32>,
}

struct Import<'a> {
    constants: HashMap<&'a str, &'a tract_onnx::pb::TensorProto>,
    quantised: HashMap<&'a str, Quantised<'a>>,
    values: HashMap<&'a str, Value>,
    nodes: Vec<Node<'a>>,
    packed: Option<usize>,
}

impl<'a> Graph<'a> {
    /// # Errors
    /// The first thing in the graph that we have no kernel for.
    pub(super) fn import(proto: &'a GraphProto, input: &'a str, shape: &[usize]) -> Result<Graph<'a>, Unknown> {
        let [1, _, _, _] = shape else { return Err("an input that is not one picture".into()) };
        let mut import = Import {
            constants: constants(proto),
            quantised: HashMap::new(),
            values: HashMap::new(),
            nodes: vec![],
            packed: None,
        };
        let node = import.add(input, Operator::Input, vec![], Storage::Row(shape.iter().product()))?;
        import.values.insert(input, Value { node, dims: shape.to_vec() });
        for node in proto.node.iter().filter(|node| node.op_type != "Constant") {
            import.node(node).map_err(|why| format!("{} {}: {why}", node.op_type, node.name))?;
        }
        let outputs: Option<Vec<Value>> =
            proto.output.iter().map(|output| import.values.get(output.name.as_str()).cloned()).collect();
        Ok(Graph { nodes: import.nodes, outputs: outputs.ok_or("an output that no node makes")? })
    }
}

impl<'a> Import<'a> {
    fn add(&mut self, name: &str, operator: Operator<'a>, inputs: Vec<usize>, storage: Storage) -> Result<usize, Unknown> {
        let sizes = match storage {
            Storage::Map { channels, height, width } => [channels, height, width],
            Storage::Row(length) => [length, 1, 1],
        };
        let total = sizes.iter().try_fold(1_usize, |n, size| n.checked_mul(*size));
        if total.is_none_or(|total| total == 0 || total > LARGEST) || sizes[1].max(sizes[2]) > 1 << 15 {
            return Err(format!("a value of {sizes:?}"));
        }
        self.nodes.push(Node { name: name.to_string(), operator, inputs, storage });
        Ok(self.nodes.len() - 1)
    }

    fn constant(&self, node: &'a NodeProto, at: usize) -> Result<Option<Constant<'a>>, Unknown> {
        let Some(name) = node.input.get(at).filter(|name| !name.is_empty()) else { return Ok(None) };
        let tensor = self.constants.get(name.as_str()).ok_or_else(|| format!("input {at} is not constant"))?;
        Constant::read(tensor).map(Some)
    }

    fn need(&self, node: &'a NodeProto, at: usize) -> Result<Constant<'a>, Unknown> {
        self.constant(node, at)?.ok_or_else(|| format!("input {at} is missing"))
    }

    fn value(&self, node: &'a NodeProto, at: usize) -> Result<Value, Unknown> {
        let name = node.input.get(at).ok_or("an input is missing")?;
        self.values.get(name.as_str()).cloned().ok_or_else(|| format!("{name} is not a value of the graph"))
    }

    /// A value as a map with its own shape.
    fn map(&mut self, value: &Value) -> Result<(usize, [usize; 3]), Unknown> {
        let [1, channels, height, width] = value.dims[..] else { return Err(format!("an input of {:?}", value.dims)) };
        let storage = Storage::Map { channels, height, width };
        if self.nodes[value.node].storage == storage {
            return Ok((value.node, [channels, height, width]));
        }
        if !matches!(self.nodes[value.node].operator, Operator::Input) {
            return Err("a reshaped value as a map".into());
        }
        let packed = match self.packed {
            Some(packed) => packed,
            None => self.add("input", Operator::Pack, vec![value.node], storage)?,
        };
        self.packed = Some(packed);
        Ok((packed, [channels, height, width]))
    }

    fn give(&mut self, node: &'a NodeProto, value: Value) -> Result<(), Unknown> {
        let [name] = &node.output[..] else { return Err("several outputs".into()) };
        self.values.insert(name, value);
        Ok(())
    }

    /// An operator that changes each number and no shape.
    fn each(&mut self, node: &'a NodeProto, operator: Operator<'a>) -> Result<(), Unknown> {
        let value = self.value(node, 0)?;
        let source = if value.dims.len() == 4 && matches!(self.nodes[value.node].operator, Operator::Input) {
            self.map(&value)?.0
        } else {
            value.node
        };
        let made = self.add(&node.name, operator, vec![source], self.nodes[source].storage)?;
        self.give(node, Value { node: made, dims: value.dims })
    }

    fn node(&mut self, node: &'a NodeProto) -> Result<(), Unknown> {
        match node.op_type.as_str() {
            "Conv" => self.convolution(node),
            "Gemm" => self.fully_connected(node),
            "BatchNormalization" => {
                let value = self.value(node, 0)?;
                let (source, [channels, ..]) = self.map(&value)?;
                let epsilon = Attributes(node).float("epsilon", 1e-5);
                let [gamma, beta, mean, variance] = [1, 2, 3, 4].map(|at| self.need(node, at).and_then(|c| c.floats()));
                let (gamma, beta, mean, variance) = (gamma?, beta?, mean?, variance?);
                if [&gamma, &beta, &mean, &variance].iter().any(|v| v.len() != channels) {
                    return Err("statistics of another length".into());
                }
                let factor: Vec<f32> = gamma.iter().zip(&variance).map(|(g, v)| g / (v + epsilon).sqrt()).collect();
                let bias = beta.iter().zip(&mean).zip(&factor).map(|((b, m), f)| b - m * f).collect();
                let made = self.add(&node.name, Operator::Affine { factor, bias }, vec![source], self.nodes[source].storage)?;
                self.give(node, Value { node: made, dims: value.dims })
            }
            "Relu" => self.each(node, Operator::Activation { slope: vec![0.0] }),
            "LeakyRelu" => self.each(node, Operator::Activation { slope: vec![Attributes(node).float("alpha", 0.01)] }),
            "PRelu" => {
                let slope = self.need(node, 1)?;
                let dims = self.value(node, 0)?.dims;
                // One slope, or one a channel: [C, 1, 1] against [1, C, H, W].
                let a_channel = dims.len() == 4 && [&[1, dims[1], 1, 1][..], &[dims[1], 1, 1][..]].contains(&&slope.dims[..]);
                if slope.len() != 1 && !a_channel {
                    return Err(format!("slopes of {:?}", slope.dims));
                }
                self.each(node, Operator::Activation { slope: slope.floats()? })
            }
            "Sigmoid" => self.each(node, Operator::Sigmoid),
            "Identity" | "Dropout" => {
                let value = self.value(node, 0)?;
                self.give(node, value)
            }
            "Add" => {
                let (a, b) = (self.value(node, 0)?, self.value(node, 1)?);
                let ((one, shape), (two, other)) = (self.map(&a)?, self.map(&b)?);
                if shape != other {
                    return Err("maps of different shapes".into());
                }
                let made = self.add(&node.name, Operator::Add, vec![one, two], self.nodes[one].storage)?;
                self.give(node, Value { node: made, dims: a.dims })
            }
            "MaxPool" | "AveragePool" => self.pool(node),
            "GlobalAveragePool" => {
                let value = self.value(node, 0)?;
                let (source, [channels, height, width]) = self.map(&value)?;
                if height != width {
                    return Err("a map that is not square".into());
                }
                let window = Window { height, width, stride: 1, top: 0, left: 0 };
                let storage = Storage::Map { channels, height: 1, width: 1 };
                let made = self.add(&node.name, Operator::Pool { window, largest: false }, vec![source], storage)?;
                self.give(node, Value { node: made, dims: vec![1, channels, 1, 1] })
            }
            "Resize" | "Upsample" => self.upsample(node),
            "Transpose" => self.transpose(node),
            "Flatten" => {
                let value = self.value(node, 0)?;
                if Attributes(node).int("axis", 1) != 1 {
                    return Err("an axis other than 1".into());
                }
                let length = value.dims.iter().skip(1).product();
                self.give(node, Value { node: value.node, dims: vec![value.dims[0], length] })
            }
            "Reshape" => {
                let value = self.value(node, 0)?;
                let wanted = self.need(node, 1)?;
                let dims = reshaped(&value.dims, wanted.i64s()?)?;
                self.give(node, Value { node: value.node, dims })
            }
            "QuantizeLinear" => {
                let scale = self.scale(node)?;
                self.each(node, Operator::Quantize(scale))
            }
            "DequantizeLinear" => {
                let name = node.input.first().ok_or("an input is missing")?;
                if !self.constants.contains_key(name.as_str()) {
                    let scale = self.scale(node)?;
                    return self.each(node, Operator::Dequantize(scale));
                }
                let (constant, scales) = (self.need(node, 0)?, self.need(node, 1)?.floats()?);
                let zeros =
                    self.constant(node, 2)?.map(|zero| zero.whole().ok_or("a zero point that is not whole")).transpose()?;
                let axis = Attributes(node).int("axis", 1);
                let along = scales.len() == 1 || axis == 0 && constant.dims.first() == Some(&scales.len());
                if !along || zeros.is_some_and(|zeros| zeros.iter().any(|zero| *zero != 0)) {
                    return Err("a constant that is not symmetric along axis 0".into());
                }
                let output = node.output.first().ok_or("no output")?;
                self.quantised.insert(output, Quantised { constant, scales });
                Ok(())
            }
            _ => Err("no kernel of ours".into()),
        }
    }

    fn scale(&self, node: &'a NodeProto) -> Result<Scale, Unknown> {
        let (scale, zero) = (self.need(node, 1)?.floats()?, self.need(node, 2)?);
        let (&[scale], super::onnx::Numbers::U8(zero)) = (&scale[..], &zero.numbers) else {
            return Err("a quantisation that is not one scale and a u8 zero point".into());
        };
        match zero[..] {
            [zero] if scale.is_normal() && scale > 0.0 => Ok(Scale { scale, zero }),
            _ => Err("a scale that is not positive".into()),
        }
    }

    /// Weights of [output, input, y, x], a bias for each of `outputs`.
    fn weights(&self, node: &'a NodeProto, bias_factor: f32) -> Result<(Weights<'a>, Bias, Vec<usize>), Unknown> {
        let name = node.input.get(1).ok_or("weights are missing")?.as_str();
        let (weights, dims) = match self.quantised.get(name) {
            Some(quantised) => {
                let super::onnx::Numbers::I8(numbers) = &quantised.constant.numbers else {
                    return Err("quantised weights that are not i8".into());
                };
                let whole = Weights::Whole { numbers: numbers.clone(), scales: quantised.scales.clone() };
                (whole, quantised.constant.dims.clone())
            }
            None => {
                let constant = self.need(node, 1)?;
                if !constant.is_float() {
                    return Err("weights that are not f32".into());
                }
                let dims = constant.dims.clone();
                (Weights::F32(constant), dims)
            }
        };
        let bias = match node.input.get(2).map(String::as_str).filter(|name| !name.is_empty()) {
            None => Bias::F32(vec![]),
            Some(name) => match self.quantised.get(name) {
                Some(quantised) => {
                    let numbers = quantised.constant.whole().ok_or("a quantised bias that is not whole")?;
                    Bias::Whole { numbers, scales: quantised.scales.clone() }
                }
                None => Bias::F32(self.need(node, 2)?.floats()?.into_iter().map(|b| b * bias_factor).collect()),
            },
        };
        Ok((weights, bias, dims))
    }

    fn convolution(&mut self, node: &'a NodeProto) -> Result<(), Unknown> {
        let value = self.value(node, 0)?;
        let (source, [channels, height, width]) = self.map(&value)?;
        let (weights, bias, dims) = self.weights(node, 1.0)?;
        let [outputs, inputs, tall, wide] = dims[..] else { return Err(format!("weights of {dims:?}")) };
        let attributes = Attributes(node);
        let groups = usize::try_from(attributes.int("group", 1)).unwrap_or(0);
        let depthwise = groups != 1;
        let fits = if depthwise { groups == channels && outputs == channels && inputs == 1 } else { inputs == channels };
        if !fits
            || attributes.sizes("dilations", 1, 2)? != [1, 1]
            || !["NOTSET", ""].contains(&attributes.text("auto_pad", "NOTSET"))
        {
            return Err(format!("groups, dilations or padding of a kind that we have not, weights {dims:?}"));
        }
        let (window, [high, across]) = window(&attributes, (tall, wide), (height, width), false)?;
        let bias = filled(bias, outputs)?;
        let strides = [inputs * tall * wide, tall * wide, wide, 1];
        let convolution =
            Convolution { weights, strides, factor: vec![], bias, window, depthwise, slope: vec![], residual: None };
        let storage = Storage::Map { channels: outputs, height: high, width: across };
        let made = self.add(&node.name, Operator::Convolution(Box::new(convolution)), vec![source], storage)?;
        self.give(node, Value { node: made, dims: vec![1, outputs, high, across] })
    }

    /// A window as large as the map.
    fn fully_connected(&mut self, node: &'a NodeProto) -> Result<(), Unknown> {
        let attributes = Attributes(node);
        let (alpha, beta) = (attributes.float("alpha", 1.0), attributes.float("beta", 1.0));
        let value = self.value(node, 0)?;
        let [1, length] = value.dims[..] else { return Err(format!("an input of {:?}", value.dims)) };
        if attributes.int("transA", 0) != 0 {
            return Err("a transposed input".into());
        }
        let (channels, height, width) = match self.nodes[value.node].storage {
            Storage::Map { channels, height, width } => (channels, height, width),
            Storage::Row(_) => return Err("a row as input".into()),
        };
        let (weights, bias, dims) = self.weights(node, beta)?;
        let transposed = attributes.int("transB", 0) != 0;
        let (outputs, inputs) = match dims[..] {
            [outputs, inputs] if transposed => (outputs, inputs),
            [inputs, outputs] => (outputs, inputs),
            _ => return Err(format!("weights of {dims:?}")),
        };
        if inputs != length || matches!(weights, Weights::Whole { .. }) && (!transposed || alpha != 1.0) {
            return Err(format!("weights of {dims:?}"));
        }
        let (out, inner) = if transposed { (length, 1) } else { (1, outputs) };
        let convolution = Convolution {
            weights,
            strides: [out, height * width * inner, width * inner, inner],
            factor: if alpha == 1.0 { vec![] } else { vec![alpha; outputs] },
            bias: filled(bias, outputs)?,
            window: Window { height, width, stride: 1, top: 0, left: 0 },
            depthwise: false,
            slope: vec![],
            residual: None,
        };
        debug_assert_eq!(channels * height * width, length);
        let storage = Storage::Map { channels: outputs, height: 1, width: 1 };
        let made = self.add(&node.name, Operator::Convolution(Box::new(convolution)), vec![value.node], storage)?;
        self.give(node, Value { node: made, dims: vec![1, outputs] })
    }

    fn pool(&mut self, node: &'a NodeProto) -> Result<(), Unknown> {
        let value = self.value(node, 0)?;
        let (source, [channels, height, width]) = self.map(&value)?;
        let attributes = Attributes(node);
        let size = attributes.sizes("kernel_shape", 1, 2)?;
        let largest = node.op_type == "MaxPool";
        if attributes.sizes("dilations", 1, 2)? != [1, 1] || !["NOTSET", ""].contains(&attributes.text("auto_pad", "NOTSET")) {
            return Err("dilations or padding of a kind that we have not".into());
        }
        let up = attributes.int("ceil_mode", 0) != 0;
        let (window, [high, across]) = window(&attributes, (size[0], size[1]), (height, width), up)?;
        let inside = (high - 1) * window.stride + window.height <= height && (across - 1) * window.stride + window.width <= width;
        if !largest && (window.top + window.left > 0 || !inside) {
            return Err("an average over the border".into());
        }
        let storage = Storage::Map { channels, height: high, width: across };
        let made = self.add(&node.name, Operator::Pool { window, largest }, vec![source], storage)?;
        self.give(node, Value { node: made, dims: vec![1, channels, high, across] })
    }

    fn upsample(&mut self, node: &'a NodeProto) -> Result<(), Unknown> {
        let value = self.value(node, 0)?;
        let (source, [channels, height, width]) = self.map(&value)?;
        let attributes = Attributes(node);
        let nearest = attributes.text("mode", "nearest") == "nearest"
            && (node.op_type == "Upsample"
                || attributes.text("coordinate_transformation_mode", "half_pixel") == "asymmetric"
                    && attributes.text("nearest_mode", "round_prefer_floor") == "floor");
        let scales_at = if node.op_type == "Upsample" { 1 } else { 2 };
        let scales = match self.constant(node, scales_at)? {
            Some(scales) if scales.len() == 4 => scales.floats()?,
            _ => {
                let sizes = self.need(node, 3)?;
                let &[n, c, h, w] = sizes.i64s()? else { return Err("sizes that are not four".into()) };
                vec![n as f32, c as f32 / channels as f32, h as f32 / height as f32, w as f32 / width as f32]
            }
        };
        let factor = scales[2] as usize;
        if !nearest || scales != [1.0, 1.0, factor as f32, factor as f32] || !(1..=8).contains(&factor) {
            return Err(format!("not nearest by one whole factor: {scales:?}"));
        }
        let storage = Storage::Map { channels, height: height * factor, width: width * factor };
        let made = self.add(&node.name, Operator::Upsample { factor }, vec![source], storage)?;
        self.give(node, Value { node: made, dims: vec![1, channels, height * factor, width * factor] })
    }

    /// Channels to the end.
    fn transpose(&mut self, node: &'a NodeProto) -> Result<(), Unknown> {
        let value = self.value(node, 0)?;
        let (source, [channels, height, width]) = self.map(&value)?;
        let order = Attributes(node).ints("perm");
        if order != [0, 2, 3, 1] && order != [2, 3, 0, 1] {
            return Err(format!("the order {order:?}"));
        }
        let storage = Storage::Row(channels * height * width);
        let made = self.add(&node.name, Operator::Unpack { pixels: true }, vec![source], storage)?;
        let dims = order.iter().map(|axis| value.dims[*axis as usize]).collect();
        self.give(node, Value { node: made, dims })
    }
}

/// A window and how often it fits.
fn window(
    attributes: &Attributes<'_>,
    (tall, wide): (usize, usize),
    (height, width): (usize, usize),
    up: bool,
) -> Result<(Window, [usize; 2]), Unknown> {
    let (strides, pads) = (attributes.sizes("strides", 1, 2)?, attributes.sizes("pads", 0, 4)?);
    let empty = tall == 0 || wide == 0 || strides[0] == 0;
    if empty
        || strides[0] != strides[1]
        || [pads[0], pads[2]].iter().any(|p| *p >= tall)
        || [pads[1], pads[3]].iter().any(|p| *p >= wide)
    {
        return Err(format!("strides {strides:?}, pads {pads:?}"));
    }
    let window = Window { height: tall, width: wide, stride: strides[0], top: pads[0], left: pads[1] };
    let fit = |size: usize, window: usize, pads: usize| {
        let rest = (size + pads).checked_sub(window).ok_or("a window larger than the map")?;
        let whole = rest / strides[0] + 1;
        Ok::<_, Unknown>(if up && !rest.is_multiple_of(strides[0]) { whole + 1 } else { whole })
    };
    Ok((window, [fit(height, tall, pads[0] + pads[2])?, fit(width, wide, pads[1] + pads[3])?]))
}

fn filled(bias: Bias, outputs: usize) -> Result<Bias, Unknown> {
    match bias {
        Bias::F32(bias) if bias.is_empty() => Ok(Bias::F32(vec![0.0; outputs])),
        Bias::F32(bias) if bias.len() == outputs => Ok(Bias::F32(bias)),
        Bias::Whole { numbers, scales } if numbers.len() == outputs => Ok(Bias::Whole { numbers, scales }),
        _ => Err("a bias of another length".into()),
    }
}

/// ONNX's rule: 0 keeps a size, −1 is what is left.
fn reshaped(dims: &[usize], wanted: &[i64]) -> Result<Vec<usize>, Unknown> {
    let total: usize = dims.iter().product();
    let keep = |(at, size): (usize, &i64)| match *size {
        0 => dims.get(at).copied(),
        size => Some(usize::try_from(size).unwrap_or(1)),
    };
    let mut shape: Vec<usize> = wanted.iter().enumerate().map(keep).collect::<Option<_>>().ok_or("a shape that does not fit")?;
    let rest: usize = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)).ok_or("a shape that does not fit")?;
    if let Some(open) = wanted.iter().position(|size| *size == -1) {
        shape[open] = total.checked_div(rest).unwrap_or(0);
    }
    let fits = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d)) == Some(total);
    if fits { Ok(shape) } else { Err("a shape that does not fit".into()) }
}
