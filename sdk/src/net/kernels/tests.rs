//! Every set against the portable one, and the portable one against sums written out from the definition.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::dense::{RequantI8, Residual, half_of, half_to_f32};
use super::depthwise::OVERREAD;
use super::*;

/// Numbers of no meaning, the same each time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }

    fn float(&mut self) -> f32 {
        self.next() as f32 / (1_u64 << 31) as f32 * 2.0 - 1.0
    }

    fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }

    fn weights(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| (self.next() % 255) as i64 as i16 - 127).map(|w| w as i8).collect()
    }
}

#[derive(Clone, Copy, Debug)]
struct Shape {
    channels: (usize, usize),
    map: (usize, usize),
    window: Window,
    border: usize,
    few: bool,
    seed: u64,
}

impl Shape {
    fn output(&self) -> (usize, usize) {
        let side = |size: usize, window: usize, before: usize| (size + 2 * before - window) / self.window.stride + 1;
        (side(self.map.0, self.window.height, self.window.top), side(self.map.1, self.window.width, self.window.left))
    }

    fn input_plane(&self, few_lanes: usize) -> Plane {
        let border = self.window.border(self.map, self.output()).max(self.border);
        let lanes = if self.few && self.channels.0 <= few_lanes { few_lanes } else { LANES };
        Plane { channels: self.channels.0, height: self.map.0, width: self.map.1, border, lanes }
    }

    fn output_plane(&self) -> Plane {
        let (height, width) = self.output();
        Plane::blocked(self.channels.1, height, width, self.border)
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let window = (prop::sample::select(vec![1_usize, 2, 3, 5, 7]), 1..3_usize).prop_flat_map(|(size, stride)| {
        (0..=size / 2).prop_map(move |pad| Window { height: size, width: size, stride, top: pad, left: pad })
    });
    let sizes = (1..70_usize, 1..150_usize, 7..30_usize, 7..30_usize, 0..2_usize, any::<bool>(), any::<u64>());
    (window, sizes).prop_map(|(window, (from, to, height, width, border, few, seed))| {
        let from = if few { from % 3 + 1 } else { from };
        Shape { channels: (from, to), map: (height, width), window, border, few, seed }
    })
}

fn run(cases: u32, test: impl Fn(Shape)) {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
        .run(&shapes(), |shape| {
            test(shape);
            Ok(())
        })
        .unwrap();
}

/// The pixels of a map without its border.
fn inside<T: Copy>(plane: &Plane, map: &[T]) -> Vec<T> {
    let mut pixels = Vec::new();
    for channel in 0..plane.channels {
        for (y, x) in (0..plane.height).flat_map(|y| (0..plane.width).map(move |x| (y, x))) {
            pixels.push(map[(channel / plane.lanes) * plane.block() + plane.at(y, x) + channel % plane.lanes]);
        }
    }
    pixels
}

fn near(a: &[f32], b: &[f32], bound: f32) {
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= bound, "{a} and {b}");
    }
}

#[test]
fn dense_f32_of_every_set_is_the_definition() {
    run(60, |shape| {
        let mut noise = Noise(shape.seed);
        let (input, output, window) = (shape.input_plane(3), shape.output_plane(), shape.window);
        let mut map = noise.floats(input.len());
        input.fill_border(&mut map, 0.0);
        let taps = window.height * window.width;
        let weights = noise.floats(output.channels * input.channels * taps);
        let weight =
            |o: usize, i: usize, y: usize, x: usize| weights[((o * input.channels + i) * window.height + y) * window.width + x];
        let (bias, slope) = (noise.floats(output.channels), noise.floats(output.channels));
        let other = noise.floats(output.len());
        let residual = [None, Some(true), Some(false)][noise.next() as usize % 3].map(|how| Residual { plane: output, how });

        let pixels = inside(&input, &map);
        let added = inside(&output, &other);
        let mut expected = Vec::new();
        for (o, (y, x)) in
            (0..output.channels).flat_map(|o| (0..output.height).flat_map(move |y| (0..output.width).map(move |x| (o, (y, x)))))
        {
            let mut sum = f64::from(bias[o]);
            for (i, t) in (0..input.channels).flat_map(|i| (0..taps).map(move |t| (i, t))) {
                let (dy, dx) = (t / window.width, t % window.width);
                let (sy, sx) = (y * window.stride + dy, x * window.stride + dx);
                if (window.top..window.top + input.height).contains(&sy) && (window.left..window.left + input.width).contains(&sx)
                {
                    let pixel = pixels[(i * input.height + sy - window.top) * input.width + sx - window.left];
                    sum += f64::from(pixel) * f64::from(weight(o, i, dy, dx));
                }
            }
            let added = f64::from(added[(o * output.height + y) * output.width + x]);
            let act = |v: f64| if v < 0.0 { v * f64::from(slope[o]) } else { v };
            expected.push(match residual.map(|r| r.how) {
                None => act(sum),
                Some(true) => act(sum + added),
                Some(false) => act(sum) + added,
            } as f32);
        }
        let shape = (input, output, window);
        for kernels in F32Kernels::available() {
            let layer = DenseF32::new(kernels, shape, pack_f32(shape, weight), &bias, &slope, residual).unwrap();
            let mut result = vec![f32::NAN; output.len()];
            layer.run(&map, residual.map(|_| &other[..]), &mut result);
            let bound = if layer.is_half() { 2e-2 } else { 1e-3 };
            near(&inside(&output, &result), &expected, bound);
        }
    });
}

