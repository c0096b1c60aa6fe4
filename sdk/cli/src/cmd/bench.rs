use std::io::Read;

use veriface::{Error, ErrorCode, Result};
use veriface_bench::{Cases, Report, processor};

use crate::setup::Setup;
use crate::{Outcome, print_line};

#[derive(clap::Args)]
pub struct Args {
    /// The picture to work on, or `-` for standard input; it must show a face
    picture: std::path::PathBuf,
    /// How often each stage is timed
    #[arg(long, default_value_t = 50)]
    runs: usize,
    /// The device's name in the report; by default the processor's
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Time how work grows with batch, gallery and picture
    #[arg(long)]
    growth: bool,
    /// The largest gallery that is tried; a million entries of 512 values take 2.6 GB
    #[arg(long, default_value_t = 100_000, value_name = "ENTRIES", requires = "growth")]
    most_entries: usize,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let device = args.device.clone().or_else(processor).unwrap_or_else(|| "unknown".into());
    let cases = Cases { device: &device, runs: args.runs, growth: args.growth.then_some(args.most_entries) };
    let picture = || {
        let read = match args.picture.as_os_str() == "-" {
            true => {
                let mut bytes = Vec::new();
                std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
            }
            false => std::fs::read(&args.picture),
        };
        read.map_err(|e| Error::new(ErrorCode::CannotRead, e.to_string()).in_file(&args.picture))
    };
    print(setup, &veriface_bench::run(&cases, || setup.open_pack(), picture)?)
}

fn print(setup: &Setup, report: &Report) -> Result<Outcome> {
    if setup.json {
        print_line(report.to_json()?)?;
        return Ok(Outcome::Done);
    }
    let cpu = |ms: Option<f64>| ms.map_or("-".to_string(), |ms| format!("{ms:.3}"));
    print_line(format_args!("{:<22} {:>9} {:>9}", "once, ms", "wall", "CPU"))?;
    for (what, once) in [
        ("open the pack", report.open),
        ("load", report.load),
        ("first picture", report.first),
        ("cold start", report.cold_start),
    ] {
        print_line(format_args!("{what:<22} {:>9.3} {:>9}", once.ms, cpu(once.cpu_ms)))?;
    }
    if let Some(bytes) = report.peak_bytes {
        print_line(format_args!("memory at the first picture's end: {:.1} MiB at most", bytes as f64 / f64::from(1 << 20)))?;
    }
    if let Some(joules) = report.joules {
        print_line(format_args!("energy of a run of all stages: {joules:.3} J"))?;
    }
    print_line(format_args!("{:<22} {:>9} {:>9} {:>9} {:>9}", "ms", "p50", "p90", "p99", "CPU mean"))?;
    for stage in report.stages.iter().chain(&report.growth) {
        let name = stage.size.map_or(stage.stage.clone(), |size| format!("{} {size}", stage.stage));
        let [p50, p90, p99] = [stage.p50_ms, stage.p90_ms, stage.p99_ms];
        print_line(format_args!("{name:<22} {p50:>9.3} {p90:>9.3} {p99:>9.3} {:>9}", cpu(stage.cpu_ms)))?;
    }
    Ok(Outcome::Done)
}
