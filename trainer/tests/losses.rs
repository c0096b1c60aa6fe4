//! Every loss against the float64 reference of `reference/losses.py`, and at the places where margins break.

mod drawn;

use std::collections::BTreeMap;

use serde::Deserialize;
use tch::{Device, Kind, Tensor, nn, no_grad};
use trainer::loss::margin::{Margin, NoMargin};
use trainer::loss::{self, ArcFace, Beyond, Combined, CosFace, LOSSES, Loss, SphereFace, curves};
use trainer::train::config::Config;
use trainer::train::run::Run;

type Rows = Vec<Vec<f64>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    cases: Vec<Case>,
    figure_4: Figure,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    settings: Config,
    step: u64,
    embeddings: Rows,
    identities: Vec<i64>,
    variables: BTreeMap<String, Value>,
    loss: f64,
    embedding_gradient: Rows,
    gradients: BTreeMap<String, Value>,
    centres_after: Option<Rows>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Vector(Vec<f64>),
    Matrix(Rows),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Figure {
    degrees: Vec<f64>,
    logits: BTreeMap<String, Vec<f64>>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/losses.json")).unwrap()
}

fn matrix(rows: &Rows) -> Tensor {
    Tensor::from_slice(&rows.concat()).view([rows.len() as i64, -1])
}

impl Value {
    fn tensor(&self) -> Tensor {
        match self {
            Value::Vector(values) => Tensor::from_slice(values),
            Value::Matrix(rows) => matrix(rows),
        }
    }
}

/// The largest difference, as a share of the expected values' largest one or of 1.
fn difference(got: &Tensor, expected: &Tensor) -> f64 {
    let expected = expected.to_kind(Kind::Double);
    assert_eq!(got.size(), expected.size());
    let scale = expected.abs().max().double_value(&[]).max(1.0);
    (got.to_kind(Kind::Double) - expected).abs().max().double_value(&[]) / scale
}

/// A loss with the variables of a case.
struct Fixture {
    variables: nn::VarStore,
    loss: Box<dyn Loss>,
    embeddings: Tensor,
    identities: Tensor,
}

impl Fixture {
    fn new(case: &Case, kind: Kind) -> Self {
        let mut variables = nn::VarStore::new(Device::Cpu);
        let loss = loss::build(&variables.root(), &case.settings.loss(4)).unwrap();
        variables.set_kind(kind);
        let named: BTreeMap<_, _> = variables.variables().into_iter().collect();
        assert!(named.keys().eq(case.variables.keys()), "{}: {:?}", case.name, named.keys());
        for (name, value) in &case.variables {
            no_grad(|| named[name].shallow_clone().copy_(&value.tensor()));
        }
        let embeddings = matrix(&case.embeddings).to_kind(kind).set_requires_grad(true);
        Fixture { variables, loss, embeddings, identities: Tensor::from_slice(&case.identities) }
    }

    fn backward(&self, step: u64) -> f64 {
        let loss = self.loss.forward(&self.embeddings, &self.identities, step);
        loss.backward();
        loss.double_value(&[])
    }
}

#[test]
fn values_and_gradients_of_the_reference() {
    for case in golden().cases {
        // Single precision loses digits in scaled cosines; the gradients' reference is good to 1e-8.
        for (kind, of_value, of_gradient) in [(Kind::Double, 1e-10, 1e-6), (Kind::Float, 1e-5, 1e-4)] {
            let fixture = Fixture::new(&case, kind);
            let loss = fixture.backward(case.step);
            let error = (loss - case.loss).abs() / case.loss;
            assert!(error < of_value, "{}, {kind:?}: {loss} instead of {}", case.name, case.loss);
            let error = difference(&fixture.embeddings.grad(), &matrix(&case.embedding_gradient));
            assert!(error < of_gradient, "{}, {kind:?}: the embeddings' gradient is off by {error}", case.name);
            for (name, expected) in &case.gradients {
                let error = difference(&fixture.variables.variables()[name].grad(), &expected.tensor());
                assert!(error < of_gradient, "{}, {kind:?}: the gradient of {name} is off by {error}", case.name);
            }
            if let Some(expected) = &case.centres_after {
                fixture.loss.step_taken();
                let error = difference(&fixture.variables.variables()["auxiliary.centres"], &matrix(expected));
                assert!(error < of_value, "{}, {kind:?}: the centres are off by {error}", case.name);
            }
        }
    }
}

