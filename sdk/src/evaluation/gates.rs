//! What does each quality gate do to the error rates: which comparisons would it refuse, and how would those have ended?
//!
//! A gate earns its place when the comparisons that it refuses fail clearly more often than the others. FNMR shows that for gates that
//! spare people a false rejection, FMR for gates that keep strangers out.

use std::collections::BTreeMap;

use serde::Serialize;

use super::interval::{Interval, wilson};
use super::pairs::PairList;
use crate::embed::Embedding;
use crate::error::{Error, ErrorCode, Reason, Result};
use crate::quality::{Quality, QualityPolicy};

/// Comparisons at a threshold and how they ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Outcomes {
    /// Comparisons of one person.
    pub genuine: u64,
    /// How many of them did not match.
    pub false_non_matches: u64,
    /// Their share; none without genuine comparisons.
    pub fnmr: Option<f64>,
    /// Its 95 % interval (Wilson).
    pub fnmr_interval: Interval,
    /// Comparisons of two people.
    pub impostor: u64,
    /// How many of them matched.
    pub false_matches: u64,
    /// Their share; none without impostor comparisons.
    pub fmr: Option<f64>,
    /// Its 95 % interval (Wilson). It takes comparisons for independent, though they share pictures and people: it is too narrow.
    pub fmr_interval: Interval,
}

/// What one gate of a policy does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateEffect {
    /// The gate; none for the whole policy.
    pub reason: Option<Reason>,
    /// How many pictures it refuses.
    pub pictures: usize,
    /// Their share of the pictures in which a face was found.
    pub failure_rate: f64,
    /// The comparisons of which it refuses a picture.
    pub refused: Outcomes,
    /// The others.
    pub kept: Outcomes,
}

/// What the gates of one policy do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyEffect {
    /// The policy's name.
    pub policy: String,
    /// The whole policy, then each gate alone, in the order of [`Reason::ALL`].
    pub gates: Vec<GateEffect>,
}

/// The comparisons whose worse picture has a measure within some bounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// The measure, a field of [`Quality`]; `exposure` stands twice, from the dark end and from the bright one.
    pub measure: &'static str,
    /// From this value on; none for no bound.
    pub from: Option<f32>,
    /// Below this value; none for no bound.
    pub to: Option<f32>,
    /// How many pictures have such a value.
    pub pictures: usize,
    /// How the comparisons ended.
    pub outcomes: Outcomes,
}

/// What quality gates do to the error rates at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateReport {
    /// A comparison matches from this score on.
    pub threshold: f64,
    /// How many pictures the list has.
    pub pictures: usize,
    /// In how many of them no face was found: no gate refuses those.
    pub without_face: usize,
    /// Whether the impostor comparisons are every first picture of a pair against every second one that shows somebody else, which
    /// takes a list whose paths tell the people; otherwise they are the list's own.
    pub crossed: bool,
    /// Every policy's gates.
    pub policies: Vec<PolicyEffect>,
    /// The error rates by the value of each measure, from the good end to the bad one: what to look at before moving a bound.
    pub bands: Vec<Band>,
}

/// Measures what the gates of each policy, named, would refuse. `qualities` and `embeddings` have one entry a picture of
/// [`PairList::pictures`], none where no face was found; the embeddings are those of faces that no policy refused.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`] when the entries are not as many as the pictures; [`ErrorCode::ModelMismatch`].
pub fn measure_gates(
    list: &PairList,
    qualities: &[Option<Quality>],
    embeddings: &[Option<Embedding>],
    policies: &[(&str, &QualityPolicy)],
    threshold: f64,
) -> Result<GateReport> {
    let pictures = list.pictures().len();
    if qualities.len() != pictures || embeddings.len() != pictures {
        let detail = format!("{} qualities and {} embeddings for {pictures} pictures", qualities.len(), embeddings.len());
        return Err(Error::new(ErrorCode::InvalidArgument, detail));
    }
    let found = |quality: &Option<Quality>| quality.as_ref().map(|quality| Found::judge(quality, policies));
    let found: Vec<Option<Found>> = qualities.iter().map(found).collect();
    let mut tallies = Tallies { policies: vec![BTreeMap::new(); policies.len()], bands: BTreeMap::new() };
    for (a, b, same) in comparisons(list) {
        let sides = (found.get(a).and_then(Option::as_ref), found.get(b).and_then(Option::as_ref));
        let vectors = (embeddings.get(a).and_then(Option::as_ref), embeddings.get(b).and_then(Option::as_ref));
        if let ((Some(one), Some(other)), (Some(a), Some(b))) = (sides, vectors) {
            tallies.add(one, other, same, f64::from(a.compare(b)?.get()) >= threshold);
        }
    }
    let policies = policies.iter().enumerate().zip(&tallies.policies);
    Ok(GateReport {
        threshold,
        pictures,
        without_face: found.iter().filter(|one| one.is_none()).count(),
        crossed: list.subjects().is_some(),
        policies: policies
            .map(|((place, (name, _)), tally)| PolicyEffect { policy: (*name).into(), gates: effects(place, &found, tally) })
            .collect(),
        bands: bands(&found, &tallies.bands),
    })
}

