//! Learning layer by layer from another network.

mod drawn;
#[path = "drawn/teacher.rs"]
mod teacher;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tch::{Device, Kind, Tensor};
use trainer::data::chips::ChipSet;
use trainer::net::onnx::OnnxNetwork;
use trainer::net::{Activation, Layout, NetSettings, Network, input};
use trainer::train::config::Config;
use trainer::train::hints::Hints;
use trainer::train::live_teacher::LiveTeacher;
use trainer::train::run::Run;
use trainer::train::teacher::{Normalisation, Teacher};
use trainer::train::teacher_cache;

/// libtorch's generator, which fresh weights come from, is one for the process: runs must not begin side by side.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn network() -> Network {
    let settings = NetSettings { name: "mobilefacenet".into(), embedding: 64, activation: Activation::Relu, width: 1.0 };
    Network::build(&settings, Device::Cpu).expect("a network")
}

#[test]
fn libtorch_and_tract_compute_the_same_embedding() {
    let Some(model) = veriface_tests::shared("models/mobilefacenet_y1_128d.onnx") else { return };
    let chip: Vec<u8> = (0..112 * 112 * 3).map(|index| (index * 7919 % 251) as u8).collect();
    let teacher = Teacher::open(&model, Normalisation { mean: 127.5, scale: 128.0 }).expect("a teacher");
    let expected = Tensor::from_slice(&teacher.output(&chip).expect("an embedding"));
    let network = OnnxNetwork::open(&model, Kind::Float, Device::Cpu).expect("a network");
    let maps = network.maps(&input::from_pixels(&chip, Kind::Float, Device::Cpu), &["_plus11", "fc1"]).expect("maps");
    assert_eq!(maps["_plus11"].size(), [1, 128, 7, 7]);
    let error = (maps["fc1"].view([-1]) - &expected).abs().max().double_value(&[]) / expected.abs().max().double_value(&[]);
    assert!(error < 1e-4, "{error}");
}

/// Attention, normalisation over channels, and a file for one chip at a time: EdgeFace, which has them all.
#[test]
fn a_live_teacher_answers_as_the_kept_one() {
    let Some(model) = veriface_tests::shared("models/edgeface_xs_512d.onnx") else { return };
    let normalisation = Normalisation { mean: 127.5, scale: 127.5 };
    let teacher = Teacher::open(&model, normalisation).expect("a teacher");
    let folder = tempfile::tempdir().expect("a folder");
    let set = ChipSet::open(drawn::set(folder.path(), 3, 2), false).expect("a set");
    for mirrored in [false, true] {
        let live = LiveTeacher::open(&model, normalisation, mirrored, Device::Cpu).expect("a live teacher");
        let rows = live.rows_of(&set).expect("rows");
        assert_eq!((rows.size(), live.embedding()), (vec![set.len() as i64, 512], 512));
        let path = folder.path().join(format!("{mirrored}.f16"));
        let kept = teacher_cache::fill(&path, &teacher, &set, mirrored, 1, |_, _| {}).expect("kept rows");
        let kept = Tensor::from_slice(&kept.rows).view([-1, 512]).to_kind(Kind::Float);
        let cosines = (&rows * kept).sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
        // Rows are kept in 16 bits: 2⁻¹¹ a value.
        assert!(cosines.min().double_value(&[]) > 0.9999, "{mirrored}: {cosines}");
    }
    // A network whose end is no embedding.
    if let Some(detector) = veriface_tests::shared("models/scrfd_500m_bnkps_320.onnx") {
        let error = LiveTeacher::open(&detector, normalisation, false, Device::Cpu).expect_err("refused").to_string();
        assert!(error.contains("scrfd_500m"), "{error}");
    }
}

/// Pooling, enlargement, sums, and the outputs' reordering: YuNet, which has them all.
#[test]
fn libtorch_and_tract_find_the_same_faces() {
    use tract_onnx::prelude::*;
    let Some(model) = veriface_tests::shared("models/face_detection_yunet_2026may.onnx") else { return };
    let (height, width) = (64, 96);
    let pixels: Vec<f32> = (0..3 * height * width).map(|index| (index * 7919 % 251) as f32).collect();
    let run = || -> TractResult<Vec<Vec<f32>>> {
        let tract = tract_onnx::onnx().model_for_path(&model)?.with_input_fact(0, f32::fact([1, 3, height, width]).into())?;
        let input = tract_onnx::prelude::Tensor::from_shape(&[1, 3, height, width], &pixels)?;
        let outputs = tract.into_optimized()?.into_runnable()?.run(tvec!(input.into()))?;
        outputs.iter().map(|output| Ok(output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())).collect()
    };
    let expected = run().expect("a network that tract runs");
    let names = ["cls", "obj", "bbox", "kps"].map(|name| [8, 16, 32].map(|stride| format!("{name}_{stride}"))).concat();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let network = OnnxNetwork::open(&model, Kind::Float, Device::Cpu).expect("a network");
    let maps = network.maps(&tch::Tensor::from_slice(&pixels).view([1, 3, height as i64, width as i64]), &names).expect("maps");
    assert_eq!((maps.len(), expected.len()), (12, 12));
    for (name, expected) in names.iter().zip(expected) {
        let got = Vec::<f32>::try_from(maps[name].contiguous().view([-1])).expect("floats");
        assert_eq!(got.len(), expected.len(), "{name}");
        let far = got.iter().zip(&expected).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f32::max);
        assert!(far < 1e-3, "{name}: {far}");
    }
}

