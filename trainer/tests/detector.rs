//! A detector's run from outside: it stops and goes on to the bit, and its ONNX file says what the network says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tch::{Device, Kind, no_grad};
use tract_onnx::prelude::*;
use trainer::detect::config::DetectorConfig;
use trainer::detect::export;
use trainer::detect::grid::{self, NUMBERS};
use trainer::detect::hints::Hints;
use trainer::detect::net::{DetectorNet, from_pixels};
use trainer::detect::run::{self, DetectorRun};
use trainer::train::run::LAST;

/// libtorch's generator, which fresh weights come from, is one for the process: runs must not begin side by side.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Three drawn pictures with a bright ellipse for a face, and their list.
fn drawn(folder: &Path, name: &str) -> PathBuf {
    std::fs::create_dir_all(folder.join(name)).expect("a folder");
    let mut text = String::new();
    for number in 0..3u32 {
        let (x, y) = (40.0 + 20.0 * number as f32, 50.0);
        let picture = image::RgbImage::from_fn(160, 120, |px, py| {
            let inside = ((px as f32 - x) / 20.0).powi(2) + ((py as f32 - y) / 28.0).powi(2) < 1.0;
            image::Rgb(if inside { [220, 180, 160] } else { [(px % 90) as u8, (py % 70) as u8, (40 * number) as u8] })
        });
        picture.save(folder.join(name).join(format!("{number}.png"))).expect("written");
        let points = [(-8.0, -8.0), (8.0, -8.0), (0.0, 2.0), (-6.0, 12.0), (6.0, 12.0)]
            .map(|(dx, dy)| format!("[{}, {}]", x + dx, y + dy));
        let (bbox, points) = (format!("[{}, {}, {}, {}]", x - 20.0, y - 28.0, x + 20.0, y + 28.0), points.join(", "));
        text.push_str(&format!(
            r#"{{"file": "{number}.png", "width": 160, "height": 120, "faces": [{{"bbox": {bbox}, "points": [{points}], "score": 0.9}}]}}"#
        ));
        text.push('\n');
    }
    let list = folder.join(format!("{name}.jsonl"));
    std::fs::write(&list, text).expect("written");
    list
}

fn config(folder: &Path) -> DetectorConfig {
    DetectorConfig {
        data: drawn(folder, "photos"),
        crops: drawn(folder, "crops"),
        batch: 2,
        side: 64,
        most_height: 60.0,
        steps: 6,
        lr_warmup: 2,
        lr_decay_from: 3,
        ema: 0.9,
        ..DetectorConfig::default()
    }
}

fn values(tensors: BTreeMap<String, tch::Tensor>) -> BTreeMap<String, Vec<f32>> {
    let flat = |tensor: tch::Tensor| Vec::<f32>::try_from(tensor.contiguous().view([-1])).expect("floats");
    tensors.into_iter().map(|(name, tensor)| (name, flat(tensor))).collect()
}

#[test]
fn a_killed_run_goes_on_to_the_bit() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path());
    let mut whole = DetectorRun::begin(config.clone(), &folder.path().join("whole")).expect("a run");
    let losses: Vec<f64> = (0..6).map(|_| whole.step().expect("a step").0.loss).collect();

    let mut first = DetectorRun::begin(config, &folder.path().join("parts")).expect("a run");
    (0..3).for_each(|step| assert_eq!(first.step().expect("a step").0.loss, losses[step]));
    first.save().expect("saved");
    // What it did after the checkpoint is lost with the process.
    first.step().expect("a step");
    drop(first);

    let mut second = DetectorRun::resume(&folder.path().join("parts"), &[]).expect("a run");
    (3..6).for_each(|step| assert_eq!(second.step().expect("a step").0.loss, losses[step]));
    assert_eq!(values(second.tensors()), values(whole.tensors()));
    second.save().expect("saved");
    let (net, state) = run::open(&folder.path().join("parts")).expect("a network");
    assert_eq!((state.step, state.canvases), (6, 12));
    assert_eq!(values(net.variables()), values(whole.network().variables()));
}

#[test]
fn other_pictures_another_task_and_a_folder_in_use_are_refused() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path());
    let at = folder.path().join("run");
    let mut run = DetectorRun::begin(config.clone(), &at).expect("a run");
    run.step().expect("a step");
    run.save().expect("saved");
    let error = DetectorRun::begin(config.clone(), &at).expect_err("in use").to_string();
    assert!(error.contains("--resume"), "{error}");
    let other = drawn(folder.path(), "other");
    let shorter =
        std::fs::read_to_string(&other).expect("read").lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
    std::fs::write(&other, shorter).expect("written");
    let change = format!("data=\"{}\"", other.display());
    let error = DetectorRun::resume(&at, &[change]).expect_err("other pictures").to_string();
    assert!(error.contains("trained on"), "{error}");
    let error = trainer::train::checkpoint::state(&at.join(LAST)).expect_err("no recogniser").to_string();
    assert!(error.contains("task"), "{error}");
    config.data = folder.path().join("none.jsonl");
    assert!(DetectorRun::begin(config, &folder.path().join("none")).is_err());
}

