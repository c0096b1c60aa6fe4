//! From pixels to what every network here takes: `(x − 127.5) / 128`, RGB, as in the paper.

use tch::{Device, Kind, Tensor};

use crate::data::chips::SIDE;

/// The mean that is subtracted from each byte.
pub const MEAN: f64 = 127.5;

/// What the difference is divided by.
pub const SCALE: f64 = 128.0;

/// A batch of chips, one after the other, as `[n, 3, 112, 112]` in channels-last layout.
pub fn from_pixels(pixels: &[u8], kind: Kind, device: Device) -> Tensor {
    ((planes(pixels, device) - MEAN) / SCALE).to_kind(kind)
}

/// A batch of chips as it is: `[n, 3, 112, 112]`, `f32` from 0 to 255, in channels-last layout.
pub fn planes(pixels: &[u8], device: Device) -> Tensor {
    let side = SIDE as i64;
    let rows = Tensor::from_slice(pixels).to_device(device).view([-1, side, side, 3]);
    rows.permute([0, 3, 1, 2]).to_kind(Kind::Float)
}