/// The pictures to compare and whether they show one person; see [`GateReport::crossed`].
fn comparisons(list: &PairList) -> Box<dyn Iterator<Item = (usize, usize, bool)> + '_> {
    let listed = list.pairs().iter().map(|pair| (pair.a, pair.b, pair.same));
    let Some(subjects) = list.subjects() else { return Box::new(listed) };
    let side = |of: fn(&super::Pair) -> usize| {
        let mut side: Vec<usize> = list.pairs().iter().map(of).collect();
        side.sort_unstable();
        side.dedup();
        side
    };
    let (firsts, seconds) = (side(|pair| pair.a), side(|pair| pair.b));
    let crossed = firsts.into_iter().flat_map(move |a| seconds.clone().into_iter().map(move |b| (a, b, false)));
    let strangers = crossed.filter(move |(a, b, _)| subjects.get(*a) != subjects.get(*b));
    Box::new(listed.filter(|(_, _, same)| *same).chain(strangers))
}

/// A set of reasons: bit i is that of [`Reason::ALL`]'s place i.
type Reasons = u16;

/// One picture's standing before every policy, and the band of each of its measures.
struct Found {
    refused: Vec<Reasons>,
    bands: [usize; MEASURES.len()],
}

impl Found {
    fn judge(quality: &Quality, policies: &[(&str, &QualityPolicy)]) -> Found {
        let bit = |reason: Reason| Reason::ALL.iter().position(|one| *one == reason).map_or(0, |place| 1 << place);
        let refused = policies.iter().map(|(_, policy)| policy.check(quality).into_iter().map(bit).fold(0, |a, b| a | b));
        Found { refused: refused.collect(), bands: MEASURES.each_ref().map(|measure| measure.band(quality)) }
    }
}

/// A measure and the bounds of its bands, from the good end to the bad one.
struct Measure {
    name: &'static str,
    value: fn(&Quality) -> f32,
    bounds: &'static [f32],
    /// Whether low values are the bad ones.
    falls: bool,
}

#[rustfmt::skip]
const MEASURES: [Measure; 10] = [
    Measure { name: "eye_distance", value: |q| q.eye_distance, bounds: &[32.0, 24.0, 20.0, 16.0, 14.0, 12.0, 10.0, 8.0], falls: true },
    Measure { name: "sharpness", value: |q| q.sharpness, bounds: &[0.25, 0.18, 0.15, 0.12, 0.11, 0.1, 0.09, 0.08], falls: true },
    Measure { name: "exposure", value: |q| q.exposure, bounds: &[80.0, 60.0, 40.0, 25.0, 15.0, 10.0, 5.0], falls: true },
    Measure { name: "exposure", value: |q| q.exposure, bounds: &[180.0, 210.0, 220.0, 235.0, 245.0], falls: false },
    Measure { name: "dynamic_range", value: |q| q.dynamic_range, bounds: &[80.0, 50.0, 40.0, 30.0, 20.0, 15.0, 10.0, 5.0], falls: true },
    Measure { name: "yaw", value: |q| q.pose.yaw.abs(), bounds: &[15.0, 30.0, 45.0, 60.0, 75.0], falls: false },
    Measure { name: "pitch", value: |q| q.pose.pitch.abs(), bounds: &[10.0, 20.0, 30.0, 40.0], falls: false },
    Measure { name: "roll", value: |q| q.pose.roll.abs(), bounds: &[10.0, 20.0, 30.0, 45.0, 60.0, 75.0], falls: false },
    Measure { name: "cut_off", value: |q| q.cut_off, bounds: &[0.001, 0.05, 0.1, 0.15, 0.2, 0.25], falls: false },
    Measure { name: "detection_score", value: |q| q.detection_score.0, bounds: &[0.7, 0.65, 0.6, 0.55, 0.5], falls: true },
];

impl Measure {
    /// How many bounds lie on the good side of the value.
    fn band(&self, quality: &Quality) -> usize {
        let value = (self.value)(quality);
        self.bounds.iter().filter(|bound| if self.falls { value < **bound } else { value >= **bound }).count()
    }

