//! From a comparison score to a decision: thresholds named by their false-match rate.
//!
//! A pack carries a [`Calibration`]: for each false-match rate the threshold, and how many comparisons stand behind it. A
//! [`Threshold`] comes from there, or the caller states one; there is no built-in number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::embed::Score;
use crate::error::{Error, ErrorCode, Result};

/// A false-match rate (ISO/IEC 19795-1): the share of comparisons of different people that are taken for the same person.
/// Above 0, at most 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct FalseMatchRate(f64);

impl FalseMatchRate {
    /// 1 in 100.
    pub const ONE_IN_100: FalseMatchRate = FalseMatchRate(1e-2);
    /// 1 in 1,000: for convenience, where nothing of value is behind the door.
    pub const ONE_IN_1_000: FalseMatchRate = FalseMatchRate(1e-3);
    /// 1 in 10,000: the strength of a four-digit PIN guessed once.
    pub const ONE_IN_10_000: FalseMatchRate = FalseMatchRate(1e-4);
    /// 1 in 100,000.
    pub const ONE_IN_100_000: FalseMatchRate = FalseMatchRate(1e-5);
    /// 1 in 1,000,000.
    pub const ONE_IN_1_000_000: FalseMatchRate = FalseMatchRate(1e-6);

    /// The rate `rate`: 0.0001 is 1 in 10,000.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] unless 0 < rate ≤ 1.
    pub fn new(rate: f64) -> Result<FalseMatchRate> {
        if rate > 0.0 && rate <= 1.0 {
            Ok(FalseMatchRate(rate))
        } else {
            Err(Error::new(ErrorCode::InvalidArgument, format!("a false-match rate lies above 0 and up to 1, not at {rate}")))
        }
    }

    /// The rate as a number: 0.0001 for 1 in 10,000.
    pub fn get(self) -> f64 {
        self.0
    }

    /// The same rate but for rounding, as 1/10000 and 1e-4 are.
    fn is_same(self, other: FalseMatchRate) -> bool {
        (self.0 - other.0).abs() <= 1e-9 * self.0
    }
}

impl TryFrom<f64> for FalseMatchRate {
    type Error = Error;

    fn try_from(rate: f64) -> Result<FalseMatchRate> {
        FalseMatchRate::new(rate)
    }
}

impl FromStr for FalseMatchRate {
    type Err = Error;

    /// Reads `1e-4`, `0.0001`, `1/10000` and what `Display` writes for such a rate, `1 in 10,000`.
    fn from_str(text: &str) -> Result<FalseMatchRate> {
        let number = |text: &str| text.trim().replace([',', '_'], "").parse::<f64>().ok();
        let rate = match text.split_once(" in ").or_else(|| text.split_once('/')) {
            Some((few, many)) => number(few).zip(number(many)).map(|(few, many)| few / many),
            None => number(text),
        };
        match rate {
            Some(rate) => FalseMatchRate::new(rate),
            None => {
                Err(Error::new(ErrorCode::InvalidArgument, format!("`{text}` is no false-match rate; write 1e-4 or 1/10000")))
            }
        }
    }
}

impl fmt::Display for FalseMatchRate {
    /// "1 in 10,000"; "about 1 in 333" where the reciprocal is no whole number; "0.7" above one in ten.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one_in = 1.0 / self.0;
        if (one_in - one_in.round()).abs() <= 1e-6 * one_in {
            write!(f, "1 in {}", grouped(one_in.round()))
        } else if one_in >= 10.0 {
            write!(f, "about 1 in {}", grouped(one_in.round()))
        } else {
            write!(f, "{}", self.0)
        }
    }
}

/// A whole number with commas between thousands.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A threshold that was measured: the rate it is published for, and what was counted at it on pairs that did not choose it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// The false-match rate that the threshold is published for.
    pub fmr: FalseMatchRate,
    /// The same person from this score on.
    pub threshold: Score,
    /// The lower 95 % bound of the rate that was measured (Wilson).
    pub lower: f64,
    /// The upper 95 % bound of the rate that was measured (Wilson).
    pub upper: f64,
    /// How many comparisons of different people were counted.
    pub impostor_pairs: u64,
    /// How many of them scored at or above the threshold.
    pub false_matches: u64,
    /// How many comparisons of the same person were counted.
    pub genuine_pairs: u64,
    /// The false non-match rate: the share of those that scored below the threshold.
    pub fnmr: f64,
}

