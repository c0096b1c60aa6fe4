//! One comparison, and the search of 100,000 entries.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use veriface::{Embedding, Gallery, ModelId};

const DIMENSION: usize = 512;
const ENTRIES: usize = 100_000;
const MODEL: ModelId = ModelId::from_bytes([1; 32]);

/// Vectors in all directions, from a linear congruential generator (Knuth's MMIX constants).
fn vectors() -> impl Iterator<Item = Embedding> {
    let mut state = 1u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(move || {
        let values = (0..DIMENSION).map(|_| (0..4).map(|_| uniform()).sum()).collect();
        Embedding::from_raw(MODEL, values).expect("noise has a direction")
    })
}

fn gallery(c: &mut Criterion) {
    let mut vectors = vectors();
    let probe = vectors.next().expect("endless");
    let other = vectors.next().expect("endless");
    let mut gallery = Gallery::new(MODEL, DIMENSION).expect("a dimension in range");
    for (place, entry) in vectors.by_ref().take(ENTRIES).enumerate() {
        gallery.add(&place.to_string(), &entry).expect("a new name");
    }

    c.bench_function("compare 512", |b| b.iter(|| black_box(&probe).compare(black_box(&other))));
    let mut group = c.benchmark_group("top 5 of 100,000 x 512");
    group.sample_size(40).measurement_time(Duration::from_secs(4));
    group.bench_function("codes, then exact", |b| b.iter(|| gallery.search(black_box(&probe), 5).map(|found| found.len())));
    group.bench_function("exact, all", |b| b.iter(|| gallery.search_exhaustive(black_box(&probe), 5).map(|found| found.len())));
    group.finish();

    c.bench_function("add and remove one of 100,000", |b| {
        b.iter_batched(
            || (),
            |()| {
                gallery.add("new", black_box(&probe)).expect("a new name");
                gallery.remove("new").expect("just added");
            },
            BatchSize::SmallInput,
        )
    });
}

criterion_group!(benches, gallery);
criterion_main!(benches);
