//! A run from outside: it stops and goes on to the bit, it survives bad steps, and it refuses what is not its own.

mod drawn;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tch::{Tensor, no_grad};
use trainer::error::Error;
use trainer::train::checkpoint;
use trainer::train::config::Config;
use trainer::train::optimiser::Algorithm;
use trainer::train::run::{LAST, Run};

/// libtorch's generator, which fresh weights come from, is one for the process: runs must not begin side by side.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn config(folder: &Path) -> Config {
    Config {
        data: drawn::set(folder, 3, 5),
        batch: 4,
        steps: 6,
        lr: 0.01,
        lr_warmup: 2,
        loss_scale: 16.0,
        margin_warmup: 4,
        ema: 0.9,
        jitter: 0.5,
        colour: 0.5,
        low_resolution: 0.5,
        embedding: 32,
        threads: 1,
        ..Config::default()
    }
}

fn values(run: &Run) -> BTreeMap<String, Vec<f32>> {
    let flat = |tensor: Tensor| Vec::<f32>::try_from(tensor.contiguous().view([-1])).expect("floats");
    run.tensors().into_iter().map(|(name, tensor)| (name, flat(tensor))).collect()
}

/// Names the checkpoint for the process that is killed.
const WRITES: &str = "VERIFACE_TEST_CHECKPOINT";

fn checkpoint_tensors(version: i64) -> BTreeMap<String, Tensor> {
    // Large enough that it is not written at once.
    BTreeMap::from([("weights".to_owned(), Tensor::full([1 << 18], version, (tch::Kind::Float, tch::Device::Cpu)))])
}

/// Run by the test below: writes one checkpoint after the other until it is killed.
#[test]
fn writes_checkpoints_until_it_is_killed() {
    let Some(path) = std::env::var_os(WRITES) else { return };
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let tensors = [checkpoint_tensors(1), checkpoint_tensors(2)];
    while std::time::Instant::now() < end {
        tensors.iter().for_each(|tensors| checkpoint::save(Path::new(&path), &"state", tensors).expect("saved"));
    }
}

/// `kill -9` while a checkpoint is written: the old one is there, or the new one.
#[test]
fn a_checkpoint_is_old_or_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run.safetensors");
    let whole = [1, 2].map(|version| {
        checkpoint::save(&path, &"state", &checkpoint_tensors(version)).expect("saved");
        std::fs::read(&path).expect("read")
    });
    for round in 0..10u64 {
        let mut child = std::process::Command::new(std::env::current_exe().expect("a program"))
            .args(["writes_checkpoints_until_it_is_killed", "--exact"])
            .env(WRITES, &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("a process");
        // libtorch needs its time before anything is written.
        let before = std::fs::metadata(&path).and_then(|about| about.modified()).ok();
        while std::fs::metadata(&path).and_then(|about| about.modified()).ok() == before {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_micros(round * 2_300 % 17_000));
        child.kill().expect("killed");
        child.wait().expect("gone");
        let found = std::fs::read(&path).expect("read");
        assert!(whole.contains(&found), "round {round}: {} bytes", found.len());
    }
}

#[test]
fn a_killed_run_goes_on_to_the_bit() {
    let _alone = alone();
    for algorithm in [Algorithm::Sgd, Algorithm::AdamW] {
        let folder = tempfile::tempdir().expect("a folder");
        let config = Config { optimiser: algorithm, ..config(folder.path()) };

        let mut whole = Run::begin(config.clone(), &folder.path().join("whole")).expect("a run");
        let losses: Vec<f64> = (0..6).map(|_| whole.step().expect("a step").loss).collect();

        let mut first = Run::begin(config, &folder.path().join("parts")).expect("a run");
        (0..3).for_each(|step| assert_eq!(first.step().expect("a step").loss, losses[step]));
        first.save().expect("saved");
        // What it did after the checkpoint is lost with the process.
        first.step().expect("a step");
        drop(first);

        let mut second = Run::resume(&folder.path().join("parts"), &[]).expect("a run");
        (3..6).for_each(|step| assert_eq!(second.step().expect("a step").loss, losses[step]));
        assert_eq!(values(&second), values(&whole), "{algorithm:?}");
        assert_eq!(second.state().position, whole.state().position);
    }
}

#[test]
fn decoding_threads_change_nothing() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let losses = |workers: usize| {
        let config = Config { workers, ..config.clone() };
        let mut run = Run::begin(config, &folder.path().join(workers.to_string())).expect("a run");
        (0..4).map(|_| run.step().expect("a step").loss).collect::<Vec<_>>()
    };
    assert_eq!(losses(1), losses(3));
}