    /// The values of a band: from, to.
    fn range(&self, band: usize) -> (Option<f32>, Option<f32>) {
        let (good, bad) = (band.checked_sub(1).and_then(|i| self.bounds.get(i)).copied(), self.bounds.get(band).copied());
        if self.falls { (bad, good) } else { (good, bad) }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    genuine: u64,
    false_non_matches: u64,
    impostor: u64,
    false_matches: u64,
}

impl Tally {
    fn add(&mut self, same: bool, matches: bool) {
        let (trials, wrong) =
            if same { (&mut self.genuine, &mut self.false_non_matches) } else { (&mut self.impostor, &mut self.false_matches) };
        *trials += 1;
        *wrong += u64::from(same != matches);
    }

    fn plus(self, other: &Tally) -> Tally {
        Tally {
            genuine: self.genuine + other.genuine,
            false_non_matches: self.false_non_matches + other.false_non_matches,
            impostor: self.impostor + other.impostor,
            false_matches: self.false_matches + other.false_matches,
        }
    }

    fn outcomes(self) -> Outcomes {
        let share = |events: u64, trials: u64| (trials > 0).then(|| events as f64 / trials as f64);
        Outcomes {
            genuine: self.genuine,
            false_non_matches: self.false_non_matches,
            fnmr: share(self.false_non_matches, self.genuine),
            fnmr_interval: wilson(self.false_non_matches, self.genuine),
            impostor: self.impostor,
            false_matches: self.false_matches,
            fmr: share(self.false_matches, self.impostor),
            fmr_interval: wilson(self.false_matches, self.impostor),
        }
    }
}

struct Tallies {
    /// For each policy, the comparisons by what it has against either picture.
    policies: Vec<BTreeMap<Reasons, Tally>>,
    /// By the measure's place and the worse picture's band.
    bands: BTreeMap<(usize, usize), Tally>,
}

impl Tallies {
    fn add(&mut self, one: &Found, other: &Found, same: bool, matches: bool) {
        for (tallies, (a, b)) in self.policies.iter_mut().zip(one.refused.iter().zip(&other.refused)) {
            tallies.entry(a | b).or_default().add(same, matches);
        }
        for (place, (a, b)) in one.bands.iter().zip(&other.bands).enumerate() {
            self.bands.entry((place, *a.max(b))).or_default().add(same, matches);
        }
    }
}

fn effects(policy: usize, found: &[Option<Found>], tallies: &BTreeMap<Reasons, Tally>) -> Vec<GateEffect> {
    let refused_pictures: Vec<Reasons> = found.iter().flatten().filter_map(|one| one.refused.get(policy).copied()).collect();
    let effect = |reason: Option<Reason>, of: Reasons| {
        let sum = |refused: bool| {
            let those = tallies.iter().filter(|(reasons, _)| (**reasons & of != 0) == refused).map(|(_, tally)| tally);
            those.fold(Tally::default(), Tally::plus).outcomes()
        };
        let pictures = refused_pictures.iter().filter(|reasons| **reasons & of != 0).count();
        let failure_rate = pictures as f64 / refused_pictures.len().max(1) as f64;
        GateEffect { reason, pictures, failure_rate, refused: sum(true), kept: sum(false) }
    };
    let alone = Reason::ALL.iter().enumerate().map(|(place, reason)| effect(Some(*reason), 1 << place));
    std::iter::once(effect(None, Reasons::MAX)).chain(alone).collect()
}

fn bands(found: &[Option<Found>], tallies: &BTreeMap<(usize, usize), Tally>) -> Vec<Band> {
    let band = |(place, measure): (usize, &Measure), band: usize| {
        let (from, to) = measure.range(band);
        let pictures = found.iter().flatten().filter(|one| one.bands.get(place) == Some(&band)).count();
        let outcomes = tallies.get(&(place, band)).copied().unwrap_or_default().outcomes();
        Band { measure: measure.name, from, to, pictures, outcomes }
    };
    let of_measure = |measure: (usize, &'static Measure)| (0..=measure.1.bounds.len()).map(move |at| band(measure, at));
    MEASURES.iter().enumerate().flat_map(of_measure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embed::ModelId;
    use crate::face::DetectionScore;
    use crate::quality::Pose;

    fn quality(eye_distance: f32, exposure: f32) -> Option<Quality> {
        Some(Quality {
            eye_distance,
            sharpness: 0.3,
            exposure,
            dynamic_range: 100.0,
            pose: Pose { yaw: 0.0, pitch: 0.0, roll: 0.0 },
            cut_off: 0.0,
            faces: 1,
            detection_score: DetectionScore(0.9),
        })
    }

    fn towards(degrees: f32) -> Option<Embedding> {
        let angle = degrees.to_radians();
        Embedding::from_raw(ModelId::from_bytes([1; 32]), vec![angle.cos(), angle.sin()]).ok()
    }

    /// Ten people with two pictures each; the second one of person 0 is small, dark and unlike the first.
    fn ten_people() -> (PairList, Vec<Option<Quality>>, Vec<Option<Embedding>>) {
        let text: String = (0..10).map(|i| format!("p{i}/a\tp{i}/b\t1\np{i}/a\tp{}/b\t0\n", (i + 1) % 10)).collect();
        let list = PairList::tab_separated(&text).unwrap();
        let of = |path: &std::path::PathBuf| {
            let path = path.to_str().unwrap();
            let person: f32 = path[1..2].parse().unwrap();
            match path {
                "p0/b" => (quality(7.0, 8.0), towards(180.0)),
                "p9/b" => (None, None),
                _ => (quality(60.0, 120.0), towards(person * 18.0)),
            }
        };
        let (qualities, embeddings) = list.pictures().iter().map(of).unzip();
        (list, qualities, embeddings)
    }

    #[test]
    fn a_gate_counts_what_it_refuses_and_what_it_leaves() {
        let (list, qualities, embeddings) = ten_people();
        let verify = QualityPolicy::verify();
        // cos 20° = 0.94: neighbours 18° apart match.
        let report = measure_gates(&list, &qualities, &embeddings, &[("verify", &verify)], 0.94).unwrap();
        assert_eq!((report.pictures, report.without_face, report.crossed), (20, 1, true));
        let gates = &report.policies[0].gates;
        assert_eq!(gates.len(), 1 + Reason::ALL.len());
        for reason in [None, Some(Reason::TooSmall), Some(Reason::TooDark)] {
            let gate = gates.iter().find(|gate| gate.reason == reason).unwrap();
            assert_eq!(gate.pictures, 1, "{reason:?}");
            assert_eq!((gate.refused.genuine, gate.refused.fnmr), (1, Some(1.0)));
            // The refused one points away from every stranger but person 9, 18° from it.
            assert_eq!((gate.refused.impostor, gate.refused.false_matches), (9, 1));
            assert_eq!((gate.kept.genuine, gate.kept.fnmr), (8, Some(0.0)));
            // Eight second pictures against nine strangers each; those of 1 … 7 have two neighbours, that of 8 has two (7 and 9).
            assert_eq!((gate.kept.impostor, gate.kept.false_matches), (72, 16));
            assert_eq!(gate.refused.fnmr_interval, wilson(1, 1));
        }
        let idle = gates.iter().find(|gate| gate.reason == Some(Reason::Blurred)).unwrap();
        assert_eq!((idle.pictures, idle.refused.genuine, idle.refused.fnmr, idle.kept.genuine), (0, 0, None, 9));
    }

    #[test]
    fn a_comparison_stands_in_the_band_of_its_worse_picture() {
        let (list, qualities, embeddings) = ten_people();
        let report = measure_gates(&list, &qualities, &embeddings, &[], 0.94).unwrap();
        let of = |measure: &str| report.bands.iter().filter(|band| band.measure == measure).collect::<Vec<_>>();
        let eyes = of("eye_distance");
        assert_eq!((eyes[0].from, eyes[0].to, eyes[0].pictures, eyes[0].outcomes.genuine), (Some(32.0), None, 18, 8));
        let bad = eyes.last().unwrap();
        assert_eq!((bad.from, bad.to, bad.pictures), (None, Some(8.0), 1));
        assert_eq!((bad.outcomes.genuine, bad.outcomes.fnmr), (1, Some(1.0)));
        for measure in MEASURES.each_ref().map(|measure| measure.name) {
            let sum: u64 = of(measure).iter().map(|band| band.outcomes.genuine).sum();
            assert_eq!(sum, if measure == "exposure" { 18 } else { 9 }, "{measure}");
        }
    }

    #[test]
    fn without_names_the_pairs_of_the_list_are_compared() {
        let text: String = (0..20).map(|i| format!("a{i}\tb{i}\t{}\n", i % 2)).collect();
        let list = PairList::tab_separated(&text).unwrap();
        let (qualities, embeddings) = (vec![quality(60.0, 120.0); 40], vec![towards(0.0); 40]);
        let report = measure_gates(&list, &qualities, &embeddings, &[("verify", &QualityPolicy::verify())], 0.5).unwrap();
        let all = &report.policies[0].gates[0].kept;
        assert!(!report.crossed);
        assert_eq!((all.genuine, all.impostor, all.fmr), (10, 10, Some(1.0)));
        assert_eq!(measure_gates(&list, &[], &embeddings, &[], 0.5).unwrap_err().code(), ErrorCode::InvalidArgument);
    }
}
