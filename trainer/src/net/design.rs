//! Which networks there are, and what they are called.
//!
//! A name is put together as the paper does it, with hyphens: `[se-][l]BACKBONE-OUTPUT[-ir]`, so that SE-LResNet50E-IR is
//! `se-lresnet50-e-ir` and LMobileNetE is `lmobilenet-e`. MobileFaceNet without a letter is the published one, with output G.

use std::fmt;

use tch::nn;

use super::layer::Layer;
use super::output::Output;
use super::residual::{Order, Unit};
use super::{NetSettings, densenet, dpn, inception_resnet, mobilefacenet, mobilenet, resnet};
use crate::error::{Error, Result};

/// What the first layers do to the chip (§3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// As published for 224×224: it shrinks the chip at once.
    Small,
    /// "L": the first convolution is 3×3 with stride 1, and the last map of most networks is 7×7.
    Large,
}

/// All but the output option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backbone {
    /// MobileFaceNet.
    MobileFaceNet,
    /// MobileNet v1.
    MobileNet(Input),
    /// Residual networks.
    ResNet(Input, resnet::Depth, Unit),
    /// Inception-ResNet-v2.
    InceptionResNetV2(Input),
    /// Densely connected networks.
    DenseNet(Input, densenet::Depth),
    /// The dual-path network DPN-92.
    Dpn92(Input),
}

impl Backbone {
    /// Every backbone.
    pub fn all() -> Vec<Backbone> {
        let mut all = vec![Backbone::MobileFaceNet];
        for input in [Input::Large, Input::Small] {
            all.push(Backbone::MobileNet(input));
            for depth in resnet::Depth::ALL {
                for squeeze_excitation in [false, true] {
                    let units = [Order::Improved, Order::Original].map(|order| Unit { order, squeeze_excitation });
                    all.extend(units.map(|unit| Backbone::ResNet(input, depth, unit)));
                }
            }
            all.push(Backbone::InceptionResNetV2(input));
            all.extend(densenet::Depth::ALL.map(|depth| Backbone::DenseNet(input, depth)));
            all.push(Backbone::Dpn92(input));
        }
        all
    }

    /// One line for `trainer list`.
    pub fn summary(self) -> &'static str {
        match self {
            Backbone::MobileFaceNet => "inverted residuals; without a letter: the published one, output g",
            Backbone::MobileNet(_) => "MobileNet v1; takes `width`",
            Backbone::ResNet(_, _, Unit { order: Order::Original, squeeze_excitation: false }) => "He's residual units",
            Backbone::ResNet(_, _, Unit { order: Order::Original, squeeze_excitation: true }) => "He's residual units, SE",
            Backbone::ResNet(_, _, Unit { order: Order::Improved, squeeze_excitation: false }) => "improved residual units",
            Backbone::ResNet(_, _, Unit { order: Order::Improved, squeeze_excitation: true }) => "improved residual units, SE",
            Backbone::InceptionResNetV2(_) => "Inception-ResNet-v2",
            Backbone::DenseNet(..) => "DenseNet-BC, growth 32",
            Backbone::Dpn92(_) => "dual-path network",
        }
    }

    /// Makes the variables below the path; the result turns `[n, 3, 112, 112]` into the last map.
    pub(super) fn build(self, path: &nn::Path<'_>, settings: &NetSettings) -> Layer {
        match self {
            Backbone::MobileFaceNet => mobilefacenet::build(path, settings),
            Backbone::MobileNet(input) => mobilenet::build(path, input, settings),
            Backbone::ResNet(input, depth, unit) => resnet::build(path, input, depth, unit, settings),
            Backbone::InceptionResNetV2(input) => inception_resnet::build(path, input),
            Backbone::DenseNet(input, depth) => densenet::build(path, input, depth, settings),
            Backbone::Dpn92(input) => dpn::build(path, input, settings),
        }
    }

    /// Its name with `output` in its place.
    fn name(self, output: impl fmt::Display) -> String {
        let l = |input| if input == Input::Large { "l" } else { "" };
        match self {
            Backbone::MobileFaceNet => format!("mobilefacenet-{output}"),
            Backbone::MobileNet(input) => format!("{}mobilenet-{output}", l(input)),
            Backbone::ResNet(input, depth, unit) => {
                let se = if unit.squeeze_excitation { "se-" } else { "" };
                let ir = if unit.order == Order::Improved { "-ir" } else { "" };
                format!("{se}{}resnet{}-{output}{ir}", l(input), depth.number())
            }
            Backbone::InceptionResNetV2(input) => format!("{}inception-resnet-v2-{output}", l(input)),
            Backbone::DenseNet(input, depth) => format!("{}densenet{}-{output}", l(input), depth.number()),
            Backbone::Dpn92(input) => format!("{}dpn92-{output}", l(input)),
        }
    }
}

impl fmt::Display for Backbone {
    /// The name with `?` for the output option's letter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name('?'))
    }
}

/// A whole network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Design {
    /// Up to the last map.
    pub backbone: Backbone,
    /// From there on.
    pub output: Output,
}

impl Design {
    /// Every network.
    pub fn all() -> impl Iterator<Item = Design> {
        let designs = |backbone| Output::ALL.into_iter().map(move |output| Design { backbone, output });
        Backbone::all().into_iter().flat_map(designs)
    }

    /// The network of this name.
    pub fn named(name: &str) -> Result<Design> {
        Design::all().find(|design| design.to_string() == name).ok_or_else(|| {
            let lacks_output = Backbone::all().iter().any(|backbone| {
                let without = backbone.name('?').replace("-?", "");
                without == name
            });
            let advice = if lacks_output { "its output option, a to g, is missing" } else { "`trainer list` shows all" };
            Error::Config(format!("there is no network {name:?}; {advice}"))
        })
    }
}

impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.backbone, self.output) {
            (Backbone::MobileFaceNet, Output::G) => f.write_str("mobilefacenet"),
            (backbone, output) => f.write_str(&backbone.name(output.letter())),
        }
    }
}