impl OperatingPoint {
    /// The false-match rate that was measured.
    pub fn measured_fmr(&self) -> f64 {
        self.false_matches as f64 / self.impostor_pairs.max(1) as f64
    }

    /// Whether the measurement upholds the published rate: its upper 95 % bound does not exceed it.
    pub fn is_upheld(&self) -> bool {
        self.upper <= self.fmr.get()
    }

    fn check(&self) -> Result<()> {
        let refuse = |why: &str| Err(invalid(format!("the operating point at {}: {why}", self.fmr)));
        if self.impostor_pairs == 0 || self.false_matches > self.impostor_pairs {
            return refuse("`false_matches` of `impostor_pairs` is no share");
        }
        let measured = self.measured_fmr();
        if !(0.0 <= self.lower && self.lower <= measured && measured <= self.upper && self.upper <= 1.0) {
            return refuse("`lower` and `upper` do not bracket the measured rate");
        }
        if self.lower > self.fmr.get() {
            return refuse("even `lower` is above the published rate: the threshold does not hold it");
        }
        if !(0.0..=1.0).contains(&self.fnmr) {
            return refuse("`fnmr` is not within 0…1");
        }
        Ok(())
    }
}

/// How alike the most alike different people are: what a caller who lowers the threshold should look at first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ImpostorTail {
    /// How many comparisons of different people were scored.
    pub pairs: u64,
    /// The highest score among them.
    pub max: Score,
    /// The score that 1 in 1,000 of them exceeds; none when the pairs are too few to say (fewer than three times as many).
    pub one_in_1_000: Option<Score>,
    /// The score that 1 in 10,000 exceeds.
    pub one_in_10_000: Option<Score>,
    /// The score that 1 in 100,000 exceeds.
    pub one_in_100_000: Option<Score>,
}

/// What was counted in one group of people at one of the calibration's thresholds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRate {
    /// The group, as the data set names it.
    pub group: String,
    /// The published rate whose threshold was used.
    pub fmr: FalseMatchRate,
    /// Comparisons of different people of this group.
    pub impostor_pairs: u64,
    /// How many of them matched.
    pub false_matches: u64,
    /// The lower 95 % bound of the group's false-match rate (Wilson).
    pub lower: f64,
    /// The upper 95 % bound of the group's false-match rate (Wilson).
    pub upper: f64,
}

/// Whether the thresholds were measured group by group.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Groups {
    /// They were not: how the rates differ between groups of people is unknown.
    #[default]
    NotMeasured,
    /// They were.
    Measured(Vec<GroupRate>),
}

/// The thresholds of one model, measured on one data set. Part of a pack's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Calibration {
    data_set: String,
    points: Vec<OperatingPoint>,
    impostor_tail: ImpostorTail,
    groups: Groups,
}

/// A calibration as it stands in a manifest, before its invariants were looked at.
#[derive(Deserialize)]
struct Unchecked {
    data_set: String,
    points: Vec<OperatingPoint>,
    impostor_tail: ImpostorTail,
    #[serde(default)]
    groups: Groups,
}

impl TryFrom<Unchecked> for Calibration {
    type Error = Error;

    fn try_from(unchecked: Unchecked) -> Result<Calibration> {
        Calibration::new(unchecked.data_set, unchecked.points, unchecked.impostor_tail, unchecked.groups)
    }
}

impl Calibration {
    /// A calibration measured on `data_set`, with its operating points from the highest false-match rate to the lowest.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidManifest`] when the data set has no name, there is no point, the rates do not fall from point to point
    /// or a threshold falls with them, a point's bounds do not bracket what it measured, or its lower bound refutes its rate.
    pub fn new(
        data_set: impl Into<String>,
        points: Vec<OperatingPoint>,
        impostor_tail: ImpostorTail,
        groups: Groups,
    ) -> Result<Calibration> {
        let data_set = data_set.into();
        if data_set.trim().is_empty() {
            return Err(invalid("`data_set` is empty: a rate means nothing without it".into()));
        }
        if points.is_empty() {
            return Err(invalid("`points` is empty".into()));
        }
        points.iter().try_for_each(OperatingPoint::check)?;
        for (higher, lower) in points.iter().zip(points.iter().skip(1)) {
            if lower.fmr >= higher.fmr {
                return Err(invalid(format!("`points` go from the highest rate down, but {} follows {}", lower.fmr, higher.fmr)));
            }
            if lower.threshold < higher.threshold {
                return Err(invalid(format!("the threshold at {} is below the one at {}", lower.fmr, higher.fmr)));
            }
        }
        Ok(Calibration { data_set, points, impostor_tail, groups })
    }

