//! An evaluation as one HTML page that needs nothing beside it: charts are inline SVG, pictures are inline JPEG.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use veriface::Chip;
use veriface::evaluation::{AtRate, GroupRow, GroupTable, Interval};

use super::identification::{Identification, Verification};
use super::report::{Evaluation, SetResult};
use super::worst::ScoredPair;
use crate::error::Result;
use crate::plot::{rates, scores};

/// The two chips of a pair of a set, by set and pair number from 1; none where there is nothing to show.
pub type PairChips<'a> = &'a dyn Fn(usize, usize) -> Option<[Chip; 2]>;

/// The pages' looks.
pub(crate) const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;color:#1d1d1f;background:#f5f5f7;margin:0}\
main{max-width:1180px;margin:0 auto;padding:24px 20px 60px}\
h1{font-size:26px;margin:8px 0 2px}h2{font-size:20px;margin:36px 0 8px}h3{font-size:16px;margin:20px 0 6px}\
section{background:#fff;border:1px solid #e3e3e6;border-radius:10px;padding:6px 22px 20px;margin:18px 0}\
table{border-collapse:collapse;margin:8px 0;font-variant-numeric:tabular-nums}\
td,th{padding:4px 18px 4px 0;text-align:left;border-bottom:1px solid #ececef;vertical-align:top}\
th{font-weight:600;color:#555}td.n,th.n{text-align:right}\
.big{font-size:30px;font-weight:600;margin:6px 0 0}.note{color:#666;font-size:13px;max-width:820px}\
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(460px,1fr));gap:10px}\
svg{max-width:100%;height:auto}\
.pairs{display:flex;flex-wrap:wrap;gap:12px}\
.pair{border:1px solid #e3e3e6;border-radius:8px;padding:8px;font-size:13px;text-align:center}\
.pair img{width:100px;height:100px;display:inline-block;border-radius:4px}.wrong{border-color:#d55e00;background:#fff6f0}\
code{font-size:13px;word-break:break-all}";

/// The page. Without `pictures` the worst pairs are numbers only.
pub fn html(evaluation: &Evaluation, pictures: Option<PairChips<'_>>) -> Result<String> {
    let mut page = String::new();
    let title = format!("Evaluation of {}", escape(&evaluation.model.file));
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body><main><h1>{title}</h1>\n"
    );
    model_table(&mut page, evaluation);
    summary(&mut page, evaluation);
    for (index, set) in evaluation.sets.iter().enumerate() {
        section(&mut page, index, set, pictures)?;
    }
    if let Some(identification) = &evaluation.identification {
        identification_section(&mut page, identification);
    }
    let _ = writeln!(page, "<p class=\"note\">Made by {}.</p></main></body></html>", escape(evaluation.created_by));
    Ok(page)
}

fn model_table(page: &mut String, evaluation: &Evaluation) {
    let model = &evaluation.model;
    let mirror = if model.mirror {
        "yes: an embedding is the sum of the chip's and its mirror image's outputs, made unit length"
    } else {
        "no: an embedding is the chip's output, made unit length"
    };
    let rows =
        [("kind", model.kind), ("model", model.about.as_str()), ("mirror averaging", mirror), ("SHA-256", model.sha256.as_str())];
    page.push_str("<table>");
    for (key, value) in rows {
        let _ = write!(page, "<tr><th>{key}</th><td>{}</td></tr>", escape(value));
    }
    page.push_str("</table>\n");
}

fn summary(page: &mut String, evaluation: &Evaluation) {
    if evaluation.sets.len() < 2 {
        return;
    }
    page.push_str("<table><tr><th>list</th><th class=\"n\">pairs</th><th class=\"n\">accuracy</th><th class=\"n\">equal error rate</th></tr>");
    for set in &evaluation.sets {
        let report = &set.report;
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{} ± {:.2}</td><td class=\"n\">{}</td></tr>",
            escape(&set.name),
            report.pairs,
            percent(report.accuracy),
            100.0 * report.accuracy_std,
            percent(report.eer)
        );
    }
    page.push_str("</table>\n");
}

fn section(page: &mut String, index: usize, set: &SetResult, pictures: Option<PairChips<'_>>) -> Result<()> {
    let report = &set.report;
    let _ = writeln!(
        page,
        "<section><h2>{}</h2><p class=\"big\">{} <span class=\"note\">± {:.2} over {} folds, each at the threshold that the others choose\
         </span></p><p class=\"note\">{} pairs of {} {}; {} pairs have a score, {} pictures gave no embedding{}: failure to enrol {}. Standard error of the \
         mean {:.2}. The threshold that is best for all pairs is {:.4}: a description, not a setting.</p>",
        escape(&set.name),
        percent(report.accuracy),
        100.0 * report.accuracy_std,
        report.folds.len(),
        report.pairs,
        report.pictures,
        set.pictures,
        report.used,
        report.failure_to_enrol,
        failures(set),
        rate(Some(report.failure_to_enrol_rate), report.failure_to_enrol_interval),
        100.0 * report.accuracy_standard_error,
        report.best_threshold
    );
    page.push_str(
        "<table><tr><th>false-match rate</th><th class=\"n\">true-acceptance rate</th><th class=\"n\">false non-match rate</th>\
         <th>95 % interval, pairs</th>",
    );
    let unit = report.bootstrap_unit.unwrap_or("not drawn");
    let _ = write!(page, "<th>bootstrap by {unit}</th><th class=\"n\">threshold</th><th class=\"n\">false matches</th></tr>");
    for at in &report.tar {
        match at {
            AtRate::Measured(at) => {
                let drawn = at.fnmr_bootstrap.map_or("–".into(), |drawn| interval(drawn.lower, drawn.upper));
                let _ = write!(
                    page,
                    "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td>{drawn}</td><td class=\"n\">{:.4}</td><td class=\"n\">{} of {}</td></tr>",
                    at.far,
                    percent(at.tar),
                    percent(at.fnmr),
                    interval(at.fnmr_interval.lower, at.fnmr_interval.upper),
                    at.threshold,
                    at.false_matches,
                    report.impostor_pairs
                );
            }
            AtRate::Refused { far, refused, .. } => {
                let _ =
                    write!(page, "<tr><td>{far}</td><td colspan=\"6\" class=\"note\">not stated: {}</td></tr>", escape(refused));
            }
        }
    }
    let named = [(set.name.as_str(), &set.scores)];
    let charts = [rates::roc(&named).svg()?, rates::det(&named).svg()?, scores::chart(&set.histogram).svg()?];
    page.push_str("</table>\n");
    if let GroupTable::Measured(rows) = &report.groups {
        group_table(page, rows);
    }
    let _ = writeln!(page, "<div class=\"charts\"><div>{}</div></div>", charts.join("</div><div>"));
    let show = |pair: usize| pictures.and_then(|pictures| pictures(index, pair));
    worst_pairs(page, "Two people, the highest scores", "a false match", &set.worst.impostor, &show)?;
    worst_pairs(page, "One person, the lowest scores", "a false non-match", &set.worst.genuine, &show)?;
    page.push_str("</section>\n");
    Ok(())
}

fn group_table(page: &mut String, rows: &[GroupRow]) {
    let kept = rows.first().and_then(|row| row.far).map_or("the best threshold".into(), |far| format!("the threshold for {far}"));
    let _ = write!(
        page,
        "<h3>Groups</h3><p class=\"note\">At {kept} of all pairs, {:.4}. Intervals by Wilson. A rate is left out where a group has too \
         few impostor pairs to show it.</p><table><tr><th>group</th><th class=\"n\">genuine pairs</th><th>false non-match rate</th>\
         <th class=\"n\">impostor pairs</th><th>false-match rate</th></tr>",
        rows.first().map_or(0.0, |row| row.threshold)
    );
    for row in rows {
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&row.group),
            row.genuine_pairs,
            rate(row.fnmr, row.fnmr_interval),
            row.impostor_pairs,
            rate(row.fmr, row.fmr_interval)
        );
    }
    page.push_str("</table>\n");
}

