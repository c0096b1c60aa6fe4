//! Small checkpoints, and runs that begin with another run's weights.

mod drawn;
#[path = "drawn/teacher.rs"]
mod teacher;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tch::{Kind, Tensor, no_grad};
use trainer::train::checkpoint::{self, State};
use trainer::train::config::Config;
use trainer::train::optimiser::Algorithm;
use trainer::train::run::{LAST, Run};
use trainer::train::slim::{LIMIT, Rounding, slim};

/// libtorch's generator is one for the process: runs must not begin side by side.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As the preset `small`: a teacher whose class centres stay as they are.
fn taught(folder: &Path) -> Config {
    Config {
        teacher: teacher::teacher(folder, "teacher.onnx", 32, 0.37),
        classes_from_teacher: true,
        classes_fixed: true,
        ..config(folder)
    }
}

fn config(folder: &Path) -> Config {
    Config {
        data: drawn::set(folder, 4, 4),
        optimiser: Algorithm::AdamW,
        batch: 4,
        steps: 20,
        lr: 1e-3,
        lr_warmup: 2,
        loss_scale: 16.0,
        ema: 0.9,
        embedding: 32,
        threads: 1,
        ..Config::default()
    }
}

fn losses(run: &mut Run, steps: usize) -> Vec<f64> {
    (0..steps).map(|_| run.step().expect("a step").loss).collect()
}

/// The largest distance over all values, as a share of each tensor's largest value.
fn distance(a: &BTreeMap<String, Tensor>, b: &BTreeMap<String, Tensor>, prefix: &str) -> f64 {
    let largest = |tensor: &Tensor| tensor.abs().max().double_value(&[]);
    let tensors = a.iter().filter(|(name, _)| name.starts_with(prefix));
    no_grad(|| tensors.map(|(name, a)| largest(&(a - &b[name])) / largest(a).max(1e-30)).fold(0.0, f64::max))
}

#[test]
fn a_run_goes_on_from_a_slim_file() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let mut whole = Run::begin(taught(folder.path()), &at("whole")).expect("a run");
    losses(&mut whole, 4);
    whole.save().expect("saved");
    let saved: BTreeMap<String, Tensor> = whole.tensors().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect();
    let size = std::fs::metadata(at("whole").join(LAST)).expect("a checkpoint").len();
    let expected = losses(&mut whole, 4);

    // Room for everything: without the class matrix, and to the bit.
    let exact = slim(&at("whole").join(LAST), &at("exact.safetensors"), LIMIT * 10).expect("slim");
    assert_eq!(exact.rounding, Rounding::Nothing);
    assert!(exact.bytes < size);
    let mut run = Run::resume_from(&at("exact.safetensors"), &at("exact"), &[]).expect("a run");
    assert_eq!(distance(&saved, &run.tensors(), ""), 0.0);
    assert_eq!(
        (run.state().step, run.state().position),
        (4, checkpoint::state(&at("whole").join(LAST)).expect("a state").position)
    );
    assert_eq!(losses(&mut run, 4), expected);

    // Half the room.
    let half = slim(&at("whole").join(LAST), &at("half.safetensors"), size * 11 / 20).expect("slim");
    assert_eq!(half.rounding, Rounding::Weights);
    let mut run = Run::resume_from(&at("half.safetensors"), &at("half"), &[]).expect("a run");
    let rounded = run.tensors();
    // Half the distance between two neighbours, which is 2⁻¹⁰ and 2⁻⁷ of them.
    for (prefix, tolerance) in [("weights", 1.0 / 2048.0), ("average", 1.0 / 2048.0), ("optimiser", 1.0 / 256.0), ("loss", 0.0)] {
        let distance = distance(&saved, &rounded, prefix);
        assert!(distance <= tolerance, "{prefix}: {distance}");
    }
    let vectors = rounded.iter().filter(|(name, tensor)| tensor.dim() < 2 && !name.starts_with("optimiser"));
    vectors.for_each(|(name, tensor)| assert!(tensor.equal(&saved[name]), "{name}"));
    for (loss, expected) in losses(&mut run, 4).into_iter().zip(expected) {
        assert!((loss - expected).abs() < 0.02 * expected.abs(), "{loss} instead of {expected}");
    }

    // What it saves is a whole checkpoint again.
    run.save().expect("saved");
    assert_eq!(checkpoint::state(&at("half").join(LAST)).expect("a state").slim, None);
    assert!(Run::resume(&at("half"), &[]).is_ok());
}

#[test]
fn the_small_net_fits_in_ten_megabytes() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let preset = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/small.toml");
    let preset = Config::open(preset, &[]).expect("the preset");
    let data = drawn::set(folder.path(), 4, 4);
    let config = Config {
        teacher: teacher::teacher(folder.path(), "teacher.onnx", preset.embedding, 0.37),
        teacher_cache: folder.path().into(),
        teacher_live: false,
        data,
        batch: 4,
        ..preset
    };
    let run = Run::begin(config, &folder.path().join("run")).expect("a run");
    run.save().expect("saved");
    let out = folder.path().join("slim.safetensors");
    let small = slim(&folder.path().join("run").join(LAST), &out, LIMIT).expect("slim");
    assert!(small.bytes < 10_000_000 && small.bytes == std::fs::metadata(&out).expect("a file").len(), "{small:?}");
    assert_eq!(small.rounding, Rounding::Weights);
}

