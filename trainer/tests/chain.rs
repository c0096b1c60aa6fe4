//! From a network to a pack: what libtorch computes is what the files compute, in float and in int8.

mod drawn;

use std::path::{Path, PathBuf};
use std::process::Command;

use prost::Message;
use tch::{Device, Kind, Tensor, no_grad};
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};
use trainer::data::chips::{Chip, ChipSet};
use trainer::export::Exported;
use trainer::export::graph::{Graph, Input, Op};
use trainer::export::onnx::{Batch, File, Weights};
use trainer::net::{Activation, Design, NetSettings, Network, input};
use trainer::pack::calibration::{calibration, halves};
use trainer::pack::{Detector, Recipe, Thresholds};
use trainer::quantize::{Float, Settings, drift, plan, quantise};
use trainer::train::checkpoint::State;
use trainer::train::config::Config;
use trainer::train::run::Run;
use trainer::train::teacher::{Normalisation, Teacher};
use veriface::{FalseMatchRate, PartKind, Verifier};
use veriface_tests::{cosine, here, shared, tiny_pack};

const SINGLE: Weights = Weights::Single;

/// Real chips where they are, drawn ones otherwise.
fn chips(count: usize) -> Vec<Chip> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = shared("faces/faces.rec").unwrap_or_else(|| drawn::set(folder.path(), 40, 10));
    let set = ChipSet::open(path, false).expect("a set");
    let step = (set.len() / count).max(1);
    (0..set.len()).step_by(step).take(count).map(|index| set.chip(index).expect("a chip")).collect()
}

/// A network whose normalisations do something: statistics, factors and slopes are random, as no fresh network's are.
fn network(name: &str, activation: Activation, width: f64, embedding: i64) -> Network {
    tch::manual_seed(7);
    let settings = NetSettings { name: name.into(), embedding, activation, width };
    let network = Network::build(&settings, Device::Cpu).expect("a network");
    no_grad(|| {
        for (name, variable) in network.variables() {
            let mut variable = variable.shallow_clone();
            let part = name.rsplit('.').next().unwrap_or_default();
            match part {
                "running_var" => drop(variable.uniform_(0.5, 1.5)),
                "running_mean" | "bias" => drop(variable.normal_(0.0, 0.2)),
                "slope" => drop(variable.uniform_(0.05, 0.5)),
                "weight" if name.ends_with("bn.weight") && variable.requires_grad() => drop(variable.uniform_(0.5, 1.5)),
                _ => {}
            }
        }
    });
    network
}

fn exported(network: &Network) -> Exported {
    let settings = network.settings();
    let config = Config {
        data: "somewhere/faces.rec".into(),
        teacher: "elsewhere/teacher.onnx".into(),
        network: settings.name.clone(),
        embedding: settings.embedding,
        ..Config::default()
    };
    Exported::new(network, &State::start(config, "0123456789abcdef".into(), 3)).expect("exported")
}

fn written(folder: &Path, name: &str, file: &File) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, &file.bytes).expect("written");
    path
}

fn rows(tensor: &Tensor) -> Vec<Vec<f32>> {
    Vec::<Vec<f32>>::try_from(tensor.contiguous()).expect("rows")
}

/// The least cosine of what the SDK's runtime makes of the chips to the expected rows.
fn parity(path: &Path, input: Input, chips: &[Chip], expected: &[Vec<f32>]) -> f64 {
    let normalisation = Normalisation { mean: input.mean as f32, scale: input.scale as f32 };
    let runtime = Teacher::open(path, normalisation).expect("loaded");
    let cosines = chips.iter().zip(expected).map(|(chip, row)| cosine(&runtime.output(chip).expect("an output"), row));
    cosines.fold(1.0, f64::min)
}

fn model(file: &File) -> (ModelProto, GraphProto) {
    let model = ModelProto::decode(file.bytes.as_slice()).expect("ONNX");
    let graph = model.graph.clone().expect("a graph");
    (model, graph)
}

