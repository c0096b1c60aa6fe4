//! MobileFaceNet (Chen, Liu, Gao, Han, 2018, arXiv 1804.07573), table 1.

use tch::nn::ModuleT;
use tch::{Tensor, nn};

use super::layer::{Activation, Conv, ConvUnit};
use super::{Entry, NetSettings};

pub(super) const ENTRY: Entry = Entry {
    name: "mobilefacenet",
    summary: "MobileFaceNet: inverted residuals, 7×7 depthwise head; 0.99 M parameters at 128-d",
    build: |path, settings| Box::new(MobileFaceNet::new(path, settings)),
};

/// Table 1's bottlenecks: expansion, channels out, repeats, stride of the first.
const BOTTLENECKS: [(i64, i64, i64, i64); 5] = [(2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1)];

#[derive(Debug)]
struct MobileFaceNet {
    stem: [ConvUnit; 2],
    bottlenecks: Vec<Bottleneck>,
    head: [ConvUnit; 3],
}

impl MobileFaceNet {
    fn new(path: &nn::Path<'_>, settings: &NetSettings) -> Self {
        let activation = Some(settings.activation);
        let stem = [
            ConvUnit::new(&(path / "stem" / "conv"), Conv::full(3, 64, 2), activation),
            ConvUnit::new(&(path / "stem" / "depthwise"), Conv::depthwise(64, 1), activation),
        ];
        let mut channels = 64;
        let mut bottlenecks = Vec::new();
        for (stage, (expansion, output, repeats, stride)) in BOTTLENECKS.into_iter().enumerate() {
            for unit in 0..repeats {
                let path = path / "stage" / stage / unit;
                let stride = if unit == 0 { stride } else { 1 };
                bottlenecks.push(Bottleneck::new(&path, channels, expansion, output, stride, settings.activation));
                channels = output;
            }
        }
        let global = Conv { kernel: 7, padding: 0, ..Conv::depthwise(512, 1) };
        let head = [
            ConvUnit::new(&(path / "head" / "expand"), Conv::pointwise(channels, 512), activation),
            ConvUnit::new(&(path / "head" / "global"), global, None),
            ConvUnit::new(&(path / "head" / "embedding"), Conv::pointwise(512, settings.embedding), None),
        ];
        MobileFaceNet { stem, bottlenecks, head }
    }
}

impl ModuleT for MobileFaceNet {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        let xs = self.stem.iter().fold(xs.shallow_clone(), |xs, unit| unit.forward_t(&xs, train));
        let xs = self.bottlenecks.iter().fold(xs, |xs, unit| unit.forward_t(&xs, train));
        let xs = self.head.iter().fold(xs, |xs, unit| unit.forward_t(&xs, train));
        xs.flatten(1, -1)
    }
}

/// Expand, filter each channel, project without activation; the input is added where the shape allows.
#[derive(Debug)]
struct Bottleneck {
    units: [ConvUnit; 3],
    residual: bool,
}

impl Bottleneck {
    fn new(path: &nn::Path<'_>, input: i64, expansion: i64, output: i64, stride: i64, activation: Activation) -> Self {
        let wide = input * expansion;
        let units = [
            ConvUnit::new(&(path / "expand"), Conv::pointwise(input, wide), Some(activation)),
            ConvUnit::new(&(path / "depthwise"), Conv::depthwise(wide, stride), Some(activation)),
            ConvUnit::new(&(path / "project"), Conv::pointwise(wide, output), None),
        ];
        Bottleneck { units, residual: stride == 1 && input == output }
    }
}

impl ModuleT for Bottleneck {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        let ys = self.units.iter().fold(xs.shallow_clone(), |xs, unit| unit.forward_t(&xs, train));
        if self.residual { ys + xs } else { ys }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Network, input};
    use super::*;
    use tch::{Device, Kind};

    fn settings(embedding: i64, activation: Activation) -> NetSettings {
        NetSettings { name: ENTRY.name.into(), embedding, activation }
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
