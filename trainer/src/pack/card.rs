//! The model card: what a pack's networks are, what they are worth, and what nobody measured. Markdown.

use std::fmt::Write as _;

use veriface::{Calibration, Manifest};

use crate::export::about::About;

/// What the card says beside the manifest.
pub(super) struct Facts<'f> {
    pub about: &'f About,
    pub manifest: &'f Manifest,
    /// Names and SHA-256 of the networks' files.
    pub hashes: &'f [(String, String)],
    /// Rates whose thresholds are not published, and why.
    pub refused: &'f [(String, String)],
}

pub(super) fn markdown(facts: &Facts<'_>) -> String {
    let Facts { about, manifest, hashes, refused } = facts;
    let mut card = format!("# {}\n\nMade by {}.\n\n## Use\n\n", manifest.id, manifest.created_by);
    card += "One-to-one face verification on a device: whether two pictures show one person, at a stated false-match rate. It does not \
             tell a living face from a picture of one, does not estimate age, sex, origin or mood, and is not for finding people in a \
             crowd.\n\n## Recogniser\n\n";
    let _ = writeln!(card, "- network: {}, {}", about.network, about.precision);
    match &about.training {
        None => card += "- trained elsewhere\n",
        Some(training) => {
            let _ = writeln!(
                card,
                "- {} parameters, trained for {} steps on {} chips; configuration SHA-256 {}\n- fingerprint of the training set: {}",
                training.parameters, training.step, training.images, training.config_sha256, training.data
            );
        }
    }
    let provenance = &manifest.provenance;
    for (what, values) in [("data", &provenance.data), ("teachers", &provenance.teachers)] {
        if !values.is_empty() {
            let _ = writeln!(card, "- {what}: {}", values.join("; "));
        }
    }
    let mirror = if manifest.recogniser.mirror { "the chip and its mirror image" } else { "the chip alone" };
    let _ = writeln!(card, "- an embedding has {} numbers, of {mirror}", manifest.recogniser.embedding_size);
    card += "\n## Files\n\n";
    for (name, hash) in *hashes {
        let _ = writeln!(card, "- {name}: SHA-256 {hash}");
    }
    card += "\n## Thresholds\n\n";
    match &manifest.calibration {
        None => card += "None: nobody measured what its scores mean. It decides only at a score that the caller states.\n",
        Some(calibration) => thresholds(&mut card, calibration),
    }
    for (rate, reason) in *refused {
        let _ = writeln!(card, "- {rate}: not published, {reason}");
    }
    card += "\nRates by group of people were not measured. They hold for people and pictures like those of the set above.\n\n## Terms\n\n";
    if manifest.licences.is_empty() {
        card += "Not stated.\n";
    }
    for licence in &manifest.licences {
        let _ = writeln!(card, "- {licence}");
    }
    card
}

fn thresholds(card: &mut String, calibration: &Calibration) {
    let _ = writeln!(
        card,
        "On {}. Chosen on one half of the people, counted on the other; the bounds take comparisons for independent.\n\n\
         | false-match rate | threshold | measured, 95 % bounds | impostor pairs | false non-match rate | genuine pairs |\n\
         |---|---|---|---|---|---|",
        calibration.data_set()
    );
    for point in calibration.points() {
        let _ = writeln!(
            card,
            "| {} | {:.4} | {:.1e} … {:.1e} | {} | {:.2} % | {} |",
            point.fmr,
            point.threshold.get(),
            point.lower,
            point.upper,
            point.impostor_pairs,
            100.0 * point.fnmr,
            point.genuine_pairs
        );
    }
    let tail = calibration.impostor_tail();
    let _ = writeln!(card, "\nThe most alike two people of the {} pairs score {:.4}.", tail.pairs, tail.max.get());
}