#[test]
fn a_file_computes_what_libtorch_computes() {
    let folder = tempfile::tempdir().expect("a folder");
    let chips = chips(2);
    let cases = [
        ("mobilefacenet", Activation::Prelu, 1.0),
        ("mobilefacenet", Activation::Relu, 1.0),
        ("lmobilenet-a", Activation::Relu, 0.25),
        ("lmobilenet-b", Activation::Prelu, 0.25),
        ("lmobilenet-c", Activation::Relu, 0.25),
        ("lmobilenet-d", Activation::Prelu, 0.25),
        ("lmobilenet-e", Activation::Prelu, 0.25),
        ("mobilenet-f", Activation::Prelu, 0.25),
        ("lmobilenet-g", Activation::Relu, 0.25),
        ("resnet18-e-ir", Activation::Prelu, 1.0),
        ("se-resnet18-c", Activation::Prelu, 1.0),
        ("densenet121-b", Activation::Prelu, 1.0),
    ];
    for (name, activation, width) in cases {
        let network = network(name, activation, width, if name.ends_with("-a") { 256 } else { 64 });
        let expected = rows(&no_grad(|| network.forward(&input::from_pixels(&chips.concat(), Kind::Float, Device::Cpu), false)));
        let exported = exported(&network);
        let file = exported.file(Batch::Symbolic, SINGLE).expect("a file");
        assert_eq!(file.payload, 4 * file.values, "{name}");
        let most = 4096 + 300 * exported.graph.nodes.len();
        assert!(file.header() < most, "{name}: {} bytes beside the weights", file.header());
        let path = written(folder.path(), "net.onnx", &file);
        let least = parity(&path, exported.graph.input, &chips, &expected);
        assert!(least >= 0.99999, "{name}: cosine {least}");
    }
}

/// Gives a network the statistics that its own maps have on this batch. With others a hundred random layers amplify or forget what
/// they are shown, and rounding decides the rest.
fn settle(network: &Network, batch: &Tensor) {
    let statistics = || network.variables().into_iter().filter(|(name, _)| name.contains(".running_"));
    no_grad(|| {
        let before: Vec<Tensor> = statistics().map(|(_, statistic)| statistic.copy()).collect();
        let _ = network.forward(batch, true);
        for ((_, moved), before) in statistics().zip(before) {
            // A pass moves them a tenth of the way.
            let reached = (&moved - before * 0.9) * 10.0;
            moved.shallow_clone().copy_(&reached);
        }
    });
}

/// Every backbone, the output options in turn: the folded operators against the layers, in libtorch.
#[test]
#[ignore = "builds 43 networks, some of them of 168 million values: minutes and gigabytes"]
fn every_backbone_folds_without_loss() {
    let chips = chips(3);
    let letters = ["a", "b", "c", "d", "e", "f", "g"];
    let designs: Vec<Design> = Design::all().collect();
    let mut short = Vec::new();
    for (backbone, outputs) in designs.chunks(letters.len()).enumerate() {
        let name = outputs[backbone % letters.len()].to_string();
        let settings = |embedding| NetSettings { name: name.clone(), embedding, activation: Activation::Prelu, width: 1.0 };
        let possible =
            [512, 1024, 1536, 1664, 2688].into_iter().find(|size| Network::build(&settings(*size), Device::Cpu).is_ok());
        let network = network(&name, Activation::Prelu, 1.0, possible.expect("a length"));
        let batch = input::from_pixels(&chips.concat(), Kind::Float, Device::Cpu);
        settle(&network, &batch);
        let expected = rows(&no_grad(|| network.forward(&batch, false)));
        let found = rows(&exported(&network).graph.forward(&batch));
        let cosine = found.iter().zip(&expected).map(|(found, expected)| cosine(found, expected)).fold(1.0, f64::min);
        println!("{name}: {cosine}");
        if cosine < 0.99999 {
            short.push(name);
        }
    }
    assert!(short.is_empty(), "{short:?}");
}

#[test]
fn what_folds_is_gone_and_what_does_not_is_there() {
    let count = |name: &str, activation, kind: &str| {
        let exported = exported(&network(name, activation, 1.0, 128));
        exported.graph.nodes.iter().filter(|node| node.op.kind() == kind).count()
    };
    // An improved unit begins with a normalisation in front of a padded convolution; there are 2 + 2 + 2 + 2. That of option E, in front
    // of a fully connected layer, folds.
    assert_eq!(count("resnet18-e-ir", Activation::Prelu, "BatchNormalization"), 8);
    assert_eq!(count("resnet18-e", Activation::Prelu, "BatchNormalization"), 0);
    // As deployed MobileFaceNet has 976,000 weights, 9,792 shifts and 7,552 slopes (arXiv 1804.07573, tables 1 and 2: 0.99 M).
    let exported = exported(&network("mobilefacenet", Activation::Prelu, 1.0, 128));
    assert_eq!(exported.file(Batch::Symbolic, SINGLE).expect("a file").values, 976_000 + 9_792 + 7_552);
}

