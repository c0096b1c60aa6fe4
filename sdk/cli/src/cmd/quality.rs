use std::path::Path;

use veriface::{Purpose, Reason, Result};

use crate::inputs::{self, Inputs};
use crate::setup::{FaceRule, Setup};
use crate::{Outcome, print_line};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// Judge by the policy for enrolment instead of verification
    #[arg(long)]
    enrol: bool,
    /// Which face is meant where there are several
    #[arg(long, value_enum, default_value_t = FaceRule::Largest)]
    face: FaceRule,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let verifier = setup.lenient_verifier(args.face)?;
    let policies = verifier.pack().manifest().quality.clone();
    let policy = if args.enrol { policies.enrol } else { policies.verify };
    let judge = |path: &Path| {
        let extraction = verifier.extract(&inputs::open(path)?, Purpose::Verify)?;
        Ok((policy.check(&extraction.quality), extraction.quality))
    };
    inputs::for_each(setup, &args.inputs.expand()?, judge, |path, (reasons, quality)| {
        if setup.json {
            return print_line(
                serde_json::json!({ "file": path, "fit": reasons.is_empty(), "reasons": reasons, "quality": quality }),
            );
        }
        let verdict =
            if reasons.is_empty() { "fit".into() } else { reasons.iter().map(Reason::sentence).collect::<Vec<_>>().join(" ") };
        print_line(format_args!("{}: {verdict}\n  {quality}", path.display()))
    })
}
