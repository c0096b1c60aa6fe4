//! The rows of the paper's tables, and those of their figures that were verified.
//!
//! Only figures that we could verify are here; `None` is one that we could not, printed as NV. What the tables hold beyond these
//! rows and columns is not verified either.

/// A table of the paper.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What it compares.
    pub title: &'static str,
    /// How the paper trained.
    pub setting: &'static str,
    /// The test sets of the paper's columns.
    pub columns: &'static [&'static str],
    /// One training run a row.
    pub rows: Vec<Row>,
    /// What else is verified.
    pub notes: &'static [&'static str],
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The paper's name of it.
    pub name: String,
    /// The trainer's network.
    pub network: &'static str,
    /// What else sets it apart, as `key=value` of a configuration.
    pub keys: Vec<String>,
    /// The paper's accuracy in percent, a column each.
    pub paper: Vec<Option<f64>>,
}

const SOFTMAX_ON_VGG2: &str = "softmax on VGG2, batch 512, 200 k iterations";

fn softmax(name: &str, network: &'static str, lfw: impl Into<Option<f64>>) -> Row {
    Row { name: name.into(), network, keys: vec!["loss=softmax".into()], paper: vec![lfw.into()] }
}

impl Table {
    /// The table of this number; none for one that is not run again.
    pub fn numbered(number: u8) -> Option<Table> {
        match number {
            2 => Some(Self::input()),
            3 => Some(Self::output()),
            4 => Some(Self::unit()),
            6 => Some(Self::margin()),
            7 => Some(Self::losses()),
            _ => None,
        }
    }

    fn input() -> Table {
        Table {
            title: "table 2: the input, without and with L (§3.1)",
            setting: SOFTMAX_ON_VGG2,
            columns: &["LFW"],
            rows: vec![
                softmax("SE-ResNet50C", "se-resnet50-c", 99.317),
                softmax("SE-LResNet50C", "se-lresnet50-c", 99.567),
                softmax("SE-ResNet50D", "se-resnet50-d", 99.383),
                softmax("SE-LResNet50D", "se-lresnet50-d", 99.600),
                softmax("SE-ResNet50E", "se-resnet50-e", 99.267),
                softmax("SE-LResNet50E", "se-lresnet50-e", 99.650),
                softmax("MobileNetD", "mobilenet-d", 99.150),
                softmax("LMobileNetD", "lmobilenet-d", 99.383),
            ],
            notes: &[],
        }
    }

    fn output() -> Table {
        Table {
            title: "table 3: the output option (§3.2)",
            setting: SOFTMAX_ON_VGG2,
            columns: &["LFW"],
            rows: vec![
                softmax("SE-LResNet50A", "se-lresnet50-a", None),
                softmax("SE-LResNet50B", "se-lresnet50-b", None),
                softmax("SE-LResNet50C", "se-lresnet50-c", 99.567),
                softmax("SE-LResNet50D", "se-lresnet50-d", 99.600),
                softmax("SE-LResNet50E", "se-lresnet50-e", 99.650),
                softmax("LMobileNetA", "lmobilenet-a", None),
                softmax("LMobileNetB", "lmobilenet-b", None),
                softmax("LMobileNetC", "lmobilenet-c", None),
                softmax("LMobileNetD", "lmobilenet-d", 99.383),
                softmax("LMobileNetE", "lmobilenet-e", 99.633),
                softmax("LMobileNetF", "lmobilenet-f", 99.617),
            ],
            notes: &["Option F is the authors' code's, not the paper's."],
        }
    }

    fn unit() -> Table {
        Table {
            title: "table 4: the residual unit, original and improved (§3.3)",
            setting: SOFTMAX_ON_VGG2,
            columns: &["LFW"],
            rows: vec![
                softmax("SE-LResNet50D", "se-lresnet50-d", 99.600),
                softmax("SE-LResNet50D-IR", "se-lresnet50-d-ir", 99.617),
                softmax("SE-LResNet50E", "se-lresnet50-e", 99.650),
                softmax("SE-LResNet50E-IR", "se-lresnet50-e-ir", 99.767),
            ],
            notes: &[],
        }
    }

    fn margin() -> Table {
        let row = |tenths: u8| {
            let name = format!("m = 0.{tenths}");
            let keys = vec!["loss=arcface".into(), format!("margin=0.{tenths}")];
            Row { name, network: "lmobilenet-e", keys, paper: vec![None; 3] }
        };
        Table {
            title: "table 6: ArcFace's margin, LMobileNetE (§4)",
            setting: "ArcFace, s = 64",
            columns: &["LFW", "CFP-FP", "AgeDB-30"],
            rows: (2..=8).map(row).collect(),
            notes: &[
                "Verified: accuracy rises from m = 0.2, is best at 0.5, and falls after it.",
                "Verified beside the table: LMobileNetE with ArcFace on MS1M has 99.50 % on LFW; a public reproduction 99.433 ± 0.281.",
            ],
        }
    }

    fn losses() -> Table {
        let row = |name: &str, keys: &[&str]| {
            let keys = keys.iter().map(|key| key.to_string()).collect();
            Row { name: name.into(), network: "lmobilenet-e", keys, paper: vec![None; 3] }
        };
        Table {
            title: "table 7: the losses of §1, here on LMobileNetE",
            setting: "rows and network of the paper's table are not verified either: these are the losses that its §1 compares",
            columns: &["LFW", "CFP-FP", "AgeDB-30"],
            rows: vec![
                row("softmax", &["loss=softmax"]),
                row("softmax, W normalised", &["loss=normalised-softmax"]),
                row("SphereFace, m = 4", &["loss=sphereface", "margin=4"]),
                row("SphereFace-FNorm, m = 4", &["loss=sphereface-fnorm", "margin=4"]),
                row("CosFace, m = 0.35", &["loss=cosface", "margin=0.35"]),
                row("ArcFace, m = 0.5", &["loss=arcface", "margin=0.5"]),
            ],
            notes: &["Verified beside the table: LMobileNetE with ArcFace on MS1M has 99.50 % on LFW."],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_figure_or_nv_for_every_column() {
        let tables: Vec<Table> = (0..=9).filter_map(Table::numbered).collect();
        assert_eq!(tables.len(), 5);
        for table in tables {
            for row in &table.rows {
                assert_eq!(row.paper.len(), table.columns.len(), "{}: {}", table.title, row.name);
            }
            let mut names: Vec<&str> = table.rows.iter().map(|row| row.name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.rows.len(), "{}", table.title);
        }
    }
}
