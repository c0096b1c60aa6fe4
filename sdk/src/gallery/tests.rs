//! A gallery against a plain map that is searched by comparing everything.

use proptest::prelude::*;

use sha2::{Digest, Sha256};

use super::file::PREFIX;
use super::*;
use crate::template::{CHECKSUM, Template};

const MODEL: ModelId = ModelId::from_bytes([7; 32]);

fn embedding(values: &[f32]) -> Embedding {
    Embedding::from_raw(MODEL, values.to_vec()).unwrap()
}

/// Numbers that look normal enough: the sum of four uniform ones, from a linear congruential generator (Knuth's MMIX constants).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f32 {
        (0..4)
            .map(|_| {
                self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
            })
            .sum()
    }

    fn vector(&mut self, dimension: usize) -> Vec<f32> {
        (0..dimension).map(|_| self.next()).collect()
    }

    /// `of` moved by noise, so that their cosine is about 1 / √(1 + spread²).
    fn near(&mut self, of: &[f32], spread: f32) -> Embedding {
        embedding(&of.iter().map(|value| value + spread * self.next()).collect::<Vec<_>>())
    }
}

fn filled(vectors: impl IntoIterator<Item = Embedding>) -> Gallery {
    let mut vectors = vectors.into_iter().peekable();
    let dimension = vectors.peek().unwrap().dimension();
    let mut gallery = Gallery::new(MODEL, dimension).unwrap();
    for (place, vector) in vectors.enumerate() {
        gallery.add(&format!("n{place:06}"), &vector).unwrap();
    }
    gallery
}

/// What a search must give: every comparison, sorted.
fn sorted(gallery: &Gallery, probe: &Embedding, k: usize) -> Vec<(String, Score)> {
    let compare = |(name, values): (&str, &[f32])| {
        let entry = Embedding::from_unit(MODEL, values.to_vec()).unwrap();
        (name.to_owned(), entry.compare(probe).unwrap())
    };
    let mut all: Vec<_> = gallery.entries().map(compare).collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.truncate(k);
    all
}

fn owned(matches: Vec<Match<'_>>) -> Vec<(String, Score)> {
    matches.into_iter().map(|one| (one.name.to_owned(), one.score)).collect()
}

#[test]
fn add_get_search_remove() {
    let mut gallery = filled([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]].map(|values| embedding(&values)));
    let probe = embedding(&[1.0, 0.1]);
    let names = |gallery: &Gallery, k| gallery.search(&probe, k).unwrap().iter().map(|m| m.name.to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&gallery, 5), ["n000000", "n000002", "n000001"]);
    assert_eq!(names(&gallery, 1), ["n000000"]);
    assert!(names(&gallery, 0).is_empty());
    gallery.remove("n000000").unwrap();
    assert_eq!(names(&gallery, 5), ["n000002", "n000001"]);
    assert_eq!(gallery.get("n000001"), Some(embedding(&[0.0, 1.0])));
    assert_eq!(gallery.get("n000000"), None);
    gallery.remove("n000001").unwrap();
    gallery.remove("n000002").unwrap();
    assert!(gallery.is_empty() && names(&gallery, 5).is_empty());
}

#[test]
fn entries_that_do_not_belong_are_refused_and_change_nothing() {
    let mut gallery = filled([embedding(&[1.0, 0.0])]);
    let before = owned(gallery.search(&embedding(&[1.0, 0.5]), 9).unwrap());
    let code = |gallery: &mut Gallery, name: &str, entry: &Embedding| gallery.add(name, entry).unwrap_err().code();
    let good = embedding(&[0.0, 1.0]);
    let other = Embedding::from_raw(ModelId::from_bytes([8; 32]), vec![1.0, 0.0]).unwrap();
    assert_eq!(code(&mut gallery, "b", &other), ErrorCode::ModelMismatch);
    assert_eq!(code(&mut gallery, "b", &embedding(&[1.0])), ErrorCode::InvalidEmbedding);
    assert_eq!(code(&mut gallery, "n000000", &good), ErrorCode::GalleryEntry);
    for name in ["", "a\nb", "\0", &"x".repeat(Gallery::MAX_NAME + 1)] {
        assert_eq!(code(&mut gallery, name, &good), ErrorCode::InvalidArgument, "{name:?}");
    }
    assert_eq!(gallery.remove("b").unwrap_err().code(), ErrorCode::GalleryEntry);
    assert_eq!(gallery.search(&other, 1).unwrap_err().code(), ErrorCode::ModelMismatch);
    assert_eq!(gallery.search_exhaustive(&embedding(&[1.0]), 1).unwrap_err().code(), ErrorCode::InvalidEmbedding);
    assert_eq!(owned(gallery.search(&embedding(&[1.0, 0.5]), 9).unwrap()), before);
    for dimension in [0, Embedding::MAX_DIMENSION + 1] {
        assert_eq!(Gallery::new(MODEL, dimension).unwrap_err().code(), ErrorCode::InvalidArgument);
    }
}

