//! What follows a convolution becomes a part of it; stretches between quantised values become int8.

use super::graph::{Bias, Convolution, ConvolutionI8, Graph, Operator, Scale, Weights};
use super::kernels::SumI8;

/// Fuses until nothing is left to fuse.
pub(super) fn fuse(graph: &mut Graph<'_>) {
    drop_round_trips(graph);
    for node in 0..graph.nodes.len() {
        while fuse_reader(graph, node) {}
    }
    for node in 0..graph.nodes.len() {
        quantised_convolution(graph, node);
    }
    for node in 0..graph.nodes.len() {
        quantised_add(graph, node);
    }
}

/// A value that is dequantised and quantised again in the same way is itself.
fn drop_round_trips(graph: &mut Graph<'_>) {
    for node in 0..graph.nodes.len() {
        let Operator::Quantize(scale) = graph.nodes[node].operator else { continue };
        let before = graph.nodes[node].inputs[0];
        match graph.nodes[before].operator {
            Operator::Dequantize(same) if same == scale => graph.replace(node, graph.nodes[before].inputs[0]),
            _ => {}
        }
    }
}

fn fuse_reader(graph: &mut Graph<'_>, node: usize) -> bool {
    let Some(reader) = graph.only_reader(node) else { return false };
    let other = graph.nodes[reader].inputs.iter().copied().find(|input| *input != node);
    let (head, tail) = graph.nodes.split_at_mut(reader);
    let (node_inputs, reader_node) = (&mut head[node].inputs, &tail[0]);
    let Operator::Convolution(convolution) = &mut head[node].operator else { return false };
    let channels = match &convolution.bias {
        Bias::F32(bias) => bias.len(),
        Bias::Whole { numbers, .. } => numbers.len(),
    };
    let float = matches!(convolution.weights, Weights::F32(_));
    match &reader_node.operator {
        Operator::Affine { factor, bias } if float && convolution.slope.is_empty() && convolution.residual.is_none() => {
            let Bias::F32(own) = &mut convolution.bias else { return false };
            for ((own, factor), bias) in own.iter_mut().zip(factor).zip(bias) {
                *own = *own * factor + bias;
            }
            if convolution.factor.is_empty() {
                convolution.factor = vec![1.0; channels];
            }
            convolution.factor.iter_mut().zip(factor).for_each(|(own, factor)| *own *= factor);
        }
        Operator::Activation { slope } if convolution.slope.is_empty() => {
            convolution.slope = if slope.len() == channels { slope.clone() } else { vec![slope[0]; channels] };
            convolution.residual = convolution.residual.map(|_| true);
        }
        Operator::Add if float && !convolution.depthwise && convolution.residual.is_none() => {
            let Some(other) = other.filter(|other| *other < node) else { return false };
            convolution.residual = Some(false);
            node_inputs.push(other);
        }
        _ => return false,
    }
    graph.replace(reader, node);
    true
}

/// DequantizeLinear → convolution (→ activation) → QuantizeLinear, or without the last.
fn quantised_convolution(graph: &mut Graph<'_>, node: usize) {
    let Operator::Convolution(convolution) = &graph.nodes[node].operator else { return };
    let before = graph.nodes[node].inputs[0];
    let Operator::Dequantize(input) = graph.nodes[before].operator else { return };
    if convolution.residual.is_some() || !exact(convolution, input) {
        return;
    }
    let reader = graph.only_reader(node);
    let output = reader.and_then(|reader| match graph.nodes[reader].operator {
        Operator::Quantize(output) => Some((reader, output)),
        _ => None,
    });
    if output.is_none() && convolution.depthwise {
        return;
    }
    let Operator::Convolution(convolution) = std::mem::replace(&mut graph.nodes[node].operator, Operator::Gone) else { return };
    let made = ConvolutionI8 { convolution: *convolution, input, output: output.map(|(_, output)| output), sum: None };
    graph.nodes[node].operator = Operator::ConvolutionI8(Box::new(made));
    graph.nodes[node].inputs = graph.nodes[before].inputs.clone();
    if let Some((reader, _)) = output {
        graph.replace(reader, node);
    }
}

