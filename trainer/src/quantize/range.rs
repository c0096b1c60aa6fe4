//! How much of a value's range 256 numbers should cover.

use clap::ValueEnum;
use serde::Serialize;
use tch::{Kind, Tensor};

/// How the covered range follows from the values that calibration saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// All of them.
    Minmax,
    /// All but a share at either end.
    Percentile,
    /// The range whose 256 numbers keep most of the values' distribution: the least Kullback–Leibler divergence (Migacz, "8-bit
    /// inference with TensorRT", 2017).
    Entropy,
    /// The range with the least mean squared error of rounding and clipping.
    Mse,
}

/// How values are rounded: `scale · (q − zero)`, q from 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// The step.
    pub scale: f32,
    /// What 0 becomes.
    pub zero: u8,
}

impl Step {
    /// Covers `low … high`, and 0, which is always a number of its own: paddings are.
    pub fn covering(low: f32, high: f32) -> Self {
        let [low, high] = [low.min(0.0), high.max(0.0)];
        let scale = (high - low) / 255.0;
        // Values that are always 0 need no step; any will do.
        if !scale.is_normal() {
            return Step { scale: 1.0, zero: 0 };
        }
        Step { scale, zero: (-low / scale).round_ties_even().clamp(0.0, 255.0) as u8 }
    }

    /// A value as it comes out.
    fn rounded(self, value: f32) -> f32 {
        let zero = f32::from(self.zero);
        ((value / self.scale).round_ties_even() + zero).clamp(0.0, 255.0) * self.scale - zero * self.scale
    }
}

/// Bins of a histogram.
const BINS: usize = 2048;

/// How often values lie where.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    low: f32,
    high: f32,
    counts: Vec<u64>,
}

impl Histogram {
    /// Nothing yet, between the least and the greatest value.
    pub fn new(low: f32, high: f32) -> Self {
        let [low, high] = [low.min(0.0), high.max(0.0)];
        Histogram { low, high: if high > low { high } else { low + 1e-6 }, counts: vec![0; BINS] }
    }