#[test]
fn every_loss_has_a_reference() {
    let cases = golden().cases;
    for entry in LOSSES {
        let named = |case: &Case| case.settings.loss == entry.name || case.settings.auxiliary == entry.name;
        assert!(cases.iter().any(named), "{}", entry.name);
    }
}

#[test]
fn sharded_losses_have_the_same_reference() {
    for mut case in golden().cases {
        let cosine = !["softmax", "range", "marginal", "contrastive", "triplet"].contains(&case.settings.loss.as_str());
        for shards in [2, 3, 4, 9] {
            if cosine {
                case.settings.class_shards = shards;
                let fixture = Fixture::new(&case, Kind::Double);
                let loss = fixture.backward(case.step);
                assert!((loss - case.loss).abs() < 1e-10 * case.loss, "{}: {loss} instead of {}", case.name, case.loss);
                let error = difference(&fixture.embeddings.grad(), &matrix(&case.embedding_gradient));
                assert!(error < 1e-6, "{}: the embeddings' gradient is off by {error}", case.name);
                let error = difference(&fixture.variables.variables()["classes"].grad(), &case.gradients["classes"].tensor());
                assert!(error < 1e-6, "{}: the class matrix's gradient is off by {error}", case.name);
            }
        }
    }
}

#[test]
fn figure_4_of_the_reference() {
    let Figure { degrees, logits } = golden().figure_4;
    let curves = curves::figure_4(&degrees);
    assert_eq!(curves.len(), logits.len());
    for curve in curves {
        for ((degrees, got), expected) in degrees.iter().zip(&curve.logits).zip(&logits[curve.name]) {
            // ArcFace's guarded sine is off by up to 1e-6 at 0° and 180°.
            assert!((got - expected).abs() < 1e-6, "{} at {degrees}°: {got} instead of {expected}", curve.name);
        }
    }
}

fn margins() -> Vec<Box<dyn Margin>> {
    vec![
        Box::new(NoMargin),
        Box::new(CosFace { margin: 0.35 }),
        Box::new(ArcFace { margin: 0.5, beyond: Beyond::Plain }),
        Box::new(ArcFace { margin: 0.5, beyond: Beyond::Stable }),
        Box::new(SphereFace { multiple: 4 }),
        Box::new(SphereFace { multiple: 3 }),
        Box::new(Combined { multiple: 1.0, angle: 0.3, cosine: 0.2 }),
        Box::new(Combined { multiple: 1.5, angle: 0.3, cosine: 0.2 }),
    ]
}

/// A margin's value and derivative at cosines.
fn at(margin: &dyn Margin, cosines: &Tensor, strength: f64) -> (Tensor, Tensor) {
    let cosines = cosines.copy().set_requires_grad(true);
    let value = margin.apply(&cosines, strength);
    value.sum(value.kind()).backward();
    (value.detach(), cosines.grad())
}

#[test]
fn finite_where_the_formulas_are_not() {
    let edge = -(0.5f32.cos());
    // Rounding puts the cosine of equal vectors a little beyond 1.
    let cosines =
        [-1.0, edge.next_down(), edge, edge.next_up(), 0.0, 1.0, -1.0f32.next_down(), 1.0f32.next_up(), -1.0f32.next_up()];
    let cosines = Tensor::from_slice(&cosines);
    for margin in margins() {
        for kind in [Kind::Float, Kind::Double] {
            for strength in [0.0, 1e-3, 0.5, 1.0] {
                let (value, derivative) = at(margin.as_ref(), &cosines.to_kind(kind), strength);
                for (what, tensor) in [("value", value), ("derivative", derivative)] {
                    assert!(tensor.isfinite().all().int64_value(&[]) != 0, "{margin:?}, {strength}: {what} {tensor}");
                }
            }
        }
    }
}

#[test]
fn derivatives_are_the_margins_own() {
    let cosines = Tensor::linspace(-0.995, 0.995, 997, (Kind::Double, Device::Cpu));
    let step = 1e-6;
    for margin in margins() {
        for strength in [0.3, 1.0] {
            let (_, derivative) = at(margin.as_ref(), &cosines, strength);
            let above = margin.apply(&(&cosines + step), strength);
            let below = margin.apply(&(&cosines - step), strength);
            let error = ((above - below) / (2.0 * step) - derivative).abs();
            // The stable form of ArcFace jumps once, at π − m.
            let off = error.ge(1e-5).sum(Kind::Int64).int64_value(&[]);
            assert!(off <= i64::from(format!("{margin:?}").contains("Stable")), "{margin:?}: {off} derivatives differ");
        }
    }
}