#[test]
fn the_file_says_what_it_is() {
    let network = network("lmobilenet-d", Activation::Prelu, 0.25, 64);
    let exported = exported(&network);
    for (batch, first) in [(Batch::Symbolic, None), (Batch::Fixed(4), Some(4))] {
        let (model, graph) = model(&exported.file(batch, SINGLE).expect("a file"));
        assert_eq!(
            (model.opset_import[0].version, graph.input[0].name.as_str(), graph.output[0].name.as_str()),
            (13, "chip", "embedding")
        );
        let shape = format!("{:?}", graph.input[0].r#type);
        assert!(shape.contains("DimValue(3)") && shape.contains("DimValue(112)"), "{shape}");
        assert_eq!(shape.contains("DimValue(4)"), first.is_some());
        // A map's slopes are [C, 1, 1]; the vector's behind the last normalisation are [C].
        let slopes: Vec<&TensorProto> = graph.initializer.iter().filter(|tensor| tensor.name.ends_with(".slope")).collect();
        assert!(slopes.len() > 2);
        let (last, maps) = slopes.split_last().expect("slopes");
        assert!(maps.iter().all(|slope| slope.dims.len() == 3 && slope.dims[1..] == [1, 1]) && last.dims == [64]);
        // Names are unique, and there is no class matrix and no dropout.
        let mut names: Vec<&String> = graph.node.iter().flat_map(|node| &node.output).collect();
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]) && graph.node.iter().all(|node| node.op_type != "Dropout"));
        let said = |key: &str| {
            let property = model.metadata_props.iter().find(|property| property.key == format!("veriface.{key}"));
            property.unwrap_or_else(|| panic!("{key}")).value.clone()
        };
        assert_eq!(said("network"), "lmobilenet-d");
        assert_eq!(said("parameters"), network.parameters().to_string());
        let form: veriface::InputForm = serde_json::from_str(&said("input")).expect("an input form");
        assert_eq!((form.mean, form.scale), ([127.5; 3], [1.0 / 128.0; 3]));
        // Where files lay on the machine that trained it is nobody's business.
        let config = said("config");
        assert!(config.contains("\"faces.rec\"") && config.contains("\"teacher.onnx\""), "{config}");
        assert!(!config.contains("somewhere") && !config.contains("elsewhere"), "{config}");
    }
}

#[test]
fn half_the_bytes_give_nearly_the_same_and_a_file_is_read_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let chips = chips(2);
    let exported = exported(&network("mobilefacenet", Activation::Prelu, 1.0, 128));
    let expected = rows(&exported.graph.forward(&exported.graph.batch(&chips.concat(), Device::Cpu)));
    let half = exported.file(Batch::Symbolic, Weights::Half).expect("a file");
    let path = written(folder.path(), "half.onnx", &half);
    // Of 4 bytes a value only shifts and slopes keep theirs.
    assert_eq!(half.payload, 2 * 976_000 + 4 * (9_792 + 7_552));
    assert!(parity(&path, exported.graph.input, &chips, &expected) > 0.9999);
    let elsewhere = Input { mean: 1.0, scale: 2.0 };
    let back = Exported::open(&path, elsewhere).expect("read");
    assert_eq!((back.graph.input, back.about.training), (exported.graph.input, exported.about.training));
    let found = rows(&back.graph.forward(&back.graph.batch(&chips.concat(), Device::Cpu)));
    assert!(found.iter().zip(&expected).all(|(found, expected)| cosine(found, expected) > 0.9999));
}

/// Settings for few chips.
fn settings() -> Settings {
    Settings { correction_chips: 8, sensitivity_chips: 8, float: Float::Number(0), ..Settings::default() }
}

