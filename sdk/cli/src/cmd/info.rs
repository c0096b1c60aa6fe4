use veriface::{Digest, Result};

use crate::setup::{FaceRule, Setup};
use crate::{Outcome, print_line};

#[derive(clap::Args)]
pub struct Args {
    /// Load the networks, and say which of their operators run on which kernels
    #[arg(long)]
    plan: bool,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let pack = setup.open_pack()?;
    let manifest = pack.manifest();
    if setup.json {
        let parts: Vec<_> = pack
            .parts()
            .iter()
            .map(|part| {
                let digest = part.digest();
                let hash = if let Digest::Sha256(_) = digest { "sha256" } else { "blake3" };
                let kind = format!("{:?}", part.kind);
                serde_json::json!({ "name": part.name, "kind": kind, "bytes": part.size(), hash: digest.to_string() })
            })
            .collect();
        let plan = if args.plan { Some(setup.lenient_verifier(FaceRule::Largest)?.network_plans()) } else { None };
        print_line(
            serde_json::json!({ "model": pack.model_id().hex(), "manifest": manifest, "parts": parts, "plan": plan, "signed_by": pack.signed_by().map(|key| key.to_string()) }),
        )?;
        return Ok(Outcome::Done);
    }
    print_line(format_args!("{}, made by {}, model {}", manifest.id, manifest.created_by, pack.model_id()))?;
    if let Some(key) = pack.signed_by() {
        let word = if setup.pack_key.is_some() { "signed by" } else { "signed, as it says, by" };
        print_line(format_args!("{word} {key}"))?;
    }
    for part in pack.parts() {
        print_line(format_args!("  {:<22} {:>10} bytes  {:?}", part.name, part.size(), part.kind))?;
    }
    match &manifest.calibration {
        None => print_line("not calibrated: it decides only at a threshold that you state with --threshold")?,
        Some(calibration) => {
            print_line(format_args!("calibrated on {}", calibration.data_set()))?;
            for point in calibration.points() {
                print_line(format_args!(
                    "  FMR {:<16} threshold {}  (95 %: {:.1e} … {:.1e} over {} impostor pairs; FNMR {:.2} %)",
                    point.fmr.to_string(),
                    point.threshold,
                    point.lower,
                    point.upper,
                    point.impostor_pairs,
                    point.fnmr * 100.0
                ))?;
            }
        }
    }
    for licence in &manifest.licences {
        print_line(format_args!("terms: {licence}"))?;
    }
    if args.plan {
        let plans = setup.lenient_verifier(FaceRule::Largest)?.network_plans();
        for (name, lines) in ["detector", "recogniser"].iter().zip(plans) {
            print_line(format_args!("{name}:"))?;
            for line in lines {
                print_line(format_args!("  {line}"))?;
            }
        }
    }
    Ok(Outcome::Done)
}
