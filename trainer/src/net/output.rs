//! The output options (§3.2, and the authors' README for F): from the last map to the embedding.
//!
//! In the authors' code, A to D and F begin with a normalisation and an activation, and E with a normalisation; so do these.

use tch::nn;

use super::NetSettings;
use super::layer::{Conv, Gamma, Layer, Norm, Shape};

/// How a map becomes an embedding. GP: the mean of each channel; FC: fully connected, with bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// BN-act-GP: as long as the map has channels.
    A,
    /// BN-act-GP-FC.
    B,
    /// BN-act-GP-FC-BN.
    C,
    /// BN-act-GP-FC-BN-act.
    D,
    /// BN-dropout-FC-BN, the paper's choice.
    E,
    /// BN-act-dropout-FC-BN.
    F,
    /// MobileFaceNet's head, for small networks: a kernel a channel as large as the map, BN, 1×1, BN. Not the authors' "G".
    G,
}

const DROPOUT: f64 = 0.4;

/// The normalisation of the embedding.
const LAST: Norm = Norm { epsilon: 2e-5, gamma: Gamma::One };

impl Output {
    /// Every option.
    pub const ALL: [Output; 7] = [Output::A, Output::B, Output::C, Output::D, Output::E, Output::F, Output::G];

    /// Its letter.
    pub fn letter(self) -> char {
        match self {
            Output::A => 'a',
            Output::B => 'b',
            Output::C => 'c',
            Output::D => 'd',
            Output::E => 'e',
            Output::F => 'f',
            Output::G => 'g',
        }
    }

    /// The length of the embedding of a map with so many channels, if the option leaves no choice.
    pub(super) fn fixed_length(self, map: Shape) -> Option<i64> {
        (self == Output::A).then_some(map.channels)
    }

    pub(super) fn build(self, path: &nn::Path<'_>, map: Shape, settings: &NetSettings) -> Layer {
        let Shape { channels, height, width } = map;
        let length = settings.embedding;
        let normalised = || Layer::batch_norm(&(path / "bn"), channels, Norm::AUTHORS);
        let activated = || Layer::activation(path, settings.activation, channels);
        let connected = |inputs| Layer::linear(&(path / "fc"), inputs, length);
        let embedding = || Layer::batch_norm(&(path / "embedding" / "bn"), length, LAST);
        Layer::Chain(match self {
            Output::A => vec![normalised(), activated(), Layer::GlobalPool],
            Output::B => vec![normalised(), activated(), Layer::GlobalPool, connected(channels)],
            Output::C => vec![normalised(), activated(), Layer::GlobalPool, connected(channels), embedding()],
            Output::D => {
                let last = Layer::activation(&(path / "embedding"), settings.activation, length);
                vec![normalised(), activated(), Layer::GlobalPool, connected(channels), embedding(), last]
            }
            Output::E => vec![normalised(), Layer::Dropout(DROPOUT), connected(channels * height * width), embedding()],
            Output::F => {
                let dropout = Layer::Dropout(DROPOUT);
                vec![normalised(), activated(), dropout, connected(channels * height * width), embedding()]
            }
            Output::G => {
                let global = Conv { kernel: [height, width], ..Conv::depthwise(channels, 1) }.valid();
                vec![
                    Layer::conv_unit(&(path / "global"), global, Norm::TORCH, None),
                    Layer::conv_unit(&(path / "embedding"), Conv::pointwise(channels, length), Norm::TORCH, None),
                ]
            }
        })
    }
}