#[test]
fn what_does_not_fit_or_does_not_belong_is_refused() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let run = Run::begin(taught(folder.path()), &at("run")).expect("a run");
    run.save().expect("saved");
    let error = slim(&at("run").join(LAST), &at("tiny"), 1000).expect_err("too small a limit").to_string();
    assert!(error.contains("raise --limit") && !at("tiny").exists(), "{error}");

    slim(&at("run").join(LAST), &at("slim"), LIMIT).expect("slim");
    assert!(slim(&at("slim"), &at("twice"), LIMIT).expect_err("slim already").to_string().contains("slim already"));
    let other = teacher::teacher(folder.path(), "other.onnx", 32, 0.91);
    let change = format!("teacher={}", other.display());
    let error = Run::resume_from(&at("slim"), &at("new"), &[change]).expect_err("another teacher").to_string();
    assert!(error.contains("class centres"), "{error}");
    assert!(Run::resume_from(&at("slim"), &at("run"), &[]).expect_err("a run's folder").to_string().contains("--resume"));

    std::fs::write(at("empty"), "").expect("written");
    assert!(slim(&at("empty"), &at("out"), LIMIT).is_err());
    assert!(slim(&at("nowhere"), &at("out"), LIMIT).is_err());
}

#[test]
fn a_run_begins_with_the_weights_of_another() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let mut first = Run::begin(config(folder.path()), &at("first")).expect("a run");
    losses(&mut first, 3);
    first.save().expect("saved");
    let last = at("first").join(LAST);
    let of = |tensors: BTreeMap<String, Tensor>, prefix: &str| -> BTreeMap<String, Tensor> {
        let named = tensors.into_iter().filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor)));
        named.collect()
    };
    let average = of(first.tensors(), "average/");

    let tuned = Config { loss: "softmax".into(), optimiser: Algorithm::Sgd, weights_from: last.clone(), ..config(folder.path()) };
    let run = Run::begin(tuned.clone(), &at("second")).expect("a run");
    assert_eq!(run.state().step, 0);
    for place in ["weights/", "average/"] {
        assert_eq!(distance(&average, &of(run.tensors(), place), ""), 0.0, "{place}");
    }

    slim(&last, &at("slim"), LIMIT * 10).expect("slim");
    let run = Run::begin(Config { weights_from: at("slim"), ..tuned.clone() }, &at("third")).expect("a run");
    assert_eq!(distance(&average, &of(run.tensors(), "weights/"), ""), 0.0);

    for (name, other) in [
        ("longer", Config { embedding: 64, ..tuned.clone() }),
        ("relu", Config { activation: trainer::net::Activation::Relu, ..tuned.clone() }),
        ("resnet", Config { network: "lresnet18-e-ir".into(), ..tuned.clone() }),
    ] {
        let error = Run::begin(other, &at(name)).expect_err(name).to_string();
        assert!(error.contains("another network"), "{error}");
    }
    let missing = Config { weights_from: at("nowhere"), ..tuned };
    assert!(Run::begin(missing, &at("missing")).is_err());
}

#[test]
fn triplet_fine_tuning_goes_on_to_the_bit() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let first = Run::begin(config(folder.path()), &at("first")).expect("a run");
    first.save().expect("saved");
    let tuned = Config {
        loss: "triplet".into(),
        optimiser: Algorithm::Sgd,
        weights_from: at("first").join(LAST),
        batch: 6,
        identities_a_batch: 2,
        chips_an_identity: 3,
        ..config(folder.path())
    };
    let mut whole = Run::begin(tuned.clone(), &at("whole")).expect("a run");
    let expected = losses(&mut whole, 5);
    assert!(expected.iter().all(|loss| loss.is_finite()) && expected.iter().any(|&loss| loss > 0.0), "{expected:?}");

    let mut parts = Run::begin(tuned, &at("parts")).expect("a run");
    assert_eq!(losses(&mut parts, 3), expected[..3]);
    parts.save().expect("saved");
    // The weights that it began with are not needed again.
    std::fs::remove_dir_all(at("first")).expect("removed");
    let mut parts = Run::resume(&at("parts"), &[]).expect("a run");
    assert_eq!(losses(&mut parts, 2), expected[3..]);
    assert_eq!(distance(&whole.tensors(), &parts.tensors(), ""), 0.0);
    // An epoch shows four identities, two a batch, three chips each: two batches.
    let State { position, .. } = parts.state();
    assert_eq!((position.epoch, position.visited), (2, 6));
    let error = Run::resume(&at("parts"), &["chips_an_identity=2".into()]).expect_err("fixed").to_string();
    assert!(error.contains("cannot change"), "{error}");
    assert_eq!(parts.tensors()["weights/head.embedding.weight"].kind(), Kind::Float);
}