#[test]
fn an_int8_file_keeps_the_contract_of_the_runtime() {
    let folder = tempfile::tempdir().expect("a folder");
    let chips = chips(16);
    for (name, activation) in
        [("mobilefacenet", Activation::Prelu), ("lmobilenet-e", Activation::Relu), ("lmobilenet-g", Activation::Relu)]
    {
        let width = if name == "mobilefacenet" { 1.0 } else { 0.25 };
        let exported = exported(&network(name, activation, width, 64));
        let Exported { graph, about } = exported;
        let quantised = quantise(graph, &chips, &settings(), Device::Cpu).expect("quantised");
        let expected = rows(&quantised.graph.forward(&quantised.graph.batch(&chips[..3].concat(), Device::Cpu)));
        let int8 = Exported { graph: quantised.graph, about };
        let file = int8.file(Batch::Symbolic, SINGLE).expect("a file");
        contract(&file);
        // Plain tract computes it in float: now and then a sum falls on the other side of a half, and each later rounding carries that on.
        let path = written(folder.path(), "int8.onnx", &file);
        let least = parity(&path, plan::INPUT, &chips[..3], &expected);
        assert!(least > 0.98, "{name}: {least}");
    }
}

/// The rules that a QDQ file of ours follows, read from the file alone.
fn contract(file: &File) {
    let (_, graph) = model(file);
    let maker = |value: &str| graph.node.iter().find(|node| node.output[0] == value);
    let constant = |name: &str| graph.initializer.iter().find(|tensor| tensor.name == name).expect("a constant");
    let floats = |tensor: &TensorProto| -> Vec<f32> {
        tensor.raw_data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    };
    let users = |value: &str| graph.node.iter().filter(|node| node.input.iter().any(|input| input == value)).collect::<Vec<_>>();
    let (mut first, mut layers) = (true, 0);
    for node in &graph.node {
        match node.op_type.as_str() {
            "QuantizeLinear" => {
                let (scale, zero) = (floats(constant(&node.input[1]))[0], &constant(&node.input[2]).raw_data);
                assert!(scale > 0.0 && zero.len() == 1);
                if first {
                    assert_eq!((scale, zero[0]), (1.0 / 128.0, 128), "the input is the byte itself");
                    first = false;
                }
                let before = maker(&node.input[0]).map(|node| node.op_type.as_str());
                if before == Some("Relu") {
                    assert_eq!(zero[0], 0, "{}", node.name);
                }
                assert!(users(&node.output[0]).iter().all(|user| user.op_type == "DequantizeLinear"));
            }
            "PRelu" => assert_eq!(maker(&node.input[0]).expect("a maker").op_type, "Conv", "nothing stands between them"),
            "Conv" | "Gemm" => {
                layers += 1;
                let dequantised = |at: usize| -> &NodeProto {
                    let node = maker(&node.input[at]).expect("a maker");
                    assert_eq!(node.op_type, "DequantizeLinear");
                    node
                };
                let (input, weight, bias) = (dequantised(0), dequantised(1), dequantised(2));
                assert_eq!((weight.attribute[0].name.as_str(), weight.attribute[0].i), ("axis", 0));
                let (counts, steps) = (constant(&weight.input[0]), floats(constant(&weight.input[1])));
                assert_eq!((counts.data_type, counts.dims[0] as usize), (3, steps.len()));
                assert!(counts.raw_data.iter().all(|count| *count as i8 >= -127));
                let step = floats(constant(&input.input[1]))[0];
                let of_bias = floats(constant(&bias.input[1]));
                assert!(of_bias.iter().zip(&steps).all(|(bias, weight)| *bias == step * weight));
                assert_eq!(constant(&bias.input[0]).data_type, 6);
                for zeros in [&weight.input[2], &bias.input[2]] {
                    assert!(constant(zeros).raw_data.iter().all(|zero| *zero == 0));
                }
            }
            "Add" => assert!(node.input.iter().all(|input| maker(input).is_some_and(|node| node.op_type == "DequantizeLinear"))),
            _ => {}
        }
    }
    assert!(layers > 10);
    // The embedding itself is not rounded.
    let last = graph.node.last().expect("a node");
    let layer = if last.op_type == "Flatten" { maker(&last.input[0]).expect("a maker") } else { last };
    assert!(["Conv", "Gemm"].contains(&layer.op_type.as_str()), "{}", layer.op_type);
}

