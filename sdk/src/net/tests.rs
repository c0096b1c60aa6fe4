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
        let onnx = std::fs::read(models.join(name).with_extension("onnx")).unwrap();
        let expected = outputs(&Network::load_for(&onnx, &shape, None).unwrap());
        for f32 in kernels::F32Kernels::available() {
            let network = Network::load_for(&onnx, &shape, Some(Sets { f32, ..Sets::best() })).unwrap();
            assert!(matches!(network.runtime, Runtime::Kernels { .. }), "{name}: {}", network.describe()[0]);
            let got = outputs(&network);
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(&expected) {
                assert_eq!((&got.0, &got.1), (&expected.0, &expected.1));
                let cosine = cosine(&got.2, &expected.2);
                assert!(cosine > 0.999_99, "{name} {} on {}: {cosine}", got.0, f32.name);
            }
            assert_eq!(outputs(&network), got, "a second run differs");
        }
    }
}
