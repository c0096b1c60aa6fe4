//! Learning the detector unit by unit from one of the same form (FitNets' hints: Romero and others, arXiv 1412.6550).
//!
//! Each unit gets the *teacher's* map as its input and is to make the teacher's next one. Targets are the maps before ReLU, so that a
//! unit is fitted like a linear regression, and none waits for those before it to have learnt.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::grid::{CLASS, OBJECT, STRIDES};
use super::net::{DetectorNet, Maps, UNITS_BEFORE_HEADS, WHITE, join};
use crate::error::{Error, Result};
use crate::net::layer::Layer;
use crate::net::onnx::OnnxNetwork;

/// Maps of the teacher that a head's numbers are put together from: class, object, box and points.
const MAPS_A_HEAD: usize = 4;

/// Maps of the teacher in all.
const VALUES: usize = UNITS_BEFORE_HEADS + MAPS_A_HEAD * STRIDES.len();

/// What a cell of a head counts where the teacher sees no face; where it sees one, 1.
const BACKGROUND: f64 = 0.05;

/// The teacher's score from which it sees a face.
const SEEN: f64 = 0.1;

/// A teacher, and which of its values belongs behind which unit.
#[derive(Debug)]
pub struct Hints {
    teacher: OnnxNetwork,
    values: Vec<String>,
}

impl Hints {
    /// A teacher of YuNet's form that takes BGR from 0 to 255. `values` are its maps before ReLU: behind each unit of the stages, the
    /// laterals of strides 32, 16 and 8, and class, object, box and points of strides 8, 16 and 32.
    pub fn open(path: &Path, values: &[String], device: Device) -> Result<Self> {
        let teacher = OnnxNetwork::open(path, Kind::Float, device)?;
        let known: Vec<&str> = teacher.values().collect();
        let fail = |reason: String| Err(Error::Teacher { path: path.to_path_buf(), reason });
        if let Some(name) = values.iter().find(|name| !known.contains(&name.as_str())) {
            return fail(format!("it makes no value `{name}` (`hint_values`)"));
        }
        if values.len() != VALUES {
            return fail(format!("`hint_values` must name {VALUES} values, not {}", values.len()));
        }
        Ok(Hints { teacher, values: values.to_vec() })
    }

    /// The sum over the units of the squared error, each as a share of the teacher's variance, and of the heads' part of it.
    pub fn loss(&self, net: &DetectorNet, pictures: &Tensor) -> Result<(Tensor, Tensor)> {
        let wanted: Vec<&str> = self.values.iter().map(String::as_str).collect();
        let maps = self.teacher.maps(&(pictures.flip([1]) * WHITE), &wanted)?;
        let values = wanted.iter().filter_map(|name| maps.get(name)).map(Tensor::shallow_clone).collect::<Vec<_>>();
        let (units, heads) = values.split_at_checked(UNITS_BEFORE_HEADS).unwrap_or_default();
        let mut targets: Vec<Tensor> = units.iter().map(Tensor::shallow_clone).collect();
        targets.extend(heads.chunks_exact(MAPS_A_HEAD).map(|head| Tensor::cat(head, 1)));
        let zero = || Tensor::zeros([], (Kind::Float, pictures.device()));
        let mut forced = Forced { targets: &targets, loss: zero(), heads: zero() };
        net.walk(pictures.shallow_clone(), &mut forced)?;
        Ok((forced.loss, forced.heads))
    }
}

struct Forced<'a> {
    targets: &'a [Tensor],
    loss: Tensor,
    heads: Tensor,
}

impl Maps for Forced<'_> {
    type Map = Tensor;
    type Error = Error;

    fn unit(&mut self, unit: usize, layer: &Layer, map: &Tensor) -> Result<Tensor> {
        let made = layer.forward(map, false);
        let target = self.targets.get(unit).filter(|target| target.size() == made.size());
        let target =
            target.ok_or_else(|| Error::Config(format!("`hint_values` name no map like {:?} for unit {unit}", made.size())))?;
        let error = error(&made, target, unit >= UNITS_BEFORE_HEADS);
        if unit >= UNITS_BEFORE_HEADS {
            self.heads += &error;
        }
        self.loss += error;
        Ok(target.shallow_clone())
    }

    fn plain(&mut self, layer: &Layer, map: &Tensor) -> Result<Tensor> {
        Ok(layer.forward(map, false))
    }

    fn join(&mut self, fine: &Tensor, coarse: &Tensor) -> Result<Tensor> {
        Ok(join(fine, coarse))
    }
}

/// The squared error of each channel as a share of its variance in the target, a mean over the channels.
fn error(made: &Tensor, target: &Tensor, head: bool) -> Tensor {
    let logit = |at: usize| target.narrow(1, at as i64, 1).sigmoid();
    let weight = if head {
        (logit(CLASS) * logit(OBJECT)).sqrt().gt(SEEN).to_kind(Kind::Float) + BACKGROUND
    } else {
        target.narrow(1, 0, 1).ones_like()
    };
    let whole = weight.sum(Kind::Float);
    let mean = |of: Tensor| (of * &weight).sum_dim_intlist([0i64, 2, 3].as_slice(), true, Kind::Float) / &whole;
    let spread = mean((target - mean(target.shallow_clone())).square());
    // A channel that hardly varies must not outweigh the others.
    let least = spread.mean(Kind::Float) * 1e-3 + 1e-12;
    (mean((made - target).square()) / spread.maximum(&least)).mean(Kind::Float)
}