#[test]
fn no_strength_is_the_cosine() {
    let cosines = Tensor::linspace(-1.0, 1.0, 201, (Kind::Double, Device::Cpu));
    for margin in margins() {
        let (value, derivative) = at(margin.as_ref(), &cosines, 0.0);
        assert!(difference(&value, &cosines) < 1e-12, "{margin:?}");
        assert!(difference(&derivative, &cosines.ones_like()) < 1e-12, "{margin:?}");
    }
}

#[test]
fn the_combined_margin_holds_the_others() {
    let combined = |multiple, angle, cosine| Combined { multiple, angle, cosine };
    let all = Tensor::linspace(-0.999, 0.999, 999, (Kind::Double, Device::Cpu));
    // cos(4θ) is ψ(θ) up to θ = π/4.
    let near = Tensor::linspace(0.7072, 0.999, 300, (Kind::Double, Device::Cpu));
    let pairs: [(Combined, Box<dyn Margin>, &Tensor); 3] = [
        (combined(4.0, 0.0, 0.0), Box::new(SphereFace { multiple: 4 }), &near),
        (combined(1.0, 0.5, 0.0), Box::new(ArcFace { margin: 0.5, beyond: Beyond::Plain }), &all),
        (combined(1.0, 0.0, 0.35), Box::new(CosFace { margin: 0.35 }), &all),
    ];
    for (combined, margin, cosines) in pairs {
        let (value, derivative) = at(&combined, cosines, 1.0);
        let (expected_value, expected_derivative) = at(margin.as_ref(), cosines, 1.0);
        assert!(difference(&value, &expected_value) < 1e-10, "{margin:?}");
        assert!(difference(&derivative, &expected_derivative) < 1e-8, "{margin:?}");
    }
}

#[test]
fn psi_falls_from_1_to_minus_7() {
    // ψ(0) = 1 and ψ(π) = (−1)³·cos 4π − 6 = −7; between them it only falls.
    let degrees: Vec<f64> = (0..=180).map(f64::from).collect();
    let logits = curves::target_logits(&SphereFace { multiple: 4 }, 1.0, &degrees);
    assert!((logits[0] - 1.0).abs() < 1e-12 && (logits[180] + 7.0).abs() < 1e-12);
    assert!(logits.windows(2).all(|pair| pair[1] < pair[0]));
}

#[test]
fn stable_arcface_only_falls_and_plain_rises_again() {
    let degrees: Vec<f64> = (0..=180).map(f64::from).collect();
    let falls = |beyond| {
        let logits = curves::target_logits(&ArcFace { margin: 0.5, beyond }, 1.0, &degrees);
        logits.windows(2).take_while(|pair| pair[1] < pair[0]).count()
    };
    assert_eq!(falls(Beyond::Stable), 180);
    // π − 0.5 is 151.35°.
    assert_eq!(falls(Beyond::Plain), 151);
}

/// Embeddings at cos θ −1, −cos 0.5, 0 and 1 from their own class, twice each, a zero one, and equal ones.
#[test]
fn every_loss_is_finite_on_degenerate_batches() {
    let (sine, cosine) = 0.5f32.sin_cos();
    let embeddings = [
        [-1.0, 0.0, 0.0],
        [-1.0, 0.0, 0.0],
        [-cosine, sine, 0.0],
        [0.0, 1.0, 0.0],
        [1.0, 0.0, 0.0],
        [1e3, 0.0, 0.0],
        [0.0, 0.0, 0.0],
        [1e-20, 0.0, 0.0],
    ];
    let batches: [&[i64]; 4] = [&[0; 8], &[0, 0, 0, 0, 0, 1, 1, 1], &[0, 1, 0, 1, 0, 1, 0, 1], &[0, 0, 1, 1, 2, 2, 3, 3]];
    for entry in LOSSES.iter().filter(|entry| entry.alone) {
        for auxiliary in ["", "centre"] {
            for identities in batches {
                let config = Config { loss: entry.name.into(), auxiliary: auxiliary.into(), embedding: 3, ..Config::default() };
                let variables = nn::VarStore::new(Device::Cpu);
                let loss = loss::build(&variables.root(), &config.loss(4)).unwrap();
                if let Some(classes) = loss.class_weights() {
                    let rows = [[1f32, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]];
                    no_grad(|| classes.shallow_clone().copy_(&Tensor::from_slice2(&rows)));
                }
                let embeddings = Tensor::from_slice2(&embeddings).set_requires_grad(true);
                let value = loss.forward(&embeddings, &Tensor::from_slice(identities), 1_000_000);
                value.backward();
                assert!(value.double_value(&[]).is_finite(), "{}: {value}", entry.name);
                let gradients = variables.trainable_variables().into_iter().chain([embeddings]).map(|tensor| tensor.grad());
                for gradient in gradients.filter(Tensor::defined) {
                    assert!(gradient.isfinite().all().int64_value(&[]) != 0, "{}: {gradient}", entry.name);
                }
            }
        }
    }
}