#[test]
fn a_layer_that_stays_in_float_keeps_its_weights() {
    let chips = chips(8);
    let graph = exported(&network("lmobilenet-g", Activation::Relu, 0.25, 64)).graph;
    let float = Settings { float: Float::Number(2), ..settings() };
    let quantised = quantise(graph, &chips, &float, Device::Cpu).expect("quantised");
    let kept: Vec<&str> = quantised.layers.iter().filter(|layer| !layer.int8).map(|layer| layer.name.as_str()).collect();
    assert_eq!(kept.len(), 2);
    assert!(quantised.layers.iter().all(|layer| layer.cost.is_some()));
    // Those that cost most.
    let least = quantised.layers.iter().filter(|layer| !layer.int8).filter_map(|layer| layer.cost).fold(1.0, f64::min);
    assert!(quantised.layers.iter().filter(|layer| layer.int8).all(|layer| layer.cost.is_some_and(|cost| cost <= least)));
    let on_grid = |graph: &Graph, name: &str| match &graph.nodes[graph.named(name).expect("a layer")].op {
        Op::Conv { grid, .. } | Op::Linear { grid, .. } => grid.is_some(),
        _ => false,
    };
    for layer in &quantised.layers {
        assert_eq!(on_grid(&quantised.graph, &layer.name), layer.int8);
    }
}

/// MobileFaceNet as others trained it: the figures that an int8 recogniser owes.
#[test]
fn int8_stays_close_to_float_on_real_weights_and_real_faces() {
    let Some(path) = shared("models/mobilefacenet_y1_128d.onnx") else { return };
    let chips = chips(96);
    let (choosing, judging) = chips.split_at(32);
    let float = Exported::open(&path, Input { mean: 127.5, scale: 128.0 }).expect("read");
    let quantised =
        quantise(float.graph, choosing, &Settings { correction_chips: 32, ..settings() }, Device::Cpu).expect("quantised");
    let found = drift::embeddings(&quantised.graph, &quantised.float, judging, Device::Cpu).expect("a drift");
    assert!(found.mean >= 0.99 && found.worst >= 0.95, "mean {}, worst {}", found.mean, found.worst);
}

/// A Python with onnx and onnxruntime: `VERIFACE_PYTHON`, or `python3`.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("VERIFACE_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let ready =
        Command::new(&python).args(["-c", "import numpy, onnx, onnxruntime"]).output().is_ok_and(|ran| ran.status.success());
    if !ready {
        println!("skipped: no Python with numpy, onnx and onnxruntime; name one in VERIFACE_PYTHON");
    }
    ready.then_some(python)
}

#[test]
fn onnx_accepts_the_files_and_onnxruntime_computes_the_same() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let chips = chips(16);
    let compare = |name: &str, graph: &Graph, file: &File| -> [f64; 2] {
        let few = &chips[..4];
        let batch = graph.batch(&few.concat(), Device::Cpu);
        let floats = |tensor: &Tensor| -> Vec<u8> {
            rows(&tensor.contiguous().view([4, -1])).concat().iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        let put = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            path
        };
        let files =
            [put("net.onnx", &file.bytes), put("input.f32", &floats(&batch)), put("output.f32", &floats(&graph.forward(&batch)))];
        let ran =
            Command::new(&python).arg(here("../trainer/tests/reference/onnx_parity.py")).args(&files).output().expect("run");
        assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
        let said: serde_json::Value = serde_json::from_slice(&ran.stdout).expect("JSON");
        assert_eq!(said["opset"], 13);
        ["all", "none"].map(|level| said[level]["cosine"].as_f64().expect("a cosine"))
    };
    let cases = [
        ("mobilefacenet", Activation::Prelu, 1.0),
        ("lmobilenet-e", Activation::Relu, 0.25),
        ("lmobilenet-d", Activation::Prelu, 0.25),
        ("se-resnet18-c-ir", Activation::Prelu, 1.0),
        ("densenet121-b", Activation::Relu, 1.0),
    ];
    for (name, activation, width) in cases {
        let exported = exported(&network(name, activation, width, 64));
        for (batch, weights, least) in [(Batch::Symbolic, SINGLE, 0.99999), (Batch::Fixed(2), Weights::Half, 0.9999)] {
            let found = compare(name, &exported.graph, &exported.file(batch, weights).expect("a file"));
            assert!(found.iter().all(|cosine| *cosine >= least), "{name}: {found:?}");
        }
    }
    let weights = shared("models/mobilefacenet_y1_128d.onnx");
    let real = weights.map(|path| Exported::open(&path, Input { mean: 127.5, scale: 128.0 }).expect("read"));
    let random = exported(&network("lmobilenet-e", Activation::Relu, 0.25, 64));
    // With ReLU onnxruntime fuses every layer and computes in integers, as this does: the same to the last rounding of the embedding. PReLU
    // it leaves in float, where sums fall on the other side of a half now and then.
    for (name, exported, least) in [("random", Some(random), 0.999_999), ("real", real, 0.99)] {
        let Some(Exported { graph, about }) = exported else { continue };
        let graph = quantise(graph, &chips, &settings(), Device::Cpu).expect("quantised").graph;
        let int8 = Exported { graph, about };
        let found = compare(name, &int8.graph, &int8.file(Batch::Symbolic, SINGLE).expect("a file"));
        println!("int8, {name} weights, onnxruntime in integers and in float: cosines {found:?}");
        assert!(found[0] > least && found[1] > 0.99, "{name}: {found:?}");
    }
}

