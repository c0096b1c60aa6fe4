//! Changed sets of others: none panics, none takes longer than a second or two. `VERIFACE_FUZZ_ROUNDS=100000` makes it that many.

mod targets;

use std::time::{Duration, Instant};

use trainer::data::recordio::{Label, Record, RecordWriter};
use trainer::data::verification_bin::VerificationBin;
use veriface_tests::here;
use veriface_tests::mutate::Mutator;

fn attack(name: &str, run: fn(&[u8]), seeds: &[Vec<u8>]) {
    let rounds = std::env::var("VERIFACE_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1000);
    seeds.iter().for_each(|seed| run(seed));
    let mut mutator = Mutator::new(0x9e37_79b9_7f4a_7c15);
    let (begin, mut slowest) = (Instant::now(), Duration::ZERO);
    for round in 0..rounds {
        let bytes = mutator.changed(seeds);
        let start = Instant::now();
        if std::panic::catch_unwind(|| run(&bytes)).is_err() {
            let file = std::env::temp_dir().join(format!("veriface-{name}-{round}"));
            std::fs::write(&file, &bytes).expect("written");
            panic!("{name}: the input is {}", file.display());
        }
        slowest = slowest.max(start.elapsed());
        assert!(start.elapsed() < Duration::from_secs(10), "{name}, round {round}");
    }
    println!("{name}: {rounds} inputs in {:.1} s; slowest {slowest:.1?}", begin.elapsed().as_secs_f32());
}

#[test]
fn records() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("set.rec");
    let mut writer = RecordWriter::create(&path).expect("a set");
    let picture = std::fs::read(here("hostile/rgb8.png")).expect("read");
    // The magic number inside a payload splits a record into parts.
    let split = [&[0u8; 8][..], &0xced7_230au32.to_le_bytes(), &[1; 8]].concat();
    for (key, payload) in [picture, split, Vec::new()].into_iter().enumerate() {
        let label = if key == 1 { Label::Many(vec![1.0, 2.0]) } else { Label::One(key as f32) };
        writer.write(key as u64, &Record { label, id: key as u64, id2: 0, payload }).expect("written");
    }
    writer.finish().expect("finished");
    let (index, records) = (std::fs::read(path.with_extension("idx")).expect("read"), std::fs::read(&path).expect("read"));
    let seed = [&(index.len() as u16).to_le_bytes()[..], &index, &records].concat();
    attack("records", targets::records, &[seed]);
}

#[test]
fn verification_bins() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("set.bin");
    let set = VerificationBin::new(vec![vec![1, 2, 3], vec![4; 300], vec![], vec![5]], vec![true, false]).expect("a set");
    set.write(&path).expect("written");
    attack("verification_bin", targets::verification_bin, &[std::fs::read(&path).expect("read")]);
}
