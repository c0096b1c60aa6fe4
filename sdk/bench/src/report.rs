//! What was measured, in the form of its JSON.

use serde::Serialize;
use veriface::{Error, ErrorCode, Result};

/// The times of one piece of work, in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Stage {
    /// Its name.
    pub stage: String,
    /// How large the work was, for those that grow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<f64>,
    /// Half of the runs took at most this.
    pub p50_ms: f64,
    /// Nine in ten.
    pub p90_ms: f64,
    /// 99 in 100.
    pub p99_ms: f64,
    /// The mean of the thread's CPU time, where the system tells it: its clock ticks too seldom for a median.
    pub cpu_ms: Option<f64>,
}

/// Wall and CPU time of something done once.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Once {
    /// By the clock.
    pub ms: f64,
    /// Of the thread's CPU, where the system tells it.
    pub cpu_ms: Option<f64>,
}

/// Everything that is reported.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The device's name.
    pub device: String,
    /// What the library was built for, such as `aarch64-android`.
    pub system: String,
    /// The library's version.
    pub version: String,
    /// The pack's name.
    pub pack: String,
    /// The picture's width and height.
    pub picture: [u32; 2],
    /// How often each stage was timed.
    pub runs: usize,
    /// How many threads worked.
    pub threads: usize,
    /// Opening the pack.
    pub open: Once,
    /// Making a verifier of it, its self-test included.
    pub load: Once,
    /// The first picture, reading and decoding included.
    pub first: Once,
    /// All of that.
    pub cold_start: Once,
    /// The most memory that the process held until then.
    pub peak_bytes: Option<u64>,
    /// The processor's energy for one run of all stages, others' work on it included.
    pub joules: Option<f64>,
    /// The stages, in the order of the data.
    pub stages: Vec<Stage>,
    /// How work grows; empty unless asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub growth: Vec<Stage>,
}

impl Report {
    /// One line of JSON.
    ///
    /// # Errors
    /// [`ErrorCode::InternalFault`]: a report can always be written.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|e| Error::new(ErrorCode::InternalFault, e.to_string()))
    }
}