/// That weights lie in −127…127, that the bias has the products' scale, and that no sum leaves i32.
fn exact(convolution: &Convolution<'_>, input: Scale) -> bool {
    let Weights::Whole { numbers, scales } = &convolution.weights else { return false };
    let outputs = match &convolution.bias {
        Bias::F32(bias) => bias.len(),
        Bias::Whole { numbers, .. } => numbers.len(),
    };
    if numbers.contains(&0x80) || outputs == 0 || !numbers.len().is_multiple_of(outputs) || !convolution.factor.is_empty() {
        return false;
    }
    let one = |scales: &[f32], at: usize| if scales.len() == 1 { scales[0] } else { scales.get(at).copied().unwrap_or(f32::NAN) };
    numbers.chunks_exact(numbers.len() / outputs).enumerate().all(|(channel, weights)| {
        let product = input.scale * one(scales, channel);
        let bias = match &convolution.bias {
            Bias::F32(bias) => (bias[channel] == 0.0).then_some(0),
            Bias::Whole { numbers, scales } => {
                ((one(scales, channel) - product).abs() <= product * 1e-5).then_some(i64::from(numbers[channel]))
            }
        };
        let largest = weights.iter().map(|w| i64::from((*w as i8).unsigned_abs())).sum::<i64>() * 255;
        product.is_finite() && bias.is_some_and(|bias| 2 * largest + bias.abs() < i64::from(i32::MAX))
    })
}

/// DequantizeLinear of both → Add (→ ReLU) → QuantizeLinear.
fn quantised_add(graph: &mut Graph<'_>, node: usize) {
    if !matches!(graph.nodes[node].operator, Operator::Add) {
        return;
    }
    let [one, two] = graph.nodes[node].inputs[..] else { return };
    let (Operator::Dequantize(a), Operator::Dequantize(b)) = (&graph.nodes[one].operator, &graph.nodes[two].operator) else {
        return;
    };
    let (a, b) = (*a, *b);
    let Some(mut reader) = graph.only_reader(node) else { return };
    let relu = match &graph.nodes[reader].operator {
        Operator::Activation { slope } if slope[..] == [0.0] => Some(reader),
        _ => None,
    };
    if let Some(relu) = relu {
        let Some(after) = graph.only_reader(relu) else { return };
        reader = after;
    }
    let Operator::Quantize(output) = graph.nodes[reader].operator else { return };
    let sum = |a: Scale, b: Scale| SumI8 {
        a_zero: i32::from(a.zero),
        a_ratio: a.scale / output.scale,
        b_zero: i32::from(b.zero),
        b_ratio: b.scale / output.scale,
        zero: i32::from(output.zero),
        least: if relu.is_some() { i32::from(output.zero) } else { 0 },
    };
    if let Some(relu) = relu {
        graph.replace(relu, node);
    }
    graph.replace(reader, node);
    let (from_a, from_b) = (graph.nodes[one].inputs[0], graph.nodes[two].inputs[0]);
    // Into the convolution that makes one of the two, when nothing else reads it and the other is there by then.
    for (value, dequantised, other, sum) in [(from_a, one, from_b, sum(a, b)), (from_b, two, from_a, sum(b, a))] {
        let alone = graph.only_reader(value) == Some(dequantised) && graph.only_reader(dequantised) == Some(node);
        let Operator::ConvolutionI8(convolution) = &mut graph.nodes[value].operator else { continue };
        if alone
            && other < value
            && convolution.output.is_some()
            && convolution.sum.is_none()
            && !convolution.convolution.depthwise
        {
            convolution.sum = Some(sum);
            graph.nodes[value].inputs.push(other);
            graph.replace(node, value);
            return;
        }
    }
    graph.nodes[node].operator = Operator::AddI8(sum(a, b));
    graph.nodes[node].inputs = vec![from_a, from_b];
}
