//! Wall and CPU time of pieces of work.

use std::time::{Duration, Instant};

use veriface::Result;

use crate::device;
use crate::report::{Once, Stage};

pub(crate) struct Clock(Instant, Option<f64>);

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock(Instant::now(), device::cpu_ms())
    }

    pub(crate) fn stop(&self) -> Once {
        let cpu_ms = device::cpu_ms().zip(self.1).map(|(now, before)| now - before);
        Once { ms: milliseconds(self.0.elapsed()), cpu_ms }
    }
}

pub(crate) fn time<T>(stage: &str, size: Option<f64>, runs: usize, mut work: impl FnMut() -> Result<T>) -> Result<Stage> {
    let mut times = Vec::with_capacity(runs);
    let all = Clock::start();
    for _ in 0..runs {
        let started = Instant::now();
        std::hint::black_box(work()?);
        times.push(milliseconds(started.elapsed()));
    }
    let cpu_ms = all.stop().cpu_ms.map(|ms| ms / runs.max(1) as f64);
    times.sort_by(f64::total_cmp);
    let [p50_ms, p90_ms, p99_ms] = [0.5, 0.9, 0.99].map(|share| quantile(&times, share));
    Ok(Stage { stage: stage.to_string(), size, p50_ms, p90_ms, p99_ms, cpu_ms })
}

/// The nearest rank of sorted numbers; 0 of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted.get((sorted.len().saturating_sub(1) as f64 * share).round() as usize).copied().unwrap_or(0.0)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_a_list_of_a_hundred_and_one() {
        let numbers: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!([0.5, 0.9, 0.99].map(|share| quantile(&numbers, share)), [50.0, 90.0, 99.0]);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
