//! `trainer doctor`: what this machine has of what the trainer needs.

use crate::doctor;
use crate::error::{Error, Result};
use crate::train::device;

/// Says, in a sentence each, which libtorch is in use, what the processor offers, and whether a GPU is seen.
///
/// Where `trainer` does not start because libtorch is missing, `trainer-doctor` says the same.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the subcommand.
pub fn run(_: &Arguments) -> Result<()> {
    let libtorch = doctor::libtorch_sentence(loaded().or_else(doctor::libtorch).as_ref());
    if let Ok(sentence) = &libtorch {
        println!("{sentence}");
    }
    doctor::machine_sentences().iter().for_each(|sentence| println!("{sentence}"));
    println!("libtorch computes with {} threads unless a configuration says otherwise.", tch::get_num_threads());
    println!("{}", doctor::cuda_sentence(Some(device::gpus())));
    libtorch.map(drop).map_err(Error::Libtorch)
}

/// Refuses to go on with another libtorch than the one that this program was made for.
pub fn require_libtorch() -> Result<()> {
    match loaded() {
        Some(found) => doctor::libtorch_sentence(Some(&found)).map(drop).map_err(Error::Libtorch),
        None => Ok(()),
    }
}

/// The libtorch in this process, by the system's list of mapped files.
fn loaded() -> Option<doctor::Found> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let library =
        maps.lines().find_map(|line| line.split_whitespace().nth(5).filter(|path| path.ends_with("libtorch_cpu.so")))?;
    doctor::in_folder(std::path::Path::new(library).parent()?)
}
