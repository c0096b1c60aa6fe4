//! The command `trainer`.

use clap::Parser;
use trainer::cmd;

/// Turns a folder of faces into a checked model.
#[derive(Debug, Parser)]
#[command(version)]
struct Command {
    #[command(subcommand)]
    command: Subcommand,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    Align(cmd::align::Arguments),
    Clean(cmd::clean::Arguments),
    Data(cmd::data::Arguments),
    Train(cmd::train::Arguments),
    Checkpoint(cmd::checkpoint::Arguments),
    Detector(cmd::detector::Arguments),
    Teach(cmd::teach::Arguments),
    Eval(cmd::eval::Arguments),
    Export(cmd::export::Arguments),
    Quantize(cmd::quantize::Arguments),
    Pack(cmd::pack::Arguments),
    Plot(cmd::plot::Arguments),
    Reproduce(cmd::reproduce::Arguments),
    Bench(cmd::bench::Arguments),
    List(cmd::list::Arguments),
    Doctor(cmd::doctor::Arguments),
}

fn main() -> std::process::ExitCode {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    trainer::allocator::keep_memory();
    let command = Command::parse().command;
    let checked = match command {
        // It says all that it sees, the libtorch included.
        Subcommand::Doctor(_) => Ok(()),
        _ => cmd::doctor::require_libtorch(),
    };
    let result = checked.and_then(|()| match command {
        Subcommand::Align(arguments) => cmd::align::run(&arguments),
        Subcommand::Clean(arguments) => cmd::clean::run(&arguments),
        Subcommand::Data(arguments) => cmd::data::run(&arguments),
        Subcommand::Train(arguments) => cmd::train::run(&arguments),
        Subcommand::Checkpoint(arguments) => cmd::checkpoint::run(&arguments),
        Subcommand::Detector(arguments) => cmd::detector::run(&arguments),
        Subcommand::Teach(arguments) => cmd::teach::run(&arguments),
        Subcommand::Eval(arguments) => cmd::eval::run(&arguments),
        Subcommand::Export(arguments) => cmd::export::run(&arguments),
        Subcommand::Quantize(arguments) => cmd::quantize::run(&arguments),
        Subcommand::Pack(arguments) => cmd::pack::run(&arguments),
        Subcommand::Plot(arguments) => cmd::plot::run(&arguments),
        Subcommand::Reproduce(arguments) => cmd::reproduce::run(&arguments),
        Subcommand::Bench(arguments) => cmd::bench::run(&arguments),
        Subcommand::List(arguments) => cmd::list::run(&arguments),
        Subcommand::Doctor(arguments) => cmd::doctor::run(&arguments),
    });
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trainer: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}
