//! A run's log as curves: loss, learning rate, accuracy, speed; and its angles.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{Axis, Chart, Curve};
use crate::error::{Error, Result};
use crate::train::angles::Angles;

/// What a run's `log.jsonl` holds. Of a step that a resumed run did again, the later lines count.
#[derive(Debug, Default, PartialEq)]
pub struct TrainingLog {
    /// Step → the whole loss.
    pub loss: BTreeMap<u64, f64>,
    /// Step → the learning rate.
    pub lr: BTreeMap<u64, f64>,
    /// Step → chips a second.
    pub speed: BTreeMap<u64, f64>,
    /// List → step → accuracy, 0 to 1.
    pub accuracy: BTreeMap<String, BTreeMap<u64, f64>>,
    /// Step → angles.
    pub angles: BTreeMap<u64, Angles>,
}

impl TrainingLog {
    /// Reads a log. A last line without end, which a killed run leaves, is passed over; lines of other events too.
    pub fn open(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let mut log = TrainingLog::default();
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let bad = |reason: &str| Error::data(path.display().to_string(), format!("line {}: {reason}", number + 1));
            let line: Value = match serde_json::from_str(line) {
                Ok(line) => line,
                Err(_) if number + 1 == lines.len() && !text.ends_with('\n') => break,
                Err(error) => return Err(bad(&error.to_string())),
            };
            log.add(&line).ok_or_else(|| bad("a field of this event is missing or no number"))?;
        }
        Ok(log)
    }

    fn add(&mut self, line: &Value) -> Option<()> {
        let step = line.get("step")?.as_u64()?;
        // JSON has no number for a loss that is not finite; it is null.
        let number = |key: &str| line.get(key).map(|value| value.as_f64().unwrap_or(f64::NAN));
        match line.get("event")?.as_str()? {
            "train" => {
                self.loss.insert(step, number("loss")?);
                self.lr.insert(step, number("lr")?);
                self.speed.insert(step, number("images_per_second")?);
            }
            "evaluation" => {
                let list = line.get("list")?.as_str()?.to_owned();
                self.accuracy.entry(list).or_default().insert(step, number("accuracy")?);
            }
            "angles" => {
                let counts = line.get("histogram")?.as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?;
                self.angles.insert(step, Angles { histogram: counts });
            }
            _ => {}
        }
        Some(())
    }

    /// Loss, learning rate, accuracy and speed over steps; without accuracy where nothing was evaluated.
    pub fn charts(&self) -> Vec<Chart> {
        let steps = self.loss.keys().chain(self.accuracy.values().flat_map(BTreeMap::keys)).max().copied().unwrap_or(1);
        let x = || Axis::linear("step", 0.0..steps as f64);
        let loss = [Curve::line("loss", points(&self.loss, 1.0))];
        let lr = [Curve::line("lr", points(&self.lr, 1.0))];
        let speed = [Curve::line("speed", points(&self.speed, 1.0))];
        let accuracy: Vec<Curve> =
            self.accuracy.iter().map(|(list, steps)| Curve::line(short(list), points(steps, 100.0))).collect();
        let (_, most_loss) = span(&loss);
        let (_, most_lr) = span(&lr);
        let (_, most_speed) = span(&speed);
        let (least_accuracy, _) = span(&accuracy);
        let chart = |title: &str, y: Axis, curves: Vec<Curve>| Chart { title: title.into(), x: x(), y, curves };
        let charts = [
            chart("Loss", Axis::linear("loss", 0.0..1.05 * most_loss), loss.into()),
            chart("Learning rate", Axis::linear("learning rate", 0.0..1.05 * most_lr), lr.into()),
            chart("Ten-fold accuracy", Axis::linear("accuracy, %", (least_accuracy - 1.0).clamp(0.0, 99.0)..100.0), accuracy),
            chart("Speed", Axis::linear("images/s", 0.0..1.05 * most_speed), speed.into()),
        ];
        charts.into_iter().filter(|chart| !chart.curves.is_empty()).collect()
    }
}

fn points(values: &BTreeMap<u64, f64>, factor: f64) -> Vec<(f64, f64)> {
    values.iter().map(|(&step, &value)| (step as f64, factor * value)).collect()
}

/// The least and the greatest finite value of curves; 0 and 1 without one.
fn span(curves: &[Curve]) -> (f64, f64) {
    let values = curves.iter().flat_map(|curve| &curve.points).map(|(_, y)| *y).filter(|y| y.is_finite());
    let span = values.fold(None, |span: Option<(f64, f64)>, y| match span {
        Some((least, most)) => Some((least.min(y), most.max(y))),
        None => Some((y, y)),
    });
    span.unwrap_or((0.0, 1.0))
}

/// A list's folder and file without ending.
fn short(list: &str) -> String {
    let path = Path::new(list).with_extension("");
    let parts: Vec<_> = path.components().rev().take(2).map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"{"event":"start","step":0,"chips":5}
{"event":"train","step":10,"lr":0.1,"loss":9.0,"images_per_second":30.0}
{"event":"train","step":20,"lr":0.1,"loss":8.0,"images_per_second":31.0}
{"event":"start","step":10,"chips":5}
{"event":"train","step":20,"lr":0.1,"loss":7.5,"images_per_second":29.0}
{"event":"angles","step":20,"histogram":[0,3,1]}
{"event":"train","step":30,"lr":0.01,"loss":null,"images_per_second":29.0}
{"event":"evaluation","step":20,"list":"../shared/cfpfp/pairs.tsv","accuracy":0.75,"deviation":0.01}
"#;

    fn open(text: &str) -> Result<TrainingLog> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.jsonl");
        std::fs::write(&path, text).expect("written");
        TrainingLog::open(&path)
    }

    #[test]
    fn a_step_that_was_done_again_counts_once() {
        let log = open(LOG).expect("a log");
        assert_eq!(log.loss.keys().copied().collect::<Vec<_>>(), [10, 20, 30]);
        assert_eq!((log.loss[&20], log.lr[&30]), (7.5, 0.01));
        assert!(log.loss[&30].is_nan());
        assert_eq!(log.angles[&20].histogram, [0, 3, 1]);
        let charts = log.charts();
        assert_eq!(charts.len(), 4);
        assert_eq!(charts[2].curves[0], Curve::line("cfpfp/pairs", vec![(20.0, 75.0)]));
        super::super::grid(&charts, 2).expect("a picture");
    }

    #[test]
    fn a_killed_runs_last_line_is_passed_over_and_no_other() {
        let half = r#"{"event":"train","st"#;
        assert_eq!(open(&format!("{LOG}{half}")).expect("a log").loss.len(), 3);
        let error = open(&format!("{half}\n{LOG}")).expect_err("a broken line").to_string();
        assert!(error.contains("line 1"), "{error}");
        let error = open("{\"event\":\"train\",\"step\":3}\n").expect_err("no loss").to_string();
        assert!(error.contains("line 1"), "{error}");
        open("").expect("an empty log").charts();
    }
}