#[test]
fn templates_are_entries_too() {
    let person = Template::enrol(&[embedding(&[1.0, 0.0]), embedding(&[1.0, 0.2])]).unwrap().template;
    let mut gallery = Gallery::new(MODEL, 2).unwrap();
    gallery.add("Ann", &person).unwrap();
    assert_eq!(gallery.get("Ann").as_ref(), Some(person.embedding()));
}

#[test]
fn the_search_equals_the_full_scan_on_random_and_on_crowded_data() {
    let mut noise = Noise(1);
    let random = filled((0..10_000).map(|_| embedding(&noise.vector(512))));
    // 100 people of 100 entries each, as alike as pictures of one person are; and one person with 2,000.
    let crowded = filled((0..100).flat_map(|_| {
        let person = noise.vector(512);
        (0..100).map(|_| noise.near(&person, 0.7)).collect::<Vec<_>>()
    }));
    let person = noise.vector(512);
    let one_person = filled((0..2_000).map(|_| noise.near(&person, 0.05)));
    let mut probes = 0;
    for gallery in [&random, &crowded, &one_person] {
        for place in (0..gallery.len()).step_by(gallery.len() / 20) {
            let entry = gallery.row(place).to_vec();
            for probe in [noise.near(&entry, 1.0), noise.near(&entry, 0.3), embedding(&noise.vector(512))] {
                for k in [1, 5, 100] {
                    let found = owned(gallery.search(&probe, k).unwrap());
                    assert_eq!(found, owned(gallery.search_exhaustive(&probe, k).unwrap()));
                }
                probes += 1;
            }
        }
    }
    assert_eq!(probes, 180);
}