/// A network with statistics and factors that a fresh one does not have.
fn stirred(seed: i64) -> DetectorNet {
    tch::manual_seed(seed);
    let net = DetectorNet::build(Device::Cpu);
    for (name, tensor) in net.variables() {
        let mut tensor = tensor;
        no_grad(|| match name.rsplit('.').next() {
            Some("running_mean" | "bias") => drop(tensor.normal_(0.0, 0.2)),
            Some("running_var") => drop(tensor.uniform_(0.5, 2.0)),
            Some("weight") if tensor.dim() == 1 => drop(tensor.uniform_(0.7, 1.3)),
            _ => (),
        });
    }
    net
}

/// A file of `net`, changed to take BGR from 0 to 255 as YuNet does, and the names of its maps that hints are.
fn teacher(net: &DetectorNet, path: &Path) -> Vec<String> {
    let mut first = net.variables()["stage.0.0.weight"].shallow_clone();
    let was = no_grad(|| first.copy());
    no_grad(|| first.copy_(&(first.flip([1]) / 255.0)));
    let bytes = export::onnx(net, &[]).expect("a file");
    no_grad(|| first.copy_(&was));
    std::fs::write(path, &bytes).expect("written");
    let model = tract_onnx::onnx().proto_model_for_read(&mut bytes.as_slice()).expect("a model");
    let nodes = model.graph.expect("a graph").node;
    let convolutions: Vec<String> = nodes.into_iter().filter(|node| node.op_type == "Conv").map(|node| node.name).collect();
    // The first, and of each pair that follows the second.
    convolutions.iter().step_by(2).cloned().collect()
}

/// Against its own maps a network has nothing to learn, and another one comes nearer to them.
#[test]
fn hints_are_what_the_teachers_units_make() {
    let _alone = alone();
    let folder = tempfile::tempdir().expect("a folder");
    let (net, path) = (stirred(5), folder.path().join("teacher.onnx"));
    let values = teacher(&net, &path);
    let hints = Hints::open(&path, &values, Device::Cpu).expect("a teacher");
    let rgb: Vec<u8> = (0..2 * 64 * 64 * 3).map(|i| (i * 31 % 251) as u8).collect();
    let pictures = from_pixels(&rgb, 64, 64, Device::Cpu);
    let (loss, heads) = hints.loss(&net, &pictures).expect("a loss");
    assert!(loss.double_value(&[]) < 1e-6 && heads.double_value(&[]) < 1e-6, "{loss:?}");

    let config = DetectorConfig { hints: path.clone(), hint_values: values.clone(), ema: 0.0, ..config(folder.path()) };
    let mut run = DetectorRun::begin(config, &folder.path().join("run")).expect("a run");
    let losses: Vec<f64> = (0..40).map(|_| run.step().expect("a step").0.loss).collect();
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    assert!(mean(&losses[35..]) < 0.8 * mean(&losses[..5]), "{losses:?}");

    let mut wrong = values.clone();
    wrong[3] = "nowhere".into();
    for (values, says) in [(&values[1..], "27"), (&wrong[..], "nowhere")] {
        let error = Hints::open(&path, values, Device::Cpu).expect_err("refused").to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// What tract makes of the file is what libtorch makes of the network, folded normalisation, cut heads and all.
#[test]
fn the_onnx_file_says_what_the_network_says() {
    let _alone = alone();
    let net = stirred(5);
    let (width, height) = (96, 64);
    let rgb: Vec<u8> = (0..width * height * 3).map(|i| (i * 31 % 256) as u8).collect();
    let pictures = from_pixels(&rgb, width, height, Device::Cpu);
    let expected = no_grad(|| net.forward(&pictures, false));
    let cells = grid::cells(width, height).len();
    assert_eq!(expected.size(), [1, cells as i64, NUMBERS as i64]);
    let expected = Vec::<f32>::try_from(expected.contiguous().view([-1])).expect("floats");

    let bytes = export::onnx(&net, &[("head", "yunet".into())]).expect("a file");
    assert!(bytes.len() < 4 * net.parameters() + 32_000, "{} bytes", bytes.len());
    let input = Vec::<f32>::try_from(pictures.contiguous().view([-1]).to_kind(Kind::Float)).expect("floats");
    let run = || -> TractResult<Vec<Vec<f32>>> {
        let fact = f32::fact([1, 3, height, width]);
        let model = tract_onnx::onnx().model_for_read(&mut bytes.as_slice())?.with_input_fact(0, fact.into())?;
        let input = Tensor::from_shape(&[1, 3, height, width], &input)?;
        let outputs = model.into_optimized()?.into_runnable()?.run(tvec!(input.into()))?;
        outputs.iter().map(|output| Ok(output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())).collect()
    };
    let outputs = run().expect("a network that tract runs");
    assert_eq!(outputs.len(), 12);
    let mut first = 0;
    for (level, stride) in grid::STRIDES.into_iter().enumerate() {
        let count = (width / stride) * (height / stride);
        for (output, (at, numbers, probability)) in
            [(0, 1, true), (1, 1, true), (2, 4, false), (6, 10, false)].into_iter().enumerate()
        {
            let output = &outputs[4 * level + output];
            assert_eq!(output.len(), count * numbers);
            for ((cell, number), got) in (0..count).flat_map(|cell| (0..numbers).map(move |n| (cell, n))).zip(output.iter()) {
                let raw = expected[(first + cell) * NUMBERS + at + number];
                let expected = if probability { grid::sigmoid(raw) } else { raw };
                assert!((got - expected).abs() < 1e-4 * (1.0 + expected.abs()), "stride {stride}, cell {cell}: {got} {expected}");
            }
        }
        first += count;
    }
}
