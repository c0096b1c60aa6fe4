use super::*;
use crate::pack::Bytes;

#[test]
fn bytes_that_are_not_onnx_are_refused() {
    for bytes in [&b""[..], b"hello", &[0xff; 64], &[8, 7, 58, 200]] {
        assert_eq!(Network::load(bytes, &[1, 3, 112, 112]).err().map(|e| e.code()), Some(ErrorCode::UnusableNetwork));
    }
}

/// A picture's worth of numbers in −1…1 that is the same each time.
fn noise(input: &mut [f32]) {
    let mut state = 1_u32;
    for value in input {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *value = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
    }
}

fn outputs(network: &Network) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    outputs_of(network, noise)
}

fn outputs_of(network: &Network, fill: fn(&mut [f32])) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let read = |outputs: &[Output]| outputs.iter().map(|o| (o.name.clone(), o.shape.clone(), o.values.clone())).collect();
    network.run(fill, read).unwrap()
}

/// Grey levels, as YuNet takes them: on a nearly black picture its objectness is below what tract's sigmoid resolves.
fn noise_of_grey_levels(input: &mut [f32]) {
    noise(input);
    input.iter_mut().for_each(|value| *value = (*value + 1.0) * 127.5);
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The published networks on every set of kernels against tract.
#[test]
fn published_networks_are_what_tract_computes() {
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    if !models.exists() && std::env::var("VERIFACE_REQUIRE_SHARED").as_deref() != Ok("1") {
        return println!("skipped: no ../shared");
    }
    for (name, shape) in [
        ("mobilefacenet_y1_128d", [1, 3, 112, 112]),
        ("scrfd_500m_bnkps_320", [1, 3, 320, 320]),
        ("scrfd_2.5g_bnkps_640", [1, 3, 640, 640]),
        ("face_detection_yunet_2023mar", [1, 3, 640, 640]),
        ("face_detection_yunet_2026may", [1, 3, 320, 256]),
    ] {
        let onnx = std::fs::read(models.join(format!("{name}.onnx"))).unwrap();
        let fill = if name.contains("yunet") { noise_of_grey_levels } else { noise };
        let expected = outputs_of(&Network::load_for(&onnx, &shape, None).unwrap(), fill);
        for f32 in kernels::F32Kernels::available() {
            let network = Network::load_for(&onnx, &shape, Some(Sets { f32, ..Sets::best() })).unwrap();
            assert!(matches!(network.runtime, Runtime::Kernels { .. }), "{name}: {}", network.describe()[0]);
            let got = outputs_of(&network, fill);
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(&expected) {
                assert_eq!((&got.0, &got.1), (&expected.0, &expected.1));
                let cosine = cosine(&got.2, &expected.2);
                assert!(cosine > 0.999_99, "{name} {} on {}: {cosine}", got.0, f32.name);
            }
            assert_eq!(outputs_of(&network, fill), got, "a second run differs");
        }
    }
}

/// Small networks that `benches/peers/networks.py --golden` made, and what onnxruntime 1.32 computes of them: with ReLU in integers as
/// we do, with PRelu in float, where a rounding may fall the other way.
#[test]
fn int8_networks_are_onnxruntimes_and_equal_to_the_bit_on_every_set() {
    type Golden = (&'static [u8], &'static [u8], &'static [u8], f32);
    let golden: [Golden; 2] = [
        (
            include_bytes!("golden/small_relu_int8.onnx"),
            include_bytes!("golden/small_relu.input"),
            include_bytes!("golden/small_relu.output"),
            1e-5,
        ),
        (
            include_bytes!("golden/small_prelu_int8.onnx"),
            include_bytes!("golden/small_prelu.input"),
            include_bytes!("golden/small_prelu.output"),
            0.02,
        ),
    ];
    for (onnx, input, output, bound) in golden {
        let expected: Vec<f32> = output.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        let mut first: Option<Vec<f32>> = None;
        for i8 in kernels::I8Kernels::available() {
            let network = Network::load_for(onnx, &[1, 3, 24, 24], Some(Sets { i8, ..Sets::best() })).unwrap();
            let plan = network.describe();
            let float =
                plan.iter().filter(|line| ["convolution ", "add ", "depthwise convolution "].iter().any(|w| line.starts_with(w)));
            assert_eq!(float.filter(|line| !line.contains("int8")).count(), 0, "{plan:#?}");
            let fill = |to: &mut [f32]| to.iter_mut().zip(input).for_each(|(to, byte)| *to = (f32::from(*byte) - 128.0) / 128.0);
            let got = network.run(fill, |outputs| outputs[0].values.clone()).unwrap();
            for (got, expected) in got.iter().zip(&expected) {
                assert!((got - expected).abs() <= bound, "{got} for {expected} on {}", i8.name);
            }
            assert_eq!(first.get_or_insert_with(|| got.clone()), &got, "{} differs", i8.name);
        }
    }
}

type Sized = (Vec<u8>, Vec<usize>);

fn small_networks() -> Vec<Sized> {
    let golden: [&[u8]; 2] = [include_bytes!("golden/small_relu_int8.onnx"), include_bytes!("golden/small_prelu_int8.onnx")];
    golden.map(|onnx| (onnx.to_vec(), vec![1, 3, 24, 24])).to_vec()
}

fn prepared(onnx: &[u8], shape: &[usize]) -> Vec<u8> {
    Network::prepare(onnx, shape, &[7; 32]).unwrap().expect("a network of our kernels")
}

#[test]
fn a_prepared_network_is_its_onnx_file_to_the_bit() {
    let mut networks = small_networks();
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/models");
    for (name, shape) in [
        ("mobilefacenet_y1_128d", [1, 3, 112, 112]),
        ("scrfd_500m_bnkps_320", [1, 3, 320, 320]),
        ("face_detection_yunet_2026may", [1, 3, 320, 256]),
    ] {
        match std::fs::read(models.join(format!("{name}.onnx"))) {
            Ok(onnx) => networks.push((onnx, shape.to_vec())),
            Err(_) => println!("skipped: no ../shared"),
        }
    }
    for (onnx, shape) in networks {
        let bytes = Bytes::copied(&prepared(&onnx, &shape));
        let best = Sets::best();
        let f32 = kernels::F32Kernels::available().into_iter().map(|f32| Sets { f32, ..best });
        let i8 = kernels::I8Kernels::available().into_iter().map(|i8| Sets { i8, ..best });
        for sets in f32.chain(i8) {
            let network = Network::load_prepared(&bytes, &shape, &[7; 32], sets).unwrap().unwrap();
            let from_onnx = Network::load_for(&onnx, &shape, Some(sets)).unwrap();
            assert_eq!(outputs(&network), outputs(&from_onnx), "{shape:?}, {} {}", sets.f32.name, sets.i8.name);
            assert_eq!(network.describe(), from_onnx.describe());
        }
    }
}

/// Weights that begin anywhere are copied to where kernels may read them.
#[test]
fn a_prepared_network_may_lie_anywhere_in_memory() {
    for (onnx, shape) in small_networks() {
        let bytes = prepared(&onnx, &shape);
        let expected = outputs(&Network::load(&onnx, &shape).unwrap());
        for shift in [1, 4, 33] {
            let shifted = Bytes::from([&vec![0; shift][..], &bytes[..]].concat()).part(shift..shift + bytes.len()).unwrap();
            let network = Network::load_prepared(&shifted, &shape, &[7; 32], Sets::best()).unwrap().unwrap();
            assert_eq!(outputs(&network), expected);
        }
    }
}

#[test]
fn a_prepared_network_of_another_version_file_or_input_is_left_to_the_onnx_file() {
    let (onnx, shape) = small_networks().remove(0);
    let bytes = prepared(&onnx, &shape);
    let load = |bytes: &[u8], shape: &[usize], onnx: [u8; 32]| {
        Network::load_prepared(&Bytes::copied(bytes), shape, &onnx, Sets::best()).unwrap().is_some()
    };
    assert!(load(&bytes, &shape, [7; 32]));
    assert!(!load(&bytes, &shape, [8; 32]) && !load(&bytes, &[1, 3, 24, 32], [7; 32]) && !load(&bytes[..60], &shape, [7; 32]));
    let mut newer = bytes.clone();
    newer[4] += 1;
    assert!(!load(&newer, &shape, [7; 32]));
}

/// Whatever stands in a prepared part: an error with its number or a network that runs, never a panic.
#[test]
fn damaged_prepared_networks_do_not_panic() {
    let (onnx, shape) = small_networks().remove(1);
    let bytes = prepared(&onnx, &shape);
    let length = u64::from_le_bytes(*bytes[8..].first_chunk().unwrap()) as usize;
    let json = String::from_utf8(bytes[64..64 + length].to_vec()).unwrap();
    let mut tried = [0, 0];
    let mut load = |bytes: &[u8]| {
        // Past `load_prepared`, which would turn a panic into an error.
        match prepared::read(&Bytes::copied(bytes), &shape, &[7; 32], Sets::best()) {
            Ok(Some(read)) => {
                tried[0] += 1;
                let mut arena = read.plan.arena();
                read.plan.run(&mut arena, noise);
            }
            Ok(None) => {}
            Err(_) => tried[1] += 1,
        }
    };
    for end in (0..bytes.len()).step_by(41) {
        load(&bytes[..end]);
    }
    for at in (0..64).chain((64..bytes.len()).step_by(53)) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x15;
        load(&damaged);
    }
    // Every number of the JSON replaced.
    let digits: Vec<usize> = json.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at).collect();
    for (place, at) in digits.iter().enumerate() {
        if place > 0 && digits[place - 1] + 1 == *at {
            continue;
        }
        let end = json[*at..].find(|c: char| !c.is_ascii_digit()).map_or(json.len(), |n| at + n);
        for value in ["0", "1", "2", "3", "16", "255", "256", "40000", "4294967296", "18446744073709551615"] {
            let mut text = format!("{}{value}{}", &json[..*at], &json[end..]).into_bytes();
            while text.len() > length && text.last() == Some(&b' ') {
                text.pop();
            }
            text.resize(length, b' ');
            load(&[&bytes[..64], &text[..], &bytes[64 + length..]].concat());
        }
    }
    // Words for others: a value of another kind, another operator, an input left out.
    for (word, other) in [
        ("true", "false"),
        ("false", "true"),
        ("null", "true"),
        ("\"add_i8\"", "\"quantize\""),
        ("[", "[["),
        ("convolution_i8", "convolution"),
    ] {
        for (at, _) in json.match_indices(word) {
            let mut text = format!("{}{other}{}", &json[..at], &json[at + word.len()..]).into_bytes();
            text.resize(length, b' ');
            load(&[&bytes[..64], &text[..], &bytes[64 + length..]].concat());
        }
    }
    assert!(tried[0] > 100 && tried[1] > 1000, "{tried:?}");
}

/// Random bytes inside a graph give an error or a network, never a panic.
#[test]
fn damaged_graphs_do_not_panic() {
    let onnx: &[u8] = include_bytes!("golden/small_relu_int8.onnx");
    for at in (0..onnx.len()).step_by(97) {
        let mut damaged = onnx.to_vec();
        damaged[at] ^= 0x55;
        if let Ok(network) = Network::load(&damaged, &[1, 3, 24, 24]) {
            let _ = network.run(noise, |outputs| outputs.len());
        }
    }
}