#[test]
fn equal_scores_come_by_name_whatever_the_order_of_adding() {
    let mut gallery = Gallery::new(MODEL, 3).unwrap();
    for name in ["c", "a", "d", "b"] {
        gallery.add(name, &embedding(&[1.0, 2.0, 3.0])).unwrap();
    }
    for found in [gallery.search(&embedding(&[3.0, 2.0, 1.0]), 3), gallery.search_exhaustive(&embedding(&[3.0, 2.0, 1.0]), 3)] {
        assert_eq!(found.unwrap().iter().map(|m| m.name).collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}

fn saved(gallery: &Gallery) -> Vec<u8> {
    let mut bytes = Vec::new();
    gallery.write(&mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Gallery> {
    Gallery::read(bytes, bytes.len() as u64)
}

fn small() -> Gallery {
    let mut gallery = filled([[1.0, 0.0, 0.5], [0.0, 1.0, 0.1]].map(|values| embedding(&values)));
    gallery.add("Zoë", &embedding(&[0.1, 0.2, 0.3])).unwrap();
    gallery
}

#[test]
fn the_file_is_as_documented() {
    let mut gallery = Gallery::new(MODEL, 2).unwrap();
    gallery.add("Zoë", &embedding(&[3.0, 4.0])).unwrap();
    let bytes = saved(&gallery);
    let mut expected = b"VFGL\x01\0\0\0".to_vec();
    expected.extend([7u8; 32]);
    expected.extend([1, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0x9a, 0x99, 0x19, 0x3f, 0xcd, 0xcc, 0x4c, 0x3f]);
    expected.extend([4, 0, b'Z', b'o', 0xc3, 0xab]);
    // sha256sum of the bytes above.
    let checksum = "9fa30c747a16072cd5685e8c83a1f9cf4eb9da711868b2d302d48f830c5a4850";
    assert_eq!(bytes[..70], expected);
    assert_eq!(bytes[70..].iter().map(|byte| format!("{byte:02x}")).collect::<String>(), checksum);
}

#[test]
fn every_prefix_and_every_changed_byte_is_refused() {
    let bytes = saved(&small());
    assert!(read(&bytes).is_ok());
    for length in 0..bytes.len() {
        let code = read(&bytes[..length]).unwrap_err().code();
        assert_eq!(code, if length == 0 { ErrorCode::NotATemplate } else { ErrorCode::DamagedTemplate }, "{length} bytes");
    }
    assert!(read(&[&bytes[..], &[0]].concat()).is_err(), "a byte more");
    for place in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[place] ^= flip;
            let code = read(&changed).unwrap_err().code();
            let expected = match place {
                0..4 => ErrorCode::NotATemplate,
                4..8 => ErrorCode::UnknownTemplateVersion,
                _ => ErrorCode::DamagedTemplate,
            };
            assert_eq!(code, expected, "byte {place} ^ {flip}");
        }
    }
}

#[test]
fn intact_files_with_senseless_content_are_refused() {
    let forged = |edits: &[(usize, &[u8])]| {
        let mut bytes = saved(&small());
        for (offset, value) in edits {
            bytes[*offset..offset + value.len()].copy_from_slice(value);
        }
        let body = bytes.len() - CHECKSUM;
        let checksum = Sha256::digest(&bytes[..body]);
        bytes[body..].copy_from_slice(&checksum);
        read(&bytes).unwrap_err().code()
    };
    let first_name = PREFIX + 4 * 3 * 3;
    assert_eq!(forged(&[(PREFIX, &[0; 12])]), ErrorCode::InvalidEmbedding, "a zero vector");
    assert_eq!(forged(&[(PREFIX, &f32::NAN.to_le_bytes())]), ErrorCode::InvalidEmbedding);
    assert_eq!(forged(&[(40, &[0xff; 4])]), ErrorCode::DamagedTemplate, "four billion entries");
    assert_eq!(forged(&[(48, &[0xff; 8])]), ErrorCode::DamagedTemplate, "endless names");
    assert_eq!(forged(&[(40, &[0; 4])]), ErrorCode::DamagedTemplate, "fewer entries than stated by the length");
    assert_eq!(forged(&[(first_name, &[0xff, 0xff])]), ErrorCode::DamagedTemplate, "a name past the names");
    assert_eq!(forged(&[(first_name, &[0, 0])]), ErrorCode::DamagedTemplate, "an empty name");
    assert_eq!(forged(&[(first_name + 2, &[0xff])]), ErrorCode::DamagedTemplate, "not UTF-8");
    assert_eq!(forged(&[(first_name + 2 + 7 + 2 + 6, b"0")]), ErrorCode::DamagedTemplate, "a name twice");
}

#[test]
fn a_file_that_is_missing_or_something_else_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("people.vfgl");
    let error = Gallery::open(&path).unwrap_err();
    assert_eq!((error.code(), error.file()), (ErrorCode::CannotRead, Some(path.as_path())));
    std::fs::write(&path, small().search(&embedding(&[1.0, 0.0, 0.0]), 1).unwrap()[0].name).unwrap();
    assert_eq!(Gallery::open(&path).unwrap_err().code(), ErrorCode::NotATemplate);
    small().save(&path).unwrap();
    assert_eq!(Gallery::open(&path).unwrap().len(), 3);
    assert!(Gallery::open(folder.path()).is_err(), "a folder");
}

#[test]
fn debug_shows_no_value_and_no_name() {
    assert_eq!(format!("{:?}", small()), "Gallery(3 entries of 3 values of model 0707070707070707)");
}

#[derive(Debug, Clone)]
enum Step {
    Add(u8, Vec<f32>),
    Remove(u8),
    SaveAndLoad,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let vector = proptest::collection::vec(-1f32..1.0, 5).prop_filter("a direction", |v| v.iter().any(|x| x.abs() > 0.1));
    let step = prop_oneof![
        6 => (0u8..12, vector).prop_map(|(name, vector)| Step::Add(name, vector)),
        3 => (0u8..12).prop_map(Step::Remove),
        1 => Just(Step::SaveAndLoad),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn a_gallery_is_a_map_that_is_searched(steps in steps(), probe in proptest::collection::vec(0.1f32..1.0, 5), k in 0usize..8) {
        let mut gallery = Gallery::new(MODEL, 5).unwrap();
        let mut map = std::collections::BTreeMap::new();
        for step in steps {
            match step {
                Step::Add(name, vector) => {
                    let (name, entry) = (name.to_string(), embedding(&vector));
                    let added = gallery.add(&name, &entry);
                    prop_assert_eq!(added.is_ok(), !map.contains_key(&name));
                    map.entry(name).or_insert(entry);
                }
                Step::Remove(name) => {
                    prop_assert_eq!(gallery.remove(&name.to_string()).is_ok(), map.remove(&name.to_string()).is_some());
                }
                Step::SaveAndLoad => gallery = read(&saved(&gallery)).unwrap(),
            }
        }
        prop_assert_eq!(gallery.len(), map.len());
        for (name, entry) in &map {
            prop_assert_eq!(gallery.get(name), Some(entry.clone()));
        }
        let probe = embedding(&probe);
        let expected = sorted(&gallery, &probe, k);
        prop_assert_eq!(owned(gallery.search(&probe, k).unwrap()), expected.clone());
        prop_assert_eq!(owned(gallery.search_exhaustive(&probe, k).unwrap()), expected);
    }

    #[test]
    fn the_bound_of_the_codes_holds(a in proptest::collection::vec(-1f32..1.0, 1..300), seed in any::<u64>()) {
        prop_assume!(a.iter().any(|v| v.abs() > 1e-2));
        let mut noise = Noise(seed);
        let (b, a) = (noise.near(&a, 0.5), embedding(&a));
        let (mut a_codes, mut b_codes) = (vec![0; a.dimension()], vec![0; a.dimension()]);
        let (x, y) = (encode(a.values(), &mut a_codes), encode(b.values(), &mut b_codes));
        let exact: f64 = a.values().iter().zip(b.values()).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        let approximate = f64::from(x.scale * y.scale) * f64::from(dot_of_codes(&a_codes, &b_codes));
        let reach = x.residual + y.residual * (1.0 + x.residual) + SLACK;
        prop_assert!((approximate - exact).abs() <= f64::from(reach));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
        prop_assert!(read(&[b"VFGL\x01\0\0\0", &bytes[..]].concat()).is_err());
    }
}
