//! The command `veriface`.
//!
//! Exit codes: 0 same person, or done; 1 different people; 2 … 8 an error, by its family (the hundreds digit of its number); 9 some
//! items of a batch failed.

mod cmd;
mod inputs;
mod setup;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use veriface::{Error, ErrorCode, Family};

const AFTER_HELP: &str = "Exit codes: 0 same person, or done · 1 different people · 2 a picture cannot be read · 3 no usable face · \
4 the pack · 5 a template or gallery · 6 no threshold · 7 the network runtime · 8 arguments and files · 9 some items of a batch failed";

#[derive(Parser)]
#[command(name = "veriface", version, about = "Face verification on the device", after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    setup: setup::Setup,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say whether two pictures show the same person
    Verify(cmd::verify::Args),
    /// Print the embeddings of pictures, one JSON object a line
    Embed(cmd::embed::Args),
    /// Find faces; with --output, draw them on a copy
    Detect(cmd::detect::Args),
    /// Write the aligned 112×112 chip of each picture's face
    Align(cmd::align::Args),
    /// Say how fit each picture's face is to decide on, and why not
    Quality(cmd::quality::Args),
    /// Make a template of one person's pictures, or add it to a gallery
    Enrol(cmd::enrol::Args),
    /// Find who in a gallery a picture shows
    Identify(cmd::identify::Args),
    /// Measure accuracy on labelled pairs
    Eval(cmd::eval::Args),
    /// Time each stage on this device
    Bench(cmd::bench::Args),
    /// Make, sign and verify packs
    #[command(subcommand)]
    Pack(cmd::pack::Command),
    /// Say what a pack holds
    Info(cmd::info::Args),
    /// Print a shell's completion script
    Completions(cmd::shell::Completions),
    /// Write the manual pages
    Man(cmd::shell::Man),
}

/// What a command ends with when nothing failed.
pub enum Outcome {
    /// Done, or the same person.
    Done,
    /// The pictures show different people, or nobody in the gallery matched.
    Different,
    /// This many items of a batch failed; each was reported.
    SomeFailed(usize),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(Family::Usage as u8) } else { ExitCode::SUCCESS };
        }
    };
    let setup = &cli.setup;
    let outcome = match cli.command {
        Command::Verify(args) => cmd::verify::run(setup, &args),
        Command::Embed(args) => cmd::embed::run(setup, &args),
        Command::Detect(args) => cmd::detect::run(setup, &args),
        Command::Align(args) => cmd::align::run(setup, &args),
        Command::Quality(args) => cmd::quality::run(setup, &args),
        Command::Enrol(args) => cmd::enrol::run(setup, &args),
        Command::Identify(args) => cmd::identify::run(setup, &args),
        Command::Eval(args) => cmd::eval::run(setup, &args),
        Command::Bench(args) => cmd::bench::run(setup, &args),
        Command::Pack(command) => cmd::pack::run(setup, &command),
        Command::Info(args) => cmd::info::run(setup, &args),
        Command::Completions(args) => cmd::shell::completions(&args),
        Command::Man(args) => cmd::shell::man(&args),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Different) => ExitCode::from(1),
        Ok(Outcome::SomeFailed(count)) => {
            eprintln!("veriface: {count} failed");
            ExitCode::from(9)
        }
        Err(error) => {
            if setup.json {
                println!("{}", serde_json::json!({ "error": describe(&error) }));
            }
            eprintln!("veriface: {error}\n{}", error.advice());
            ExitCode::from(error.code().family() as u8)
        }
    }
}

/// An error as JSON.
fn describe(error: &Error) -> serde_json::Value {
    serde_json::json!({
        "number": error.code().number(),
        "name": error.code().name(),
        "message": error.to_string(),
        "advice": error.advice(),
        "which": error.which(),
        "file": error.file(),
        "reasons": error.reasons(),
    })
}

/// Prints one line, and ends quietly when whoever reads has gone (`veriface … | head`).
fn print_line(line: impl std::fmt::Display) -> Result<(), Error> {
    use std::io::Write;
    match writeln!(std::io::stdout(), "{line}") {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(Error::new(ErrorCode::CannotWrite, format!("standard output: {e}"))),
        Ok(()) => Ok(()),
    }
}
