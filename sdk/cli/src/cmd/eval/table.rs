//! A report for people.

use std::collections::BTreeMap;

use veriface::Result;
use veriface::evaluation::{AtRate, GroupRow, GroupTable, Interval, Report};

use crate::print_line;

pub fn print(report: &Report, failures: &BTreeMap<String, usize>) -> Result<()> {
    print_line(format_args!(
        "accuracy  {} ± {:.3} over {} folds (threshold chosen on the others)",
        percent(report.accuracy),
        report.accuracy_std * 100.0,
        report.folds.len()
    ))?;
    print_line(format_args!(
        "pairs     {} of {} used; {} of {} pictures failed to enrol ({})",
        report.used,
        report.pairs,
        report.failure_to_enrol,
        report.pictures,
        with_interval(report.failure_to_enrol_rate, report.failure_to_enrol_interval)
    ))?;
    for (error, count) in failures {
        print_line(format_args!("            {count} × {error}"))?;
    }
    if report.used < report.pairs {
        print_line(format_args!("          {} when a failed pair counts as wrong", percent(report.accuracy_failures_wrong)))?;
    }
    print_line(format_args!("best threshold {:.3}, equal error rate {}", report.best_threshold, percent(report.eer)))?;
    let unit = report.bootstrap_unit.map_or(String::new(), |unit| format!("; drawn by {unit}"));
    print_line(format_args!("FNMR with its 95 % interval (Wilson{unit}), and the threshold:"))?;
    for at in &report.tar {
        match at {
            AtRate::Measured(at) => {
                let drawn = at.fnmr_bootstrap.map_or(String::new(), |interval| format!("; {}", range(interval)));
                print_line(format_args!(
                    "  at FMR {:<12} {} ({}{drawn})  {:.3}, TAR {}",
                    at.far.to_string(),
                    percent(at.fnmr),
                    range(at.fnmr_interval),
                    at.threshold,
                    percent(at.tar)
                ))?;
            }
            AtRate::Refused { far, refused, .. } => {
                print_line(format_args!("  at FMR {:<12} not stated: {refused}", far.to_string()))?;
            }
        }
    }
    match &report.groups {
        GroupTable::Measured(rows) => groups(rows),
        GroupTable::NotMeasured => Ok(()),
    }
}

fn groups(rows: &[GroupRow]) -> Result<()> {
    if let Some(row) = rows.first() {
        let kept = row.far.map_or("the best threshold of all pairs".into(), |far| format!("all pairs' threshold for {far}"));
        print_line(format_args!("\ngroups at {:.3}, {kept}; 95 % intervals by Wilson", row.threshold))?;
    }
    print_line(format_args!("{:<20} {:>9} {:>9}   {:<26} FMR", "", "genuine", "impostor", "FNMR"))?;
    for row in rows {
        let fnmr = row.fnmr.map_or("–".into(), |rate| with_interval(rate, row.fnmr_interval));
        let fmr = match row.fmr {
            Some(rate) => with_interval(rate, row.fmr_interval),
            None => format!("not stated: too few impostor pairs ({} match, {})", row.false_matches, range(row.fmr_interval)),
        };
        print_line(format_args!("{:<20} {:>9} {:>9}   {fnmr:<26} {fmr}", row.group, row.genuine_pairs, row.impostor_pairs))?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.3} %", share * 100.0)
}

fn range(Interval { lower, upper }: Interval) -> String {
    format!("{:.3}…{:.3}", lower * 100.0, upper * 100.0)
}

fn with_interval(share: f64, interval: Interval) -> String {
    format!("{} ({})", percent(share), range(interval))
}
