//! How far a run is, for people: a bar with rate and time left on a terminal, and lines that stay. Elsewhere only the lines.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Shows a run's progress on standard error.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of a run that has done `step` of `steps`.
    pub fn start(step: u64, steps: u64) -> Self {
        // A bar on something else than a terminal draws nothing.
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr_with_hz(4));
        let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} · {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_position(step);
        Progress { bar }
    }

    /// After a step: `rate` in chips a second, and the seconds that the rest will take at this rate.
    pub fn step(&self, step: u64, loss: f64, rate: f64, left: f64) {
        self.bar.set_position(step);
        self.bar.set_message(format!("loss {loss:.4} · {rate:.1} images/s · {} left", duration(left)));
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.abandon();
    }
}

/// As `3 days`, or `?` where the rate says nothing yet.
pub fn duration(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or("?".into(), |duration| indicatif::HumanDuration(duration).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rate_breaks_the_time_left() {
        assert_eq!(duration(7200.0), "2 hours");
        for seconds in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            assert_eq!(duration(seconds), "?");
        }
    }
}
