//! A face detector of our own: boxes, scores and five points, in the form of YuNet's outputs.
//!
//! [`set`] keeps labelled pictures in memory; [`scene`] plans a training canvas from several of them and [`canvas`] draws it; [`light`]
//! varies its pixels. [`net`] makes a map a stride of it, [`assign`] says which cells answer for which face, [`loss`] what their
//! answers should be, and [`hints`] what a teacher's units make. [`run`] is the training run, [`evaluate`] the figures, [`export`] the ONNX file.

pub mod assign;
pub mod canvas;
pub mod config;
pub mod evaluate;
pub mod export;
pub mod finder;
pub mod grid;
pub mod hints;
pub mod label;
pub mod light;
pub mod loss;
pub mod net;
pub mod run;
pub mod scene;
pub mod set;
