use std::path::{Path, PathBuf};

use veriface::{Gallery, Purpose, Result};

use crate::inputs::{self, Inputs};
use crate::setup::{DecisionRules, Setup};
use crate::{Outcome, print_line};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// The gallery, made by `veriface enrol --gallery`
    #[arg(long, value_name = "FILE.vfgallery")]
    gallery: PathBuf,
    /// How many candidates to list
    #[arg(long, short = 'k', default_value_t = 5)]
    candidates: usize,
    #[command(flatten)]
    rules: DecisionRules,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let verifier = args.rules.verifier(setup)?;
    let gallery = Gallery::open(&args.gallery)?;
    let mut nobody = true;
    let identify = |path: &Path| {
        let embedding = verifier.extract(&inputs::open(path)?, Purpose::Verify)?.embedding;
        let matches = gallery.search(&embedding, args.candidates)?;
        Ok(matches.into_iter().map(|found| (found.name.to_string(), found.score)).collect::<Vec<_>>())
    };
    let outcome = inputs::for_each(setup, &args.inputs.expand()?, identify, |path, matches| {
        let candidates = matches.iter().map(|(name, score)| Ok((name, verifier.decide(*score)?))).collect::<Result<Vec<_>>>()?;
        nobody &= candidates.iter().all(|(_, decision)| !decision.same);
        if setup.json {
            let candidates: Vec<_> = candidates
                .iter()
                .map(|(name, d)| serde_json::json!({ "name": name, "score": d.score, "same": d.same }))
                .collect();
            return print_line(serde_json::json!({ "file": path, "candidates": candidates }));
        }
        print_line(path.display())?;
        for (name, decision) in candidates {
            print_line(format_args!("  {} {name}  {}", if decision.same { "✓" } else { "·" }, decision.score))?;
        }
        Ok(())
    })?;
    Ok(match outcome {
        Outcome::Done if nobody => Outcome::Different,
        other => other,
    })
}