#[test]
fn dense_i8_of_every_set_is_equal_to_the_bit() {
    run(80, |shape| {
        let mut noise = Noise(shape.seed);
        let (input, output, window) = (shape.input_plane(4), shape.output_plane(), shape.window);
        let map: Vec<u8> = (0..input.len()).map(|_| noise.next() as u8).collect();
        let weights = noise.weights(output.channels * input.channels * window.height * window.width);
        let weight =
            |o: usize, i: usize, y: usize, x: usize| weights[((o * input.channels + i) * window.height + y) * window.width + x];
        let bias: Vec<i32> = (0..output.channels).map(|_| (noise.next() % 20000) as i32 - 10000).collect();
        let size = 1.0 / (50.0 * ((input.channels * window.height * window.width) as f32).sqrt());
        let scale: Vec<f32> = (0..output.channels).map(|_| size * (noise.float() + 1.1)).collect();
        let negative: Vec<f32> = scale.iter().map(|s| s * noise.float()).collect();
        let zero = noise.next() as u8;
        let least = if noise.next().is_multiple_of(2) { zero } else { 0 };
        let (packed, sums) = pack_i8((input, output, window), weight);
        let input_zero = noise.next() as u8;
        let numbers = RequantI8 { input_zero, bias: &bias, sums: &sums, scale: &scale, negative: &negative, zero, least };
        let other: Vec<u8> = (0..output.len()).map(|_| noise.next() as u8).collect();
        let how = SumI8 {
            a_zero: i32::from(zero),
            a_ratio: noise.float() + 1.0,
            b_zero: noise.next() as i32 & 255,
            b_ratio: noise.float() + 1.0,
            zero: noise.next() as i32 & 255,
            least: 0,
        };
        let residual = noise.next().is_multiple_of(2).then_some(Residual { plane: output, how });
        let layer = |kernels| DenseI8::new(kernels, (input, output, window), packed.clone(), &numbers, residual).unwrap();

        let run = |kernels| {
            let mut bytes = vec![0; output.len()];
            layer(kernels).run(&map, residual.map(|_| &other[..]), &mut bytes);
            let mut raw = vec![0.0; output.len()];
            if residual.is_none() {
                layer(kernels).run_raw(&map, &mut raw);
            }
            (inside(&output, &bytes), inside(&output, &raw))
        };
        let expected = run(&portable::I8);
        for kernels in I8Kernels::available() {
            assert!(run(kernels) == expected, "{} differs: {shape:?}", kernels.name);
        }
    });
}

#[test]
fn an_int8_sum_is_the_contracts() {
    // One pixel, one channel: q = clamp(round_half_even((Σ (x − z_x) · w + bias) · m) + z_y).
    let plane = Plane::blocked(1, 1, 1, 0);
    let window = Window { height: 1, width: 1, stride: 1, top: 0, left: 0 };
    let quantised = |x: u8, w: i8, bias: i32, m: f32, slope: f32, zero: u8| {
        let mut results = I8Kernels::available().into_iter().map(|kernels| {
            let shape = (plane, plane, window);
            let (weights, sums) = pack_i8(shape, |_, _, _, _| w);
            let negative = [m * slope];
            let numbers =
                RequantI8 { input_zero: 3, bias: &[bias], sums: &sums, scale: &[m], negative: &negative, zero, least: 0 };
            let mut output = vec![0; plane.len()];
            DenseI8::new(kernels, shape, weights, &numbers, None).unwrap().run(&[x; 16], None, &mut output);
            output[0]
        });
        let first = results.next().unwrap();
        assert!(results.all(|other| other == first));
        first
    };
    assert_eq!(quantised(13, 5, 0, 0.25, 1.0, 10), 22); // 12.5 → 12
    assert_eq!(quantised(13, 5, 4, 0.25, 1.0, 10), 24); // 13.5 → 14
    assert_eq!(quantised(0, 5, 0, 0.5, 1.0, 10), 2); // −7.5 → −8
    assert_eq!(quantised(0, 5, 0, 0.5, 0.2, 10), 8); // −1.5 → −2
    assert_eq!(quantised(255, 127, i32::MAX - 40_000, 1.0, 1.0, 10), 255);
    assert_eq!(quantised(0, 127, i32::MIN + 40_000, 1.0, 1.0, 10), 0);
}