#[test]
fn a_step_that_is_not_finite_changes_nothing_and_is_counted() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = Run::begin(config(folder.path()), &folder.path().join("run")).expect("a run");
    run.step().expect("a step");
    let slope = run.tensors().remove("weights/stem.conv.slope").expect("the slope");
    let (mut poisoned, healthy) = (slope.shallow_clone(), slope.copy());
    let _ = no_grad(|| poisoned.fill_(f64::NAN));
    let before = values(&run);
    assert!(run.step().expect("a step").skipped);
    let same = |a: &BTreeMap<String, Vec<f32>>, b: &BTreeMap<String, Vec<f32>>| {
        a.values().flatten().zip(b.values().flatten()).all(|(a, b)| a.to_bits() == b.to_bits())
    };
    assert!(same(&before, &values(&run)), "weights, statistics, average and optimiser stay as they were");
    assert_eq!((run.state().skipped, run.state().skipped_in_a_row, run.state().step), (1, 1, 2));

    no_grad(|| poisoned.copy_(&healthy));
    assert!(!run.step().expect("a step").skipped);
    assert_eq!((run.state().skipped, run.state().skipped_in_a_row, run.state().optimiser_steps), (1, 0, 2));
}

#[test]
fn too_many_such_steps_end_the_run_and_keep_the_checkpoint() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let run_folder = folder.path().join("run");
    let config = Config { stop_after_skipped: 3, steps: 50, ..config(folder.path()) };
    let mut run = Run::begin(config, &run_folder).expect("a run");
    run.step().expect("a step");
    run.save().expect("saved");
    let mut slope = run.tensors().remove("weights/stem.conv.slope").expect("the slope");
    let _ = no_grad(|| slope.fill_(f64::NAN));
    match run.run() {
        Err(Error::NotFinite { step: 4, in_a_row: 3, cause }) => assert!(cause.contains("NaN"), "{cause}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(checkpoint::state(&run_folder.join(LAST)).expect("a checkpoint").step, 1);
    let log = std::fs::read_to_string(run_folder.join("log.jsonl")).expect("a log");
    assert_eq!(log.lines().filter(|line| line.contains("\"event\":\"skipped\"")).count(), 3);
}

#[test]
fn a_checkpoint_of_another_network_or_a_broken_one_is_refused() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let run = Run::begin(config.clone(), &folder.path().join("run")).expect("a run");
    run.save().expect("saved");
    let last = folder.path().join("run").join(LAST);

    let wider = Config { embedding: 64, ..config.clone() };
    let other = Run::begin(wider, &folder.path().join("wider")).expect("a run");
    let error = checkpoint::load(&last, &mut other.tensors()).expect_err("another width").to_string();
    assert!(error.contains("embedding") && error.contains("[64]"), "{error}");

    let other =
        Run::begin(Config { optimiser: Algorithm::AdamW, ..config.clone() }, &folder.path().join("adamw")).expect("a run");
    let error = checkpoint::load(&last, &mut other.tensors()).expect_err("another optimiser").to_string();
    assert!(error.contains("second"), "{error}");

    let bytes = std::fs::read(&last).expect("read");
    for length in [0, 7, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&last, &bytes[..length]).expect("written");
        assert!(matches!(Run::resume(&folder.path().join("run"), &[]), Err(Error::Checkpoint { .. })), "{length} bytes");
    }
}

#[test]
fn a_run_never_starts_over_another_and_never_changes_its_set() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let run = Run::begin(config.clone(), &folder.path().join("run")).expect("a run");
    run.save().expect("saved");
    assert!(Run::begin(config, &folder.path().join("run")).expect_err("refused").to_string().contains("--resume"));

    std::fs::create_dir(folder.path().join("other")).expect("a folder");
    let other = drawn::set(&folder.path().join("other"), 4, 4);
    let change = format!("data={}", other.display());
    assert!(Run::resume(&folder.path().join("run"), &[change]).expect_err("refused").to_string().contains("trained on set"));
}

/// `tests/reference/event_file.py` reads such files as TensorBoard does; here is only what a run writes.
#[test]
fn each_part_of_a_run_has_an_event_file_with_what_the_log_has() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let run_folder = folder.path().join("run");
    let config = Config { steps: 4, log_every: 2, ..config(folder.path()) };
    Run::begin(config, &run_folder).expect("a run").run().expect("its end");
    Run::resume(&run_folder, &["steps=6".into()]).expect("a run").run().expect("its end");

    let log = std::fs::read_to_string(run_folder.join("log.jsonl")).expect("a log");
    assert_eq!(log.lines().filter(|line| line.contains("\"event\":\"train\"")).count(), 3);
    let mut files: Vec<_> =
        std::fs::read_dir(&run_folder).expect("the folder").map(|file| file.expect("a file").path()).collect();
    files.retain(|file| file.to_string_lossy().contains("events.out.tfevents"));
    let records = |file| {
        let bytes = std::fs::read(file).expect("read");
        let (mut rest, mut count) = (bytes.as_slice(), 0);
        while let Some((length, _)) = rest.split_first_chunk() {
            rest = &rest[u64::from_le_bytes(*length) as usize + 16..];
            count += 1;
        }
        count
    };
    let mut counts: Vec<_> = files.iter().map(records).collect();
    counts.sort_unstable();
    // The version and a record a line: two, then one.
    assert_eq!(counts, [2, 3]);
}