    /// The data set that the rates were measured on.
    pub fn data_set(&self) -> &str {
        &self.data_set
    }

    /// The operating points, from the highest false-match rate to the lowest.
    pub fn points(&self) -> &[OperatingPoint] {
        &self.points
    }

    /// The highest scores of different people.
    pub fn impostor_tail(&self) -> &ImpostorTail {
        &self.impostor_tail
    }

    /// The rates by group of people, or that they were not measured.
    pub fn groups(&self) -> &Groups {
        &self.groups
    }

    /// The operating point at this false-match rate.
    ///
    /// # Errors
    /// [`ErrorCode::NoSuchOperatingPoint`], listing those that exist. A rate between two is not interpolated: nobody measured it.
    pub fn point(&self, fmr: FalseMatchRate) -> Result<&OperatingPoint> {
        self.points.iter().find(|point| point.fmr.is_same(fmr)).ok_or_else(|| {
            let known: Vec<String> = self.points.iter().map(|point| point.fmr.to_string()).collect();
            Error::new(ErrorCode::NoSuchOperatingPoint, format!("asked for {fmr}; measured were {}", known.join("; ")))
        })
    }
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorCode::InvalidManifest, format!("calibration: {detail}"))
}

/// The score from which on two faces are taken for the same person, with the false-match rate it is known for, if it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    score: Score,
    fmr: Option<FalseMatchRate>,
}

impl Threshold {
    /// The threshold that a pack's calibration has at this false-match rate.
    ///
    /// # Errors
    /// [`ErrorCode::Uncalibrated`] when there is no calibration; [`ErrorCode::NoSuchOperatingPoint`], listing the rates that were
    /// measured, when this one was not.
    pub fn at(calibration: Option<&Calibration>, fmr: FalseMatchRate) -> Result<Threshold> {
        let calibration =
            calibration.ok_or_else(|| Error::new(ErrorCode::Uncalibrated, format!("a rate of {fmr} was asked for")))?;
        let point = calibration.point(fmr)?;
        Ok(Threshold { score: point.threshold, fmr: Some(point.fmr) })
    }

    /// A threshold that the caller answers for. Decisions made with it carry no false-match rate.
    pub fn stated(score: Score) -> Threshold {
        Threshold { score, fmr: None }
    }

    /// The least score of a match.
    pub fn score(&self) -> Score {
        self.score
    }

    /// The false-match rate it was published for; none when the caller stated it.
    pub fn fmr(&self) -> Option<FalseMatchRate> {
        self.fmr
    }

    /// Decides: the same person when `score` is at the threshold or above.
    pub fn decide(&self, score: Score) -> Decision {
        Decision { same: score >= self.score, score, threshold: self.score, fmr: self.fmr, liveness: Liveness::NotAssessed }
    }
}

/// Whether the face was that of a living person at the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Liveness {
    /// Nobody looked: a photo of the person gives the same decision. An app that guards something adds a check of its own.
    NotAssessed,
}

