//! A network without the rooms around it, to be measured.

use crate::error::Result;
use crate::pack::Bytes;

use super::plan::Sets;
use super::{Network, Output};

/// A network alone, for timing it against other runtimes and for counting what it allocates. Not a part of the interface.
pub struct Measured(Network);

impl Measured {
    /// Prepares an ONNX graph for inputs of this shape.
    ///
    /// # Errors
    /// [`crate::ErrorCode::UnusableNetwork`].
    pub fn load(onnx: &[u8], input_shape: &[usize]) -> Result<Measured> {
        Network::load(onnx, input_shape).map(Measured)
    }

    /// What a pack holds beside the ONNX file; `None` when the graph runs on tract.
    ///
    /// # Errors
    /// [`crate::ErrorCode::UnusableNetwork`].
    pub fn prepare(onnx: &[u8], input_shape: &[usize]) -> Result<Option<Vec<u8>>> {
        Network::prepare(onnx, input_shape, &[0; 32])
    }

    /// Loads what [`Measured::prepare`] gave.
    ///
    /// # Errors
    /// [`crate::ErrorCode::UnusableNetwork`].
    pub fn load_prepared(bytes: &Bytes, input_shape: &[usize]) -> Result<Option<Measured>> {
        Ok(Network::load_prepared(bytes, input_shape, &[0; 32], Sets::best())?.map(Measured))
    }

    /// Runs on what `fill` writes; `read` gets each output's numbers.
    ///
    /// # Errors
    /// [`crate::ErrorCode::NetworkFailed`].
    pub fn run(&self, fill: impl FnOnce(&mut [f32]), mut read: impl FnMut(&[f32])) -> Result<()> {
        self.0.run(fill, |outputs: &[Output]| outputs.iter().for_each(|output| read(&output.values)))
    }

    /// What runs where.
    pub fn plan(&self) -> Vec<String> {
        self.0.describe()
    }
}
