//! Two thousand changed inputs for each target of `targets.rs`. `VERIFACE_FUZZ_ROUNDS=100000` makes it that many; `fuzz/` goes deeper.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use veriface_tests::mutate::Mutator;
use veriface_tests::targets::{ALL, Target};

use crate::heap;

/// What one input may take, on a machine that others use too.
const TIME: Duration = Duration::from_secs(10);

fn rounds() -> usize {
    std::env::var("VERIFACE_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(2000)
}

fn attack(target: &Target) {
    let seeds = (target.seeds)();
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| (target.run)(seed));
    let mut mutator = Mutator::new(0x9e37_79b9_7f4a_7c15);
    let (mut slowest, mut largest, begin) = (Duration::ZERO, 0, Instant::now());
    for round in 0..rounds() {
        let bytes = mutator.changed(&seeds);
        let start = Instant::now();
        let (memory, outcome) = heap::peak(|| catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes))));
        let time = start.elapsed();
        if outcome.is_err() || time > TIME || memory > target.memory {
            let file = std::env::temp_dir().join(format!("veriface-{}-{round}", target.name));
            std::fs::write(&file, &bytes).unwrap();
            panic!(
                "{}: {time:?}, {} KiB, panicked: {}; the input is {}",
                target.name,
                memory >> 10,
                outcome.is_err(),
                file.display()
            );
        }
        (slowest, largest) = (slowest.max(time), largest.max(memory));
    }
    let seconds = begin.elapsed().as_secs_f32();
    println!("{}: {} inputs in {seconds:.1} s; slowest {slowest:.1?}, most memory {} KiB", target.name, rounds(), largest >> 10);
}

macro_rules! targets {
    ($($name:ident),+) => {
        $(#[test] fn $name() { attack(ALL.iter().find(|target| target.name == stringify!($name)).unwrap()) })+
        const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

targets!(picture, camera, onnx, prepared, pack, template, sealed, gallery, pairs);

#[test]
fn every_target_is_attacked_here_and_in_fuzz() {
    for target in ALL {
        assert!(NAMES.contains(&target.name), "{}", target.name);
        let file = veriface_tests::here("../fuzz/fuzz_targets").join(target.name).with_extension("rs");
        assert!(file.exists(), "{}", file.display());
    }
}

#[test]
fn changes_are_the_same_each_time() {
    let seeds = vec![vec![1, 2, 3, 4], vec![5; 100]];
    let inputs = || {
        let mut mutator = Mutator::new(7);
        (0..1000).map(|_| mutator.changed(&seeds)).collect::<Vec<_>>()
    };
    assert_eq!(inputs(), inputs());
    assert!(inputs().iter().any(|input| input.len() > 100) && inputs().iter().any(Vec::is_empty));
}

/// `VERIFACE_FUZZ_SEEDS=../fuzz/corpus` writes what a target begins with where libFuzzer looks for it.
#[test]
fn seeds_are_written_where_they_are_asked_for() {
    let Some(folder) = std::env::var_os("VERIFACE_FUZZ_SEEDS") else { return };
    for target in ALL {
        let folder = std::path::Path::new(&folder).join(target.name);
        std::fs::create_dir_all(&folder).unwrap();
        for (number, seed) in (target.seeds)().iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
        }
    }
}
