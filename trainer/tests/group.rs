//! Two processes that train together, against one that computes the same parts of the batch. Needs the feature `mpi` and `mpirun`.
#![cfg(feature = "mpi")]

mod drawn;

use std::path::Path;
use std::process::Command;

use trainer::train::checkpoint;

/// The losses of a run's log, step by step.
fn losses(folder: &Path) -> Vec<f64> {
    let log = std::fs::read_to_string(folder.join("log.jsonl")).expect("a log");
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    lines.filter(|line| line["event"] == "train").map(|line| line["loss"].as_f64().expect("a loss")).collect()
}

/// `trainer` in so many processes.
fn trainer(processes: usize, arguments: &[&str]) {
    let program = env!("CARGO_BIN_EXE_trainer");
    let mut command = Command::new(if processes > 1 { "mpirun" } else { program });
    if processes > 1 {
        // A container's user is root, and a small machine has fewer cores than processes.
        command.args(["--allow-run-as-root", "--oversubscribe", "-n", &processes.to_string(), program]);
    }
    let output = command.args(arguments).output().expect("mpirun starts: install openmpi-bin");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn config(folder: &Path, loss: &str) -> String {
    let path = folder.join("run.toml");
    let text = format!(
        "data = {:?}\nbatch = 8\nbatch_parts = 2\nclass_shards = 2\nloss = \"{loss}\"\nsteps = 6\nlr = 0.001\nlr_warmup = 2\n\
         loss_scale = 16.0\nmargin_warmup = 4\nclip_norm = 1.0\nembedding = 32\nthreads = 1\nlog_every = 1\njitter = 0.5\n",
        drawn::set(folder, 5, 4)
    );
    std::fs::write(&path, text).expect("a configuration");
    path.display().to_string()
}

#[test]
fn two_processes_have_the_losses_of_one() {
    for loss in ["arcface", "softmax"] {
        let folder = tempfile::tempdir().expect("a folder");
        let config = config(folder.path(), loss);
        let at = |name: &str| folder.path().join(name).display().to_string();
        trainer(1, &["train", &config, "--folder", &at("one")]);
        trainer(2, &["train", &config, "--folder", &at("two"), "--set", "steps=3"]);
        // Stopped after three steps, it goes on in two processes from the one file that holds the whole class matrix.
        trainer(2, &["train", "--resume", "--folder", &at("two"), "--set", "steps=6"]);
        let (one, two) = (losses(&folder.path().join("one")), losses(&folder.path().join("two")));
        assert_eq!((one.len(), two.len()), (6, 6), "{loss}");
        for (one, two) in one.iter().zip(&two) {
            assert!((one - two).abs() <= 2e-4 * one.abs(), "{loss}: {one} in one process, {two} in two");
        }
        let step =
            |name: &str| checkpoint::state(&folder.path().join(name).join("last.safetensors")).expect("a checkpoint").position;
        assert_eq!(step("one"), step("two"));
    }
}

#[test]
fn parts_that_do_not_go_round_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path(), "arcface");
    let arguments = ["--allow-run-as-root", "--oversubscribe", "-n", "2", env!("CARGO_BIN_EXE_trainer"), "train", &config];
    let run = folder.path().join("run").display().to_string();
    let output =
        Command::new("mpirun").args(arguments).args(["--folder", &run, "--set", "batch_parts=1"]).output().expect("mpirun");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("`batch_parts` is 1 for 2 processes"), "{text}");
}