#[test]
fn depthwise_f32_of_every_set_is_the_portable_one() {
    run(60, |shape| {
        let mut noise = Noise(shape.seed);
        let channels = shape.channels.1;
        let shape = Shape { channels: (channels, channels), few: false, ..shape };
        let (input, output, window) = (shape.input_plane(4), shape.output_plane(), shape.window);
        let map = noise.floats(input.len());
        let weights = noise.floats(channels * 49);
        let (bias, slope) = (noise.floats(channels), noise.floats(channels));
        let run = |kernels| {
            let mut result = vec![f32::NAN; output.len()];
            let weight = |c: usize, y: usize, x: usize| weights[c * 49 + y * 7 + x];
            let shape = (input, output, window);
            DepthwiseF32::new(kernels, shape, pack_depthwise(shape, weight), &bias, &slope).unwrap().run(&map, &mut result);
            inside(&output, &result)
        };
        let expected = run(&portable::F32);
        for kernels in F32Kernels::available() {
            near(&run(kernels), &expected, 1e-4);
        }
    });
}

#[test]
fn depthwise_i8_of_every_set_is_equal_to_the_bit() {
    run(80, |shape| {
        let mut noise = Noise(shape.seed);
        let channels = shape.channels.1;
        let shape = Shape { channels: (channels, channels), few: false, ..shape };
        let (input, output, window) = (shape.input_plane(4), shape.output_plane(), shape.window);
        let map: Vec<u8> = (0..input.len() + OVERREAD).map(|_| noise.next() as u8).collect();
        let weights = noise.weights(channels * 49);
        let bias: Vec<i32> = (0..channels).map(|_| (noise.next() % 20000) as i32 - 10000).collect();
        let scale: Vec<f32> = (0..channels).map(|_| (noise.float() + 1.1) / (50.0 * window.height as f32)).collect();
        let negative: Vec<f32> = scale.iter().map(|s| s * noise.float()).collect();
        let shown = shape;
        let shape = (input, output, window);
        let weight = |c: usize, y: usize, x: usize| weights[c * 49 + y * 7 + x];
        let sum = |c: usize| {
            (0..window.height).flat_map(|y| (0..window.width).map(move |x| (y, x))).map(|(y, x)| i32::from(weight(c, y, x))).sum()
        };
        let sums: Vec<i32> = (0..channels).map(sum).collect();
        let numbers = RequantI8 {
            input_zero: noise.next() as u8,
            bias: &bias,
            sums: &sums,
            scale: &scale,
            negative: &negative,
            zero: noise.next() as u8,
            least: 0,
        };
        let run = |kernels| {
            let mut bytes = vec![0; output.len()];
            DepthwiseI8::new(kernels, shape, pack_depthwise(shape, weight), &numbers).unwrap().run(&map, &mut bytes);
            inside(&output, &bytes)
        };
        let expected = run(&portable::I8);
        for kernels in I8Kernels::available() {
            assert!(run(kernels) == expected, "{} differs: {shown:?}", kernels.name);
        }
    });
}

#[test]
fn a_fully_connected_layer_in_half_precision_is_close() {
    let mut noise = Noise(7);
    let input = Plane::blocked(100, 7, 7, 0);
    let output = Plane::blocked(130, 1, 1, 0);
    let window = Window { height: 7, width: 7, stride: 1, top: 0, left: 0 };
    let (map, weights) = (noise.floats(input.len()), noise.floats(130 * 4900));
    let weight = |o: usize, i: usize, y: usize, x: usize| weights[o * 4900 + i * 49 + y * 7 + x];
    let exact: Vec<f64> = (0..130)
        .map(|o| inside(&input, &map).iter().enumerate().map(|(i, v)| f64::from(*v) * f64::from(weights[o * 4900 + i])).sum())
        .collect();
    let shape = (input, output, window);
    for kernels in F32Kernels::available() {
        let layer = DenseF32::new(kernels, shape, pack_f32(shape, weight), &[0.0; 130], &[1.0; 130], None).unwrap();
        assert!(layer.is_half());
        let mut result = vec![0.0; output.len()];
        layer.run(&map, None, &mut result);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let result: Vec<f64> = inside(&output, &result).into_iter().map(f64::from).collect();
        let cosine = dot(&result, &exact) / (dot(&result, &result) * dot(&exact, &exact)).sqrt();
        assert!(cosine > 0.999_999, "{}: {cosine}", kernels.name);
    }
}

#[test]
fn halves_are_ieees() {
    // IEEE 754-2019, binary16: 1 = 0x3c00, the largest 65504 = 0x7bff, the smallest 2⁻²⁴ = 0x0001, 1/3 rounds to 0x3555.
    for (value, half) in
        [(1.0, 0x3c00), (-2.0, 0xc000), (65504.0, 0x7bff), (1e9, 0x7bff), (2f32.powi(-24), 1), (1.0 / 3.0, 0x3555), (0.0, 0)]
    {
        assert_eq!(half_of(value), half, "{value}");
    }
    for half in (0..0x7c00).chain(0x8000..0xfc00) {
        assert_eq!(half_of(half_to_f32(half)), half);
    }
}
