use super::*;

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
    let read = |outputs: &[Output]| outputs.iter().map(|o| (o.name.clone(), o.shape.clone(), o.values.clone())).collect();
    network.run(noise, read).unwrap()
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
        let expected = outputs(&Network::load_for(&onnx, &shape, None).unwrap());
        for f32 in kernels::F32Kernels::available() {
            let network = Network::load_for(&onnx, &shape, Some(Sets { f32, ..Sets::best() })).unwrap();
            assert!(matches!(network.runtime, Runtime::Kernels { .. }), "{name}: {}", network.describe()[0]);
            let got = outputs(&network);
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(&expected) {
                assert_eq!((&got.0, &got.1), (&expected.0, &expected.1));
                // YuNet's objectness of noise is below what tract's sigmoid resolves.
                let largest = got.2.iter().zip(&expected.2).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                let cosine = cosine(&got.2, &expected.2);
                assert!(cosine > 0.999_99 || largest < 1e-6, "{name} {} on {}: {cosine}, {largest}", got.0, f32.name);
            }
            assert_eq!(outputs(&network), got, "a second run differs");
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