#[test]
fn a_batch_of_one_is_no_pair() {
    for name in ["contrastive", "triplet", "marginal", "range"] {
        let config = Config { loss: name.into(), embedding: 3, ..Config::default() };
        let variables = nn::VarStore::new(Device::Cpu);
        let loss = loss::build(&variables.root(), &config.loss(4)).unwrap();
        let embeddings = Tensor::from_slice2(&[[1f32, 2.0, 3.0]]).set_requires_grad(true);
        let value = loss.forward(&embeddings, &Tensor::from_slice(&[2i64]), 0);
        value.backward();
        assert_eq!(value.double_value(&[]), 0.0, "{name}");
        assert_eq!(embeddings.grad().abs().max().double_value(&[]), 0.0, "{name}");
    }
}

#[test]
fn centres_stay_where_a_step_is_skipped() {
    let config = Config { loss: "softmax".into(), auxiliary: "centre".into(), embedding: 3, ..Config::default() };
    let variables = nn::VarStore::new(Device::Cpu);
    let loss = loss::build(&variables.root(), &config.loss(4)).unwrap();
    let embeddings = Tensor::from_slice2(&[[1f32, 2.0, 3.0], [1.0, 1.0, 1.0]]);
    let largest = || variables.variables()["auxiliary.centres"].abs().max().double_value(&[]);
    let _ = loss.forward(&embeddings, &Tensor::from_slice(&[0i64, 1]), 0);
    // The optimiser skipped that step; the next one it takes.
    let _ = loss.forward(&(&embeddings * 2.0), &Tensor::from_slice(&[0i64, 1]), 1);
    assert_eq!(largest(), 0.0);
    loss.step_taken();
    // α/2 of 6, one sample.
    assert_eq!(largest(), 1.5);
    loss.step_taken();
    assert_eq!(largest(), 1.5);
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |changes: &[&str], part: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, "data = \"a.rec\"\n").unwrap();
        let changes: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
        let error = Config::open(&path, &changes).map(drop).unwrap_err().to_string();
        assert!(error.contains(part), "{changes:?}: {error}");
    };
    refused(&["loss=arcfacee"], "there is no loss \"arcfacee\"; there are: softmax, ");
    refused(&["auxiliary=center"], "there is no loss \"center\"");
    refused(&["margin=1.6"], "`margin` must lie in 0…1.57 for arcface");
    refused(&["loss=cosface", "margin=1.1"], "0…1 for cosface");
    refused(&["loss=sphereface", "margin=1.5"], "1, 2, 3 … 8");
    refused(&["loss=combined", "margins=[0.5, 0, 0]"], "`margins`");
    refused(&["loss=centre"], "set `loss = \"softmax\"` and `auxiliary = \"centre\"`");
    refused(&["loss=softmax", "auxiliary=centre", "centre_rate=2"], "`centre_rate`");
    refused(&["loss=range", "range_largest=0"], "`range_largest`");
    refused(&["loss=marginal", "marginal_threshold=-1"], "`marginal_threshold`");
    refused(&["loss=contrastive", "contrastive_margin=3"], "`contrastive_margin`");
    refused(&["loss=triplet", "triplet_margin=-0.1"], "`triplet_margin`");
    refused(&["loss_scale=0"], "`loss_scale`");
    refused(&["auxiliary=triplet", "auxiliary_weight=-1"], "`auxiliary_weight`");
    refused(&["lambda_end=2000"], "`lambda_start`");
    refused(&["class_shards=0"], "`class_shards`");
    refused(&["class_share=0"], "`class_share`");
}

#[test]
fn settings_survive_a_resume() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    std::fs::write(&path, "data = \"a.rec\"\nloss = \"softmax\"\nauxiliary = \"centre\"\n").unwrap();
    let config = Config::open(&path, &[]).unwrap();
    assert_eq!((config.margin, config.auxiliary_weight), (None, None));
    assert_eq!(config.resumed(&[]).unwrap(), config);
    let changed = config.resumed(&["margin=0.4".into(), "auxiliary_weight=0.01".into()]).unwrap();
    assert_eq!((changed.margin, changed.auxiliary_weight), (Some(0.4), Some(0.01)));
    assert_eq!(changed.resumed(&[]).unwrap(), changed);
    let error = config.resumed(&["auxiliary=range".into()]).unwrap_err().to_string();
    assert!(error.contains("`auxiliary` cannot change"), "{error}");
}

