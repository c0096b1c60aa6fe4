use std::path::{Path, PathBuf};

use veriface::{Error, ErrorCode, Result, Template, Which};

use crate::setup::{DecisionRules, Setup};
use crate::{Outcome, inputs, print_line};

#[derive(clap::Args)]
pub struct Args {
    /// The enrolled side: a picture, or a template made by `veriface enrol`; `-` is standard input
    reference: PathBuf,
    /// The picture presented now; `-` is standard input
    probe: PathBuf,
    #[command(flatten)]
    rules: DecisionRules,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    if [&args.reference, &args.probe].iter().all(|path| *path == Path::new("-")) {
        return Err(Error::new(ErrorCode::InvalidArgument, "standard input is one picture and cannot be both"));
    }
    let verifier = args.rules.verifier(setup)?;
    let probe = inputs::open(&args.probe).map_err(|e| e.of(Which::Probe).in_file(&args.probe))?;
    let outcome = if args.reference.extension().is_some_and(|ending| ending == "vftemplate") {
        let template = Template::open(&args.reference).map_err(|e| e.of(Which::Reference))?;
        verifier.verify_template(&template, &probe)
    } else {
        let reference = inputs::open(&args.reference).map_err(|e| e.of(Which::Reference).in_file(&args.reference))?;
        verifier.verify(&reference, &probe)
    };
    let outcome = outcome.map_err(|e| match e.which() {
        Some(Which::Reference) => e.in_file(&args.reference),
        Some(Which::Probe) => e.in_file(&args.probe),
        _ => e,
    })?;
    let decision = outcome.decision;
    if setup.json {
        print_line(serde_json::json!(decision))?;
    } else {
        print_line(decision)?;
    }
    Ok(if decision.same { Outcome::Done } else { Outcome::Different })
}