#[test]
fn forced_layers_learn_the_maps_of_a_network_of_the_same_shape() {
    let _alone = alone();
    let Some(model) = veriface_tests::shared("models/mobilefacenet_y1_128d.onnx") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let mut values = vec![String::new(); 17];
    values[16] = "_plus11".into();
    values[15] = "_plus10".into();
    let config = Config {
        data: drawn::set(folder.path(), 4, 4),
        activation: Activation::Relu,
        embedding: 32,
        hints: model,
        hint_values: values,
        loss_weight: 0.0,
        optimiser: trainer::train::optimiser::Algorithm::AdamW,
        lr: 3e-3,
        lr_warmup: 1,
        weight_decay: 0.0,
        batch: 4,
        steps: 12,
        threads: 1,
        ..Config::default()
    };
    let mut run = Run::begin(config, &folder.path().join("run")).expect("a run");
    let hints: Vec<f64> = (0..12).map(|_| run.step().expect("a step").hint).collect();
    assert!(hints[11] < 0.8 * hints[0], "{hints:?}");
}

#[test]
fn what_does_not_fit_is_refused_with_its_name() {
    let _alone = alone();
    let Some(model) = veriface_tests::shared("models/mobilefacenet_y1_128d.onnx") else { return };
    let refused = |values: &[&str]| {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        Hints::open(&model, &values, true, &network(), Kind::Float).expect_err("refused").to_string()
    };
    assert!(refused(&["", "no_such_value"]).contains("no_such_value"));
    assert!(refused(&[""]).contains("hint_values"));
    assert!(refused(&vec!["_plus0"; 40]).contains("1 to 18"));
    // A map of another size than the layer's.
    let hints = Hints::open(&model, &["_plus11".to_owned()], true, &network(), Kind::Float).expect("hints");
    let chips = input::from_pixels(&vec![0; 2 * 112 * 112 * 3], Kind::Float, Device::Cpu);
    let error = hints.forward(&network(), &chips).expect_err("refused").to_string();
    assert!(error.contains("layer 0") && error.contains("_plus11"), "{error}");
    let missing = PathBuf::from("no_such_file.onnx");
    assert!(OnnxNetwork::open(&missing, Kind::Float, Device::Cpu).expect_err("refused").to_string().contains("no_such_file"));
    // An operator that is not known, by its name.
    let folder = tempfile::tempdir().expect("a folder");
    let other = teacher::teacher(folder.path(), "teacher.onnx", 8, 0.5);
    let error = OnnxNetwork::open(&other, Kind::Float, Device::Cpu).expect_err("refused").to_string();
    assert!(error.contains("AveragePool") && error.contains("is not known"), "{error}");
}

/// Where nothing is varied, both teachers say the same of the same chips, and maps may lie either way.
#[test]
fn a_run_learns_alike_from_a_live_teacher_and_a_kept_one() {
    let _alone = alone();
    let Some(model) = veriface_tests::shared("models/edgeface_xs_512d.onnx") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        data: drawn::set(folder.path(), 3, 3),
        activation: Activation::Relu,
        teacher: model,
        loss_weight: 0.1,
        classes_from_teacher: true,
        classes_fixed: true,
        lr: 1e-3,
        lr_warmup: 1,
        batch: 4,
        steps: 2,
        mirror: 0.0,
        threads: 1,
        ..Config::default()
    };
    let losses = |name: &str, teacher_live: bool, layout: Layout| {
        let config = Config { teacher_live, layout, ..config.clone() };
        let mut run = Run::begin(config, &folder.path().join(name)).expect("a run");
        (0..2).map(|_| run.step().expect("a step").loss).collect::<Vec<f64>>()
    };
    let kept = losses("kept", false, Layout::ChannelsLast);
    for (loss, expected) in losses("live", true, Layout::ChannelsLast).iter().zip(&kept) {
        // Kept rows have 16 bits.
        assert!((loss - expected).abs() < 2e-3 * expected, "{loss}, {expected}");
    }
    // Sums in another order; a step later, with four chips a batch, the difference has grown by normalisation.
    let planes = losses("planes", false, Layout::Planes)[0];
    assert!((planes - kept[0]).abs() < 1e-4 * kept[0], "{planes}, {kept:?}");
}