/// Mean cosine of pairs of one identity, and of two.
fn cosines(embeddings: &Tensor, identities: &Tensor) -> (f64, f64) {
    let unit = loss::classifier::unit_rows(embeddings);
    let cosines = unit.matmul(&unit.tr());
    let same = identities.unsqueeze(1).eq_tensor(&identities.unsqueeze(0));
    let mean = |mask: &Tensor| cosines.masked_select(mask).mean(Kind::Float).double_value(&[]);
    (mean(&same), mean(&same.logical_not()))
}

#[test]
fn every_loss_brings_identities_together_and_parts_them() {
    tch::set_num_threads(1);
    // Five noisy directions of twelve dimensions, eight samples each, to be embedded in four.
    let noise = |rows: i64, columns: i64, seed: f64| {
        let scattered =
            ((Tensor::arange(rows * columns, (Kind::Double, Device::Cpu)) * 12.9898 + seed).sin() * 43_758.545).frac();
        scattered.view([rows, columns]).to_kind(Kind::Float)
    };
    let identities = Tensor::arange(40, (Kind::Int64, Device::Cpu)).remainder(5);
    let inputs = noise(5, 12, 1.0).index_select(0, &identities) + noise(40, 12, 2.0);
    let start = noise(12, 4, 3.0) * 0.5;
    let centre = ("softmax", "centre");
    for (name, auxiliary) in LOSSES.iter().filter(|entry| entry.alone).map(|entry| (entry.name, "")).chain([centre]) {
        let config = Config {
            loss: name.into(),
            auxiliary: auxiliary.into(),
            embedding: 4,
            loss_scale: 16.0,
            range_margin: 4.0,
            range_within: 0.05,
            range_between: 0.2,
            class_share: 0.7,
            ..Config::default()
        };
        let variables = nn::VarStore::new(Device::Cpu);
        let root = variables.root();
        let loss = loss::build(&(&root / "loss"), &config.loss(5)).unwrap();
        let weights = root.zeros("weights", &[12, 4]);
        no_grad(|| weights.shallow_clone().copy_(&start));
        let (same_before, different_before) = cosines(&inputs.matmul(&weights), &identities);
        for step in 0..150 {
            loss.forward(&inputs.matmul(&weights), &identities, 1_000_000 + step).backward();
            loss.step_taken();
            no_grad(|| {
                for mut weight in variables.trainable_variables() {
                    let _ = weight.subtract_(&(weight.grad() * 0.1));
                    weight.zero_grad();
                }
            });
        }
        let (same, different) = cosines(&inputs.matmul(&weights), &identities);
        let gain = (same - different) - (same_before - different_before);
        assert!(gain > 0.2, "{name} {auxiliary}: {same_before:.3}, {different_before:.3} became {same:.3}, {different:.3}");
    }
}

/// What a loss keeps besides the class matrix, and the classes that a step draws, go on where they were.
#[test]
fn centres_and_sampled_classes_go_on_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let data = drawn::set(folder.path(), 4, 3);
    let base = Config { data, embedding: 16, batch: 4, ema: 0.0, threads: 1, ..Config::default() };
    let configs = [
        Config { loss: "softmax".into(), auxiliary: "centre".into(), ..base.clone() },
        Config {
            loss: "arcface".into(),
            auxiliary: "triplet".into(),
            identities_a_batch: 2,
            chips_an_identity: 2,
            class_share: 0.5,
            class_shards: 2,
            ..base
        },
    ];
    for config in configs {
        let name = config.loss.clone();
        let folder = folder.path().join(&name);
        let mut run = Run::begin(config, &folder).unwrap();
        assert!(!run.step().unwrap().skipped);
        run.save().unwrap();
        let mut later = Run::resume(&folder, &[]).unwrap();
        assert_eq!(run.step().unwrap(), later.step().unwrap(), "{name}");
        let (all, later) = (run.tensors(), later.tensors());
        assert!(all.keys().eq(later.keys()) && all.keys().any(|key| key.starts_with("loss/")), "{name}");
        for (key, tensor) in &all {
            assert!(tensor.equal(&later[key]), "{name}: {key}");
        }
    }
}
