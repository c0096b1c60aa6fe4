//! The paper's rows beside ours.

use std::fmt::Write as _;

use super::sweep::{Ours, Sweep};
use super::tables::Row;

/// A table as text: for each of the paper's columns the paper's figure and ours, then the lists that the paper does not have.
pub fn print(sweep: &Sweep, results: &[(&Row, Ours)]) -> String {
    let table = &sweep.table;
    let scale = &sweep.scale;
    let mut text = String::new();
    let _ = writeln!(text, "{}", table.title);
    let _ = writeln!(text, "  paper: {}; accuracy in %, NV = not verified by us and so not printed", table.setting);
    let _ = writeln!(
        text,
        "  ours:  {} iterations, batch {}, width {}, {}{}; ten-fold accuracy ± deviation in %, no mirror averaging",
        scale.iterations,
        (512.0 * scale.batch).round().max(2.0),
        scale.width,
        sweep.data.display(),
        sweep.network.as_ref().map(|network| format!(", {network} in the place of the row's network")).unwrap_or_default()
    );
    let others: Vec<&str> =
        sweep.lists.iter().map(|(name, _)| name.as_str()).filter(|name| !table.columns.contains(name)).collect();
    let mut lines = vec![vec![String::new()]];
    for column in table.columns {
        lines[0].extend([format!("{column}, paper"), format!("{column}, ours")]);
    }
    lines[0].extend(others.iter().map(|name| format!("{name}, ours")));
    let mut remarks = Vec::new();
    for (row, ours) in results {
        let figure = |list: &str| match ours {
            Ours::Measured(accuracies) => accuracies
                .iter()
                .find(|accuracy| accuracy.list == list)
                .map_or("–".into(), |of| format!("{:.2} ± {:.2}", 100.0 * of.mean, 100.0 * of.deviation)),
            Ours::NotRun(_) => "not run".into(),
        };
        let mut line = vec![row.name.clone()];
        for (column, paper) in table.columns.iter().zip(&row.paper) {
            line.extend([paper.map_or("NV".into(), |percent| format!("{percent:.3}")), figure(column)]);
        }
        line.extend(others.iter().map(|name| figure(name)));
        lines.push(line);
        if let Ours::NotRun(reason) = ours {
            remarks.push((row.name.as_str(), reason.as_str()));
        }
    }
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    for line in &lines {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  ").trim_end());
    }
    // One reason for many rows is said once.
    while let Some(&(_, reason)) = remarks.first() {
        let rows: Vec<&str> = remarks.iter().filter(|remark| remark.1 == reason).map(|remark| remark.0).collect();
        let _ = writeln!(text, "  not run, {reason}: {}", rows.join(", "));
        remarks.retain(|remark| remark.1 != reason);
    }
    for note in table.notes {
        let _ = writeln!(text, "  {note}");
    }
    text
}