fn failures(set: &SetResult) -> String {
    if set.failures.is_empty() {
        return String::new();
    }
    let reasons: Vec<String> = set.failures.iter().map(|(error, count)| format!("{count} × {}", escape(error))).collect();
    format!(" ({})", reasons.join(", "))
}

fn worst_pairs(
    page: &mut String,
    heading: &str,
    error: &str,
    pairs: &[ScoredPair],
    show: &dyn Fn(usize) -> Option<[Chip; 2]>,
) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let _ = write!(page, "<h3>{heading}</h3><p class=\"note\">Framed: {error} at the best threshold.</p><div class=\"pairs\">");
    for pair in pairs {
        let class = if pair.wrong { "pair wrong" } else { "pair" };
        let _ = write!(page, "<div class=\"{class}\">");
        for chip in show(pair.pair).iter().flatten() {
            let _ = write!(page, "<img alt=\"\" src=\"{}\"> ", data_uri(chip)?);
        }
        let _ = write!(page, "<div>pair {}: {:.3}</div></div>", pair.pair, pair.score);
    }
    page.push_str("</div>\n");
    Ok(())
}

fn identification_section(page: &mut String, found: &Identification) {
    let _ = write!(
        page,
        "<section><h2>Identification among distractors</h2><p class=\"note\">{} probes of {} people, {} searches: each picture of a person \
         alone enrolled among the distractors, each other one the probe. Intervals take searches for independent.</p>\
         <table><tr><th class=\"n\">distractors</th><th class=\"n\">rank 1</th><th>95 % interval</th><th class=\"n\">rank 10</th></tr>",
        found.probes, found.people, found.searches
    );
    for rank in &found.ranks {
        let _ = write!(
            page,
            "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            rank.distractors,
            percent(rank.rank_1),
            interval(rank.rank_1_interval.lower, rank.rank_1_interval.upper),
            percent(rank.rank_10)
        );
    }
    let verification = match &found.verification {
        Verification::Measured { far, tar, tar_interval, threshold, genuine_pairs, impostor_pairs } => format!(
            "True-acceptance rate {} ({}) at a false-acceptance rate of {far}, threshold {threshold:.4}: {genuine_pairs} genuine and \
             {impostor_pairs} impostor pairs.",
            percent(*tar),
            interval(tar_interval.lower, tar_interval.upper)
        ),
        Verification::Refused { far, refused } => format!("No true-acceptance rate at {far}: {}.", escape(refused)),
    };
    let _ = writeln!(page, "</table><p>{verification}</p></section>");
}

fn data_uri(chip: &Chip) -> Result<String> {
    let mut jpeg = Vec::new();
    let side = Chip::SIZE as u32;
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 80);
    encoder
        .encode(chip.rgb(), side, side, image::ExtendedColorType::Rgb8)
        .map_err(|e| crate::error::Error::Plot(format!("a chip does not encode: {e}")))?;
    Ok(format!("data:image/jpeg;base64,{}", BASE64.encode(jpeg)))
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// A rate with its interval, or the interval alone where the rate is not stated.
pub(crate) fn rate(share: Option<f64>, Interval { lower, upper }: Interval) -> String {
    format!("{} ({})", share.map_or("not stated".into(), percent), interval(lower, upper))
}

pub(crate) fn interval(lower: f64, upper: f64) -> String {
    format!("{:.2} … {:.2} %", 100.0 * lower, 100.0 * upper)
}

/// Text for HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
