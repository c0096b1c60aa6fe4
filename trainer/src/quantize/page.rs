//! A quantisation's figures as one HTML page that needs nothing beside it.

use std::fmt::Write as _;

use veriface::evaluation::{AtRate, ScoreSet};

use super::report::{Compared, Report};
use crate::error::Result;
use crate::eval::page::{STYLE, escape, interval, percent};
use crate::plot::{Axis, Chart, Curve, rates};

/// The page.
pub fn html(report: &Report) -> Result<String> {
    let mut page = String::new();
    let title = format!("Quantisation of {}", escape(&report.file));
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>{STYLE}</style></head>\n\
         <body><main><h1>{title}</h1>\n"
    );
    about(&mut page, report);
    embeddings(&mut page, report)?;
    for set in &report.sets {
        compared(&mut page, set)?;
    }
    layers(&mut page, report)?;
    let _ = writeln!(page, "<p class=\"note\">Made by {}.</p></main></body></html>", escape(report.created_by));
    Ok(page)
}

fn about(page: &mut String, report: &Report) {
    let settings = &report.settings;
    let corrected = match settings.correction_chips {
        0 => "no".into(),
        chips => format!("on {chips} chips"),
    };
    let rows = [
        ("network", report.steps.map_or(report.network.clone(), |steps| format!("{}, {steps} steps", report.network))),
        ("bytes", format!("{} in float, {} as written", report.bytes[0], report.bytes[1])),
        ("calibration", format!("{} chips of {}", report.calibration.chips, report.calibration.set)),
        ("ranges", format!("{:?}", settings.method).to_lowercase()),
        ("equalised", format!("{} pairs of convolutions", report.equalised)),
        ("bias correction", corrected),
        ("layers in float", report.layers.iter().filter(|row| !row.layer.int8).count().to_string()),
    ];
    page.push_str("<table>");
    for (key, value) in rows {
        let _ = write!(page, "<tr><th>{key}</th><td>{}</td></tr>", escape(&value));
    }
    page.push_str("</table>\n");
}

fn embeddings(page: &mut String, report: &Report) -> Result<()> {
    let drift = &report.embedding;
    let count = drift.cosines.len().max(1) as f64;
    let points: Vec<(f64, f64)> =
        drift.cosines.iter().enumerate().map(|(rank, cosine)| (*cosine, (rank + 1) as f64 / count)).collect();
    let chart = Chart {
        title: "Cosine to the float embedding".into(),
        x: Axis::linear("cosine", drift.worst..1.0),
        y: Axis::logarithmic("share of chips at or below", 1.0 / count..1.0),
        curves: vec![Curve::line("chips", points)],
    };
    let _ = writeln!(
        page,
        "<section><h2>Embeddings</h2><p class=\"big\">{:.5} <span class=\"note\">mean cosine to the float network's embedding, {} chips \
         that chose nothing; one in a hundred lies below {:.5}, the worst at {:.5}</span></p><div class=\"charts\"><div>{}</div></div></section>",
        drift.mean,
        drift.chips,
        drift.one_in_100,
        drift.worst,
        chart.svg()?
    );
    Ok(())
}

fn compared(page: &mut String, set: &Compared) -> Result<()> {
    let [before, after] = [&set.before, &set.after];
    let _ = write!(
        page,
        "<section><h2>{}</h2><p class=\"big\">{:+.3} <span class=\"note\">points of accuracy</span></p>\
         <table><tr><th></th><th class=\"n\">float</th><th class=\"n\">int8</th></tr>",
        escape(&before.name),
        -set.points_lost()
    );
    let mut row = |name: &str, float: String, int8: String| {
        let _ = write!(page, "<tr><th>{name}</th><td class=\"n\">{float}</td><td class=\"n\">{int8}</td></tr>");
    };
    let both = |of: &dyn Fn(&crate::eval::report::SetResult) -> String| (of(before), of(after));
    let (float, int8) = both(&|set| format!("{} ± {:.2}", percent(set.report.accuracy), 100.0 * set.report.accuracy_std));
    row("accuracy", float, int8);
    let (float, int8) = both(&|set| percent(set.report.eer));
    row("equal error rate", float, int8);
    let (float, int8) = both(&|set| format!("{:.4}", set.report.best_threshold));
    row("best threshold", float, int8);
    for (float, int8) in before.report.tar.iter().zip(&after.report.tar) {
        let (AtRate::Measured(float), AtRate::Measured(int8)) = (float, int8) else { continue };
        let tar = |at: &veriface::evaluation::TrueAcceptance| {
            format!("{} ({})", percent(at.tar), interval(at.tar_interval.lower, at.tar_interval.upper))
        };
        row(&format!("TAR at FAR {}", float.far), tar(float), tar(int8));
    }
    let sets: [(&str, &ScoreSet); 2] = [("float", &before.scores), ("int8", &after.scores)];
    let charts = [rates::roc(&sets).svg()?, rates::det(&sets).svg()?];
    let _ = writeln!(page, "</table><div class=\"charts\"><div>{}</div></div></section>", charts.join("</div><div>"));
    Ok(())
}

fn layers(page: &mut String, report: &Report) -> Result<()> {
    let cosines: Vec<(f64, f64)> =
        report.layers.iter().enumerate().filter_map(|(number, row)| Some((number as f64, row.cosine?))).collect();
    let lowest = cosines.iter().map(|(_, cosine)| *cosine).fold(1.0, f64::min);
    let chart = Chart {
        title: "Cosine of each layer's values to the float network's".into(),
        x: Axis::linear("layer", 0.0..report.layers.len() as f64),
        y: Axis::linear("mean cosine", lowest - 0.002..1.0),
        curves: vec![Curve::line("layers", cosines)],
    };
    let _ = write!(
        page,
        "<section><h2>Layers</h2><div class=\"charts\"><div>{}</div></div><p class=\"note\">Cost: what the embeddings' mean cosine loses when \
         this layer alone is in int8; measured where a layer had to be chosen.</p><table><tr><th>layer</th><th>kind</th><th>in</th>\
         <th class=\"n\">input's step</th><th class=\"n\">its zero</th><th>range covered</th><th>range seen</th><th class=\"n\">cosine</th>\
         <th class=\"n\">cost</th></tr>",
        chart.svg()?
    );
    for row in &report.layers {
        let layer = &row.layer;
        let [step, zero, covered] = match layer.input {
            None => ["–", "–", "–"].map(String::from),
            Some(step) => {
                let at = |q: f32| step.scale * (q - f32::from(step.zero));
                [format!("{:.5}", step.scale), step.zero.to_string(), format!("{:.3} … {:.3}", at(0.0), at(255.0))]
            }
        };
        let or_dash = |value: Option<f64>, digits| value.map_or("–".into(), |value| format!("{value:.digits$}"));
        let seen = layer.seen.map_or("–".into(), |(low, high)| format!("{low:.3} … {high:.3}"));
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{step}</td><td class=\"n\">{zero}</td><td>{covered}</td><td>{seen}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&layer.name),
            layer.kind,
            if layer.int8 { "int8" } else { "float" },
            or_dash(row.cosine, 5),
            or_dash(layer.cost, 6)
        );
    }
    page.push_str("</table></section>\n");
    Ok(())
}