#[test]
fn a_pack_says_what_its_scores_mean_or_says_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        data: drawn::set(folder.path(), 3, 4),
        batch: 4,
        steps: 2,
        lr: 0.01,
        embedding: 32,
        threads: 1,
        ema: 0.5,
        ..Config::default()
    };
    let run = folder.path().join("run");
    Run::begin(config, &run).expect("a run").run().expect("its end");
    let exported = Exported::open(&run, Input { mean: 0.0, scale: 1.0 }).expect("exported");
    let path = written(folder.path(), "net.onnx", &exported.file(Batch::Symbolic, SINGLE).expect("a file"));
    let detector = folder.path().join("tiny.vfpack");
    tiny_pack().save(&detector).expect("saved");
    let mut recipe = Recipe::new("small-1", Detector::of_pack(&detector).expect("a detector"), &path).expect("a recipe");
    recipe.licences = vec!["weights: a test's".into()];
    recipe.texts = vec![("LICENCE".into(), "do as you like".into())];

    let others = tempfile::tempdir().expect("a folder");
    let set = ChipSet::open(drawn::set(others.path(), 24, 6), false).expect("a set");
    let halves = halves(&recipe.uncalibrated().expect("a verifier"), &set, None, 144, 1, |_| ()).expect("scores");
    // 12 people of 6 chips in each half: 12 · 15 pairs of one person, (72 · 71 / 2) − 180 of two.
    for half in [&halves.choosing, &halves.held_out] {
        assert_eq!((half.identities, half.chips, half.scores.genuine().len(), half.scores.impostor().len()), (12, 72, 180, 2376));
    }
    let rate = |rate| FalseMatchRate::new(rate).expect("a rate");
    // Where everybody matches, both halves agree on a rate of 1 if on no other.
    let (found, refused) = calibration("drawn stripes", &halves, &[rate(1e-5), rate(1.0)]).expect("a calibration");
    assert_eq!((found.points().len(), refused.len()), (1, 1));
    assert!(refused[0].1.contains("needs 300000 impostor pairs"), "{}", refused[0].1);
    assert!(calibration("drawn stripes", &halves, &[rate(1e-5)]).is_err());

    let thresholds = Thresholds { calibration: found, refused };
    let pack = recipe.pack(Some(&thresholds), &veriface::Chip::drawn_face()).expect("a pack");
    let path = folder.path().join("small.vfpack");
    pack.save(&path).expect("saved");
    let verifier = Verifier::from_pack(veriface::Pack::open(&path, veriface::Trust::Unsigned).expect("opened"))
        .expect("its self-test passes");
    let manifest = verifier.pack().manifest();
    assert_eq!((manifest.id.as_str(), manifest.recogniser.embedding_size), ("small-1", 32));
    assert_eq!(manifest.provenance.data_digest, exported.about.training.map(|training| training.data));
    assert!(manifest.self_test.is_some() && manifest.calibration.is_some());
    let text = |name: &str| {
        let part = verifier.pack().parts().iter().find(|part| part.name == name && part.kind == PartKind::Text);
        String::from_utf8(part.expect("a text").bytes().expect("read").to_vec()).expect("UTF-8")
    };
    assert_eq!(text("LICENCE"), "do as you like");
    let card = text("model-card");
    for said in ["# small-1", "mobilefacenet", "drawn stripes", "not published", "weights: a test's", "SHA-256"] {
        assert!(card.contains(said), "{said}: {card}");
    }
    let silent = recipe.pack(None, &veriface::Chip::drawn_face()).expect("a pack");
    assert!(silent.manifest().calibration.is_none());
}
