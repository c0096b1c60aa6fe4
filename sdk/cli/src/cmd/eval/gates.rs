//! What each gate of the pack's quality policies does to the error rates.

use veriface::evaluation::{AtRate, Band, GateReport, Interval, Outcomes, PairList, Report, measure_gates};
use veriface::{Embedding, Error, ErrorCode, FalseMatchRate, Quality, Reason, Result, Score, Threshold, Verifier};

use crate::print_line;

const RATE: FalseMatchRate = FalseMatchRate::ONE_IN_1_000;

/// Measures both policies at the stated threshold, the pack's at 1 in 1,000, or the list's own at that rate.
pub fn measure(
    verifier: &Verifier,
    stated: Option<f32>,
    list: &PairList,
    qualities: &[Option<Quality>],
    embeddings: &[Option<Embedding>],
    report: &Report,
) -> Result<GateReport> {
    let manifest = verifier.pack().manifest();
    let threshold = match (stated, Threshold::at(manifest.calibration.as_ref(), RATE)) {
        (Some(score), _) => f64::from(Score::new(score)?.get()),
        (None, Ok(calibrated)) => f64::from(calibrated.score().get()),
        (None, Err(_)) => own_threshold(report)?,
    };
    let policies = [("verify", &manifest.quality.verify), ("enrol", &manifest.quality.enrol)];
    measure_gates(list, qualities, embeddings, &policies, threshold)
}

fn own_threshold(report: &Report) -> Result<f64> {
    let at_rate = report.tar.iter().find_map(|at| match at {
        AtRate::Measured(at) if at.far == RATE => Some(at.threshold),
        _ => None,
    });
    at_rate.ok_or_else(|| Error::new(ErrorCode::TooFewComparisons, "state a threshold for --gates"))
}

pub fn print(report: &GateReport) -> Result<()> {
    print_line(format_args!(
        "\ngates, at threshold {:.3}; {} of {} pictures without a face",
        report.threshold, report.without_face, report.pictures
    ))?;
    print_line(match report.crossed {
        true => "impostor comparisons: every first picture against every second one that shows somebody else",
        false => "impostor comparisons: those of the list",
    })?;
    for policy in &report.policies {
        print_line(format_args!(
            "\n{:<20} {:>8} {:>9}   {:<22} {:<22} {:<25} {}",
            policy.policy, "pictures", "genuine", "FNMR of refused", "FNMR of the rest", "FMR of refused", "FMR of the rest"
        ))?;
        for gate in &policy.gates {
            print_line(format_args!(
                "{:<20} {:>6.2} % {:>9}   {:<22} {:<22} {:<25} {}",
                gate.reason.as_ref().map_or("all gates", Reason::name),
                gate.failure_rate * 100.0,
                gate.refused.genuine,
                fnmr(&gate.refused),
                fnmr(&gate.kept),
                fmr(&gate.refused),
                fmr(&gate.kept),
            ))?;
        }
    }
    let mut measure = "";
    for band in report.bands.iter().filter(|band| band.pictures > 0) {
        if band.measure != measure {
            measure = band.measure;
            print_line(format_args!("\n{:<20} {:>8} {:>9}   {:<22} {}", measure, "pictures", "genuine", "FNMR", "FMR"))?;
        }
        let Band { from, to, pictures, outcomes, .. } = band;
        let range = match (from, to) {
            (Some(from), Some(to)) => format!("{from} … {to}"),
            (Some(from), None) => format!("from {from}"),
            (None, Some(to)) => format!("below {to}"),
            (None, None) => "any".into(),
        };
        print_line(format_args!(
            "  {range:<18} {pictures:>8} {:>9}   {:<22} {}",
            outcomes.genuine,
            fnmr(outcomes),
            fmr(outcomes)
        ))?;
    }
    Ok(())
}

/// In percent, with the interval.
fn fnmr(outcomes: &Outcomes) -> String {
    let Interval { lower, upper } = outcomes.fnmr_interval;
    outcomes.fnmr.map_or("–".into(), |rate| format!("{:.2} % ({:.2}…{:.2})", rate * 100.0, lower * 100.0, upper * 100.0))
}

/// As a power of ten, with the interval.
fn fmr(outcomes: &Outcomes) -> String {
    let Interval { lower, upper } = outcomes.fmr_interval;
    outcomes.fmr.map_or("–".into(), |rate| format!("{rate:.1e} ({lower:.1e}…{upper:.1e})"))
}
