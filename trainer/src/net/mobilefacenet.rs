//! MobileFaceNet (Chen, Liu, Gao, Han, 2018, arXiv 1804.07573), table 1. Its head is option G.

use tch::nn;

use super::NetSettings;
use super::layer::{Activation, Conv, Layer, Norm};

/// Table 1's bottlenecks: expansion, channels out, repeats, stride of the first.
const BOTTLENECKS: [(i64, i64, i64, i64); 5] = [(2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1)];

pub(super) fn build(path: &nn::Path<'_>, settings: &NetSettings) -> Layer {
    let unit = |path: nn::Path<'_>, geometry| Layer::conv_unit(&path, geometry, Norm::TORCH, Some(settings.activation));
    let mut layers =
        vec![unit(path / "stem" / "conv", Conv::full(3, 64, 2)), unit(path / "stem" / "depthwise", Conv::depthwise(64, 1))];
    let mut channels = 64;
    for (stage, (expansion, output, repeats, stride)) in BOTTLENECKS.into_iter().enumerate() {
        for index in 0..repeats {
            let path = path / "stage" / stage / index;
            let stride = if index == 0 { stride } else { 1 };
            layers.push(bottleneck(&path, channels, expansion, output, stride, settings.activation));
            channels = output;
        }
    }
    layers.push(unit(path / "head" / "expand", Conv::pointwise(channels, 512)));
    Layer::Chain(layers)
}

/// Expand, filter each channel, project without activation; the input is added where the shape allows.
fn bottleneck(path: &nn::Path<'_>, input: i64, expansion: i64, output: i64, stride: i64, activation: Activation) -> Layer {
    let wide = input * expansion;
    let branch = Layer::Chain(vec![
        Layer::conv_unit(&(path / "expand"), Conv::pointwise(input, wide), Norm::TORCH, Some(activation)),
        Layer::conv_unit(&(path / "depthwise"), Conv::depthwise(wide, stride), Norm::TORCH, Some(activation)),
        Layer::conv_unit(&(path / "project"), Conv::pointwise(wide, output), Norm::TORCH, None),
    ]);
    if stride == 1 && input == output { Layer::Sum(vec![branch, Layer::identity()]) } else { branch }
}

#[cfg(test)]
mod tests {
    use super::super::{Network, input};
    use super::*;
    use tch::{Device, Kind};

    fn settings(embedding: i64, activation: Activation) -> NetSettings {
        NetSettings { name: "mobilefacenet".into(), embedding, activation, width: 1.0 }
    }

    #[test]
    fn the_papers_parameter_count() {
        let network = Network::build(&settings(128, Activation::Prelu), Device::Cpu).expect("a network");
        // As deployed, each normalisation's scale folded into the convolution before it: the paper's table 2 states 0.99 M.
        // By table 1 that is 976,000 weights, 9,792 shifts and 7,552 slopes.
        let scales: usize =
            network.variables().iter().filter(|(name, _)| name.ends_with("bn.weight")).map(|(_, w)| w.numel()).sum();
        let deployed = network.parameters() - scales;
        assert_eq!(deployed, 976_000 + 9_792 + 7_552);
        assert_eq!((deployed as f64 / 1e4).round() / 100.0, 0.99);
    }

    #[test]
    fn a_wider_embedding_adds_its_rows_alone() {
        let count =
            |embedding| Network::build(&settings(embedding, Activation::Relu), Device::Cpu).expect("a network").parameters();
        assert_eq!(count(512) - count(128), 384 * (512 + 2));
    }

    #[test]
    fn chips_to_embeddings_in_either_precision() {
        let network = Network::build(&settings(512, Activation::Prelu), Device::Cpu).expect("a network");
        for kind in [Kind::Float, Kind::BFloat16] {
            let output = network.forward(&input::from_pixels(&[128; 2 * 112 * 112 * 3], kind, Device::Cpu), false);
            assert_eq!((output.size(), output.kind()), (vec![2, 512], Kind::Float));
        }
    }
}
