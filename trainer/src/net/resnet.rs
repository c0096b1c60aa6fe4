//! The residual networks: 3×3 units in four stages, as in the authors' `fresnet.py` of February 2018.

use tch::nn;

use super::NetSettings;
use super::design::Input;
use super::layer::Layer;
use super::residual::{Place, Unit, unit};
use super::stem::stem;

/// The number in a network's name; 50 and 100 have other units than He's networks of that depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 2, 2, 2, 2 units.
    D18,
    /// 3, 4, 6, 3 units.
    D34,
    /// 3, 4, 14, 3 units.
    D50,
    /// 3, 13, 30, 3 units.
    D100,
}

impl Depth {
    /// Every depth.
    pub const ALL: [Depth; 4] = [Depth::D18, Depth::D34, Depth::D50, Depth::D100];

    /// The number.
    pub fn number(self) -> u32 {
        match self {
            Depth::D18 => 18,
            Depth::D34 => 34,
            Depth::D50 => 50,
            Depth::D100 => 100,
        }
    }

    fn units(self) -> [i64; 4] {
        match self {
            Depth::D18 => [2, 2, 2, 2],
            Depth::D34 => [3, 4, 6, 3],
            Depth::D50 => [3, 4, 14, 3],
            Depth::D100 => [3, 13, 30, 3],
        }
    }
}

/// Channels of each stage.
const WIDTHS: [i64; 4] = [64, 128, 256, 512];

pub(super) fn build(path: &nn::Path<'_>, input: Input, depth: Depth, kind: Unit, settings: &NetSettings) -> Layer {
    let activation = settings.activation;
    let mut layers = vec![stem(&(path / "stem"), input, WIDTHS[0], activation)];
    let mut channels = WIDTHS[0];
    for (stage, (units, output)) in depth.units().into_iter().zip(WIDTHS).enumerate() {
        for index in 0..units {
            let first = index == 0;
            // The small input's maximum has shrunk the map for the first stage already.
            let shrinks = first && (stage > 0 || input == Input::Large);
            let place = Place { input: channels, output, stride: if shrinks { 2 } else { 1 }, first };
            layers.push(unit(&(path / "stage" / stage / index), kind, place, input, activation));
            channels = output;
        }
    }
    Layer::Chain(layers)
}
