//! Identification against a million distractors. Alone in its process, whose memory is measured.

use tch::{Device, Kind, Tensor};
use trainer::eval::identification::{Verification, identify};
use veriface::FalseMatchRate;

/// Half a gigabyte of distractors passes through a few megabytes.
#[test]
fn a_million_distractors_pass_through_a_bounded_memory() {
    const DISTRACTORS: usize = 1_000_000;
    const DIMENSION: i64 = 128;
    tch::manual_seed(3);
    let options = (Kind::Float, Device::Cpu);
    let centres = Tensor::randn([50, 1, DIMENSION], options);
    let probes = (centres + Tensor::randn([50, 4, DIMENSION], options) * 1.1).view([200, DIMENSION]);
    let identities: Vec<u32> = (0..200).map(|probe| probe / 4).collect();
    let before = resident_kilobytes();
    let mut most = before;
    let blocks = (0..DISTRACTORS / 4000).map(|_| {
        most = most.max(resident_kilobytes());
        Ok(Tensor::randn([4000, DIMENSION], options))
    });
    let start = std::time::Instant::now();
    let far = FalseMatchRate::ONE_IN_1_000_000;
    let found = identify(&probes, &identities, blocks, DISTRACTORS, &[1_000], far).expect("figures");
    let grown = most.zip(before).map(|(most, before)| most - before);
    eprintln!("200 probes × 1,000,000 distractors × 128: {:.1} s, memory grew by {grown:?} kB", start.elapsed().as_secs_f64());
    assert!(grown.is_none_or(|kilobytes| kilobytes < 200_000), "{grown:?} kB");
    assert!(found.ranks[0].rank_1 > found.ranks[1].rank_1, "{:?}", found.ranks);
    let Verification::Measured { threshold, impostor_pairs, .. } = found.verification else { panic!("refused") };
    assert_eq!(impostor_pairs, 200_000_000);
    // The cosine of two random directions in d dimensions is as good as normal with deviation 1/√d; one in 10⁶ exceeds 4.753 of
    // them, and a little less for its thinner tail.
    assert!((threshold - 4.753 / 128f64.sqrt()).abs() < 0.02, "{threshold}");
}

fn resident_kilobytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().trim_end_matches(" kB").parse().ok()
}