/// Whether two faces are the same person's, at a named threshold.
///
/// The score is no percentage. Show [`Decision::same`] to people; to an engineer, the score beside its threshold:
///
/// ```
/// use veriface::{Calibration, FalseMatchRate, Score, Threshold};
///
/// # fn main() -> veriface::Result<()> {
/// # let manifest = r#"{"data_set":"held-out half of Example","points":[{"fmr":1e-4,"threshold":0.31,"lower":2.2e-5,
/// #   "upper":7.3e-5,"impostor_pairs":250000,"false_matches":10,"genuine_pairs":5000,"fnmr":0.02}],
/// #   "impostor_tail":{"pairs":250000,"max":0.42,"one_in_1_000":0.25,"one_in_10_000":0.3,"one_in_100_000":null}}"#;
/// # let calibration: Calibration = serde_json::from_str(manifest).unwrap();
/// let threshold = Threshold::at(Some(&calibration), FalseMatchRate::ONE_IN_10_000)?;
/// let decision = threshold.decide(Score::new(0.5)?);
/// // 0.5 is not "50 % sure": at this threshold it is a match that 1 in 10,000 pairs of different people would reach.
/// assert!(decision.same);
/// assert_eq!(decision.to_string(), "same person (score 0.500, threshold 0.310 at a false-match rate of 1 in 10,000; liveness not assessed)");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// Whether the score reaches the threshold.
    pub same: bool,
    /// The comparison score.
    pub score: Score,
    /// The least score of a match.
    pub threshold: Score,
    /// The false-match rate that the threshold was published for; none when the caller stated the threshold.
    pub fmr: Option<FalseMatchRate>,
    /// Always [`Liveness::NotAssessed`]: this SDK does not look for presentation attacks.
    pub liveness: Liveness,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.same { "same person" } else { "different people" };
        write!(f, "{verdict} (score {}, threshold {}", self.score, self.threshold)?;
        match self.fmr {
            Some(fmr) => write!(f, " at a false-match rate of {fmr}")?,
            None => write!(f, " stated by the caller")?,
        }
        write!(f, "; liveness not assessed)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(value: f32) -> Score {
        Score::new(value).unwrap()
    }

    /// 95 % Wilson bounds from statsmodels: 100 of 1,000,000 → 8.22e-5…1.216e-4; 10 of 250,000 → 2.17e-5…7.36e-5.
    fn point(fmr: f64, threshold: f32, false_matches: u64, impostor_pairs: u64, lower: f64, upper: f64) -> OperatingPoint {
        OperatingPoint {
            fmr: FalseMatchRate::new(fmr).unwrap(),
            threshold: score(threshold),
            lower,
            upper,
            impostor_pairs,
            false_matches,
            genuine_pairs: 5000,
            fnmr: 0.02,
        }
    }

    fn points() -> Vec<OperatingPoint> {
        vec![point(2e-4, 0.25, 100, 1_000_000, 8.22e-5, 1.216e-4), point(1e-4, 0.31, 10, 250_000, 2.17e-5, 7.36e-5)]
    }

    fn tail() -> ImpostorTail {
        let quantile = |value| Some(score(value));
        ImpostorTail {
            pairs: 1_000_000,
            max: score(0.45),
            one_in_1_000: quantile(0.2),
            one_in_10_000: quantile(0.3),
            one_in_100_000: quantile(0.4),
        }
    }

    fn calibration() -> Calibration {
        Calibration::new("held-out half", points(), tail(), Groups::NotMeasured).unwrap()
    }

    #[test]
    fn rates_as_words_and_back() {
        let words = [
            (1e-2, "1 in 100"),
            (1e-4, "1 in 10,000"),
            (1e-6, "1 in 1,000,000"),
            (1.0, "1 in 1"),
            (0.5, "1 in 2"),
            (0.003, "about 1 in 333"),
            (0.7, "0.7"),
        ];
        for (rate, text) in words {
            assert_eq!(FalseMatchRate::new(rate).unwrap().to_string(), text);
        }
        for text in ["1e-4", "0.0001", "1/10000", "1 in 10,000", " 1 / 10_000 "] {
            assert!(text.parse::<FalseMatchRate>().unwrap().is_same(FalseMatchRate::ONE_IN_10_000), "{text}");
        }
        for text in ["", "0", "-1e-3", "1.5", "nan", "1/0", "1/", "0.1 %", "often"] {
            assert_eq!(text.parse::<FalseMatchRate>().unwrap_err().code(), ErrorCode::InvalidArgument, "{text}");
        }
        assert!(serde_json::from_str::<FalseMatchRate>("0").is_err());
    }

    #[test]
    fn a_score_at_the_threshold_is_a_match_and_one_below_is_not() {
        let threshold = Threshold::at(Some(&calibration()), FalseMatchRate::ONE_IN_10_000).unwrap();
        assert!(threshold.decide(score(0.31)).same);
        assert!(!threshold.decide(score(0.31f32.next_down())).same);
        assert!(!threshold.decide(score(-1.0)).same);
    }

    #[test]
    fn without_calibration_nothing_is_decided_unless_the_caller_states_a_threshold() {
        let error = Threshold::at(None, FalseMatchRate::ONE_IN_1_000).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Uncalibrated);
        let decision = Threshold::stated(score(0.4)).decide(score(0.5));
        assert!(decision.same && decision.fmr.is_none());
        assert!(decision.to_string().contains("stated by the caller"));
    }

    #[test]
    fn an_unmeasured_rate_is_refused_with_the_list_of_those_measured() {
        let error = Threshold::at(Some(&calibration()), FalseMatchRate::ONE_IN_1_000_000).unwrap_err();
        assert_eq!(error.code(), ErrorCode::NoSuchOperatingPoint);
        assert!(error.to_string().contains("1 in 5,000; 1 in 10,000"), "{error}");
    }

    #[test]
    fn decision_as_json() {
        let decision = Threshold::at(Some(&calibration()), FalseMatchRate::ONE_IN_10_000).unwrap().decide(score(0.5));
        let json = serde_json::to_string(&decision).unwrap();
        assert_eq!(json, r#"{"same":true,"score":0.5,"threshold":0.31,"fmr":0.0001,"liveness":"not_assessed"}"#);
        let stated = serde_json::to_string(&Threshold::stated(score(0.5)).decide(score(0.25))).unwrap();
        assert_eq!(stated, r#"{"same":false,"score":0.25,"threshold":0.5,"fmr":null,"liveness":"not_assessed"}"#);
    }

    #[test]
    fn calibration_survives_json() {
        let rate = GroupRate {
            group: "A".into(),
            fmr: FalseMatchRate::ONE_IN_10_000,
            impostor_pairs: 1000,
            false_matches: 0,
            lower: 0.0,
            upper: 0.0038,
        };
        for groups in [Groups::NotMeasured, Groups::Measured(vec![rate])] {
            let calibration = Calibration::new("held-out half", points(), tail(), groups).unwrap();
            let json = serde_json::to_string(&calibration).unwrap();
            assert_eq!(serde_json::from_str::<Calibration>(&json).unwrap(), calibration);
        }
        assert!(serde_json::to_string(&calibration()).unwrap().contains(r#""groups":"not_measured""#));
    }

    #[test]
    fn a_calibration_that_contradicts_itself_is_refused() {
        let edit = |edit: &dyn Fn(&mut Vec<OperatingPoint>)| {
            let mut points = points();
            edit(&mut points);
            points
        };
        let cases: [(&str, Vec<OperatingPoint>); 9] = [
            ("no points", vec![]),
            ("rates rise", edit(&|p| p.reverse())),
            ("a rate twice", edit(&|p| p[1].fmr = p[0].fmr)),
            ("threshold falls with the rate", edit(&|p| p[1].threshold = score(0.2))),
            ("no impostors", edit(&|p| (p[0].impostor_pairs, p[0].false_matches) = (0, 0))),
            ("more matches than pairs", edit(&|p| p[0].false_matches = 1_000_001)),
            ("bounds beside the measured rate", edit(&|p| p[0].upper = 9e-5)),
            ("bounds not numbers", edit(&|p| p[0].lower = f64::NAN)),
            ("refuted by its own lower bound", edit(&|p| p[0].fmr = FalseMatchRate::new(1.1e-4 / 2.0).unwrap())),
        ];
        for (what, points) in cases {
            let error = Calibration::new("set", points, tail(), Groups::NotMeasured).unwrap_err();
            assert_eq!(error.code(), ErrorCode::InvalidManifest, "{what}");
        }
        assert!(Calibration::new(" ", points(), tail(), Groups::NotMeasured).is_err());
        let json = serde_json::to_string(&calibration()).unwrap().replace("\"fnmr\":0.02", "\"fnmr\":2.0");
        assert!(serde_json::from_str::<Calibration>(&json).is_err());
    }

    #[test]
    fn a_rate_is_upheld_only_by_its_upper_bound() {
        let [loose, strict] = points().try_into().unwrap();
        assert!(loose.is_upheld() && strict.is_upheld());
        assert!(!OperatingPoint { fmr: FalseMatchRate::new(1e-4).unwrap(), ..loose }.is_upheld());
    }
}