    /// Counts the values of a tensor.
    pub fn add(&mut self, values: &Tensor) -> crate::error::Result<()> {
        let width = f64::from(self.high - self.low) / BINS as f64;
        let bins = ((values.flatten(0, -1) - f64::from(self.low)) / width).floor().clamp(0.0, (BINS - 1) as f64);
        let counts = Vec::<i64>::try_from(bins.to_kind(Kind::Int64).bincount(None::<Tensor>, BINS as i64))?;
        self.counts.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count.unsigned_abs());
        Ok(())
    }

    /// The least and the greatest value.
    pub fn range(&self) -> (f32, f32) {
        (self.low, self.high)
    }

    /// The step that the method chooses. `percentile` is the share of values, in percent, that its method keeps.
    pub fn step(&self, method: Method, percentile: f64) -> Step {
        match method {
            Method::Minmax => Step::covering(self.low, self.high),
            Method::Percentile => self.percentile(1.0 - percentile / 100.0),
            Method::Entropy => self.least(|step, from, to| self.divergence(step, from, to)),
            Method::Mse => self.least(|step, _, _| self.error(step)),
        }
    }

    fn width(&self) -> f32 {
        (self.high - self.low) / BINS as f32
    }

    fn centre(&self, bin: usize) -> f32 {
        self.low + (bin as f32 + 0.5) * self.width()
    }

    /// Leaves this share out at each end that has values.
    fn percentile(&self, share: f64) -> Step {
        let allowed = share * self.counts.iter().sum::<u64>() as f64;
        let beyond = |counts: &mut dyn Iterator<Item = &u64>| {
            let mut sum = 0.0;
            counts
                .take_while(|count| {
                    sum += **count as f64;
                    sum <= allowed
                })
                .count()
        };
        let above = beyond(&mut self.counts.iter().rev());
        let below = if self.low < 0.0 { beyond(&mut self.counts.iter()) } else { 0 };
        Step::covering(self.low + below as f32 * self.width(), self.high - above as f32 * self.width())
    }

    /// The best of 100 ranges that shrink from the whole one towards 0.
    fn least(&self, cost: impl Fn(Step, usize, usize) -> f64) -> Step {
        let mut best = (f64::INFINITY, Step::covering(self.low, self.high));
        for hundredths in 1..=100 {
            let share = hundredths as f32 / 100.0;
            let bin = |value: f32| ((value - self.low) / self.width()).round() as usize;
            let (from, to) = (bin(self.low * share).min(BINS - 1), bin(self.high * share).clamp(1, BINS));
            if to <= from {
                continue;
            }
            let step = Step::covering(self.low * share, self.high * share);
            let cost = cost(step, from, to);
            // Of equals the widest, which clips least on other data.
            if cost <= best.0 {
                best = (cost, step);
            }
        }
        best.1
    }

    fn error(&self, step: Step) -> f64 {
        let bins = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        bins.map(|(bin, count)| {
            let value = self.centre(bin);
            *count as f64 * f64::from(step.rounded(value) - value).powi(2)
        })
        .sum()
    }

    /// How much of the distribution is lost when bins `from..to` are merged into the step's numbers and the rest is clipped.
    fn divergence(&self, step: Step, from: usize, to: usize) -> f64 {
        let inside = &self.counts[from..to];
        let mut clipped: Vec<f64> = inside.iter().map(|count| *count as f64).collect();
        let sum = |counts: &[u64]| counts.iter().sum::<u64>() as f64;
        if let Some(first) = clipped.first_mut() {
            *first += sum(&self.counts[..from]);
        }
        if let Some(last) = clipped.last_mut() {
            *last += sum(&self.counts[to..]);
        }
        let number =
            |bin: usize| (self.centre(from + bin) / step.scale + f32::from(step.zero)).round().clamp(0.0, 255.0) as usize;
        let mut merged = [(0.0, 0.0); 256];
        for (bin, count) in inside.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (all, bins) = &mut merged[number(bin)];
            *all += *count as f64;
            *bins += 1.0;
        }
        let total: f64 = clipped.iter().sum();
        let kept = sum(inside);
        if total <= 0.0 || kept <= 0.0 {
            return f64::INFINITY;
        }
        let terms = clipped.iter().enumerate().filter(|(_, share)| **share > 0.0).map(|(bin, share)| {
            let (all, bins): (f64, f64) = merged[number(bin)];
            let p = share / total;
            // A bin that only clipping fills has no counterpart; a small one keeps the sum finite.
            let q = if inside[bin] > 0 && bins > 0.0 { all / bins / kept } else { 1e-9 };
            p * (p / q).ln()
        });
        terms.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[f32]) -> Histogram {
        let (low, high) = values.iter().fold((0.0f32, 0.0f32), |(low, high), value| (low.min(*value), high.max(*value)));
        let mut histogram = Histogram::new(low, high);
        histogram.add(&Tensor::from_slice(values)).expect("counted");
        histogram
    }

    #[test]
    fn zero_is_always_a_number_of_its_own() {
        for (low, high) in [(0.0, 6.0), (-1.0, 3.0), (0.5, 2.0), (-3.0, -1.0), (-0.001, 1000.0), (0.0, 0.0)] {
            let step = Step::covering(low, high);
            assert_eq!(step.rounded(0.0), 0.0);
            for value in [low, high] {
                assert!((step.rounded(value) - value).abs() <= step.scale, "{low} {high} {value}");
            }
        }
        assert_eq!(Step::covering(0.0, 25.5), Step { scale: 0.1, zero: 0 });
    }

    #[test]
    fn methods_leave_out_what_is_rare_and_far() {
        // A thousand values up to 1, evenly, a thousand times each, and one at 100.
        let mut values: Vec<f32> = (0..200_000).map(|i| (i % 1000) as f32 / 999.0).collect();
        values.push(100.0);
        let counted = histogram(&values);
        let high = |method| counted.step(method, 99.99).scale * 255.0;
        assert!((high(Method::Minmax) - 100.0).abs() < 1e-3, "{}", high(Method::Minmax));
        assert!((0.99..1.2).contains(&high(Method::Percentile)), "{}", high(Method::Percentile));
        // What is even stays even when its bins are merged, so entropy has nothing to gain by a narrower range. Of squares, which are
        // not, it keeps the first 21 of the 2,048 bins apart: 255 numbers do that for at most 255 · 21 / 20 = 267 bins, 13.1 of 100.
        assert!((high(Method::Entropy) - 100.0).abs() < 1e-3, "{}", high(Method::Entropy));
        let squares: Vec<f32> = values.iter().map(|value| if *value > 1.0 { *value } else { value * value }).collect();
        let squares = histogram(&squares).step(Method::Entropy, 99.99).scale * 255.0;
        assert!((0.99..13.1).contains(&squares), "{squares}");
        // One value at 100 clipped to h costs (100 − h)², and 200,000 rounded ones h²/255²/12 each: the least lies near
        // h = 100 / (1 + 200,000 / 255² / 12) = 79.6.
        assert!((75.0..=84.0).contains(&high(Method::Mse)), "{}", high(Method::Mse));
    }

    #[test]
    fn without_far_values_every_method_keeps_nearly_all() {
        let values: Vec<f32> = (0..10_000).map(|i| i as f32 / 5_000.0 - 0.5).collect();
        let histogram = histogram(&values);
        for method in [Method::Minmax, Method::Percentile, Method::Mse] {
            let step = histogram.step(method, 99.99);
            assert!((step.scale * 255.0 - 2.0).abs() < 0.05 && step.zero.abs_diff(64) <= 1, "{method:?} {step:?}");
        }
    }
}
