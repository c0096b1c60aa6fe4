//! Many templates of one model, and who among them is most like a probe (1:N).
//!
//! # How the search works
//! Vectors lie one after the other, once as `f32` and once as `i8` codes with a scale of their own (x ≈ s·c, s = max|x| / 127). The
//! first pass reads only the codes. With e = x − s·c, and the probe coded alike as q = t·b + f,
//!
//! |q·x − s·t·(b·c)| = |q·e + f·(s·c)| ≤ ‖e‖ + ‖f‖·(1 + ‖e‖),
//!
//! so each approximate score comes with a bound. Only entries whose upper end reaches the k-th best lower end can be among the k
//! best, and these are scored exactly. The result is therefore **the same as that of the full scan**, to the bit: the recall is 1.
//! What varies with the data is the time: of 100,000 random 512-value vectors some dozens are rescored; in the worst case all are.
//!
//! # What a match means
//! At a threshold of false-match rate p a gallery of N strangers gives a false match to about 1 − (1 − p)ᴺ of the probes: at 1 in 10,000 and
//! N = 1,000 to one in ten. Choose the rate for N·p, not for p.
//!
//! The file's form is in `docs/template-format.md`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::embed::{Embedding, ModelId, Score, dot};
use crate::error::{Error, ErrorCode, Result};
use crate::replace::replace_file;
use crate::template::{CHECKSUM, HEADER, Header};

const MAGIC: &[u8; 4] = b"VFGL";
const VERSION: u32 = 1;
/// The header of the two and the bytes of the names.
const PREFIX: usize = HEADER + 8;

/// A bound on what `f32` arithmetic adds to the bounds of the codes: `dot` rounds by at most 45·2⁻²⁴·Σ|qᵢxᵢ| ≤ 3·10⁻⁶, the unit vectors'
/// lengths are 1 ± 10⁻⁴ at worst, and bounds and scales are themselves rounded.
const SLACK: f32 = 2e-5;

/// An entry of a gallery and its comparison score with the probe.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Match<'a> {
    /// The entry's name.
    pub name: &'a str,
    /// How alike it is to the probe.
    pub score: Score,
}

/// Named unit vectors of one model and one dimension.
#[derive(Clone)]
pub struct Gallery {
    model: ModelId,
    dimension: usize,
    names: Vec<Box<str>>,
    places: HashMap<Box<str>, usize>,
    /// Entry after entry, `dimension` values each.
    values: Vec<f32>,
    codes: Vec<i8>,
    coded: Vec<Coded>,
}

/// How an entry's codes stand to its values.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Coded {
    /// A value is about this times its code.
    scale: f32,
    /// The Euclidean norm of what is missing.
    residual: f32,
}

impl Gallery {
    /// The most entries.
    pub const MAX_ENTRIES: usize = 10_000_000;
    /// The longest name, in bytes.
    pub const MAX_NAME: usize = 1024;

    /// An empty gallery for embeddings of this model and dimension.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] when the dimension is not 1…[`Embedding::MAX_DIMENSION`].
    pub fn new(model: ModelId, dimension: usize) -> Result<Gallery> {
        if !(1..=Embedding::MAX_DIMENSION).contains(&dimension) {
            return Err(argument(format!("a dimension of {dimension} is not 1 to {}", Embedding::MAX_DIMENSION)));
        }
        Ok(Gallery {
            model,
            dimension,
            names: Vec::new(),
            places: HashMap::new(),
            values: Vec::new(),
            codes: Vec::new(),
            coded: Vec::new(),
        })
    }

    /// The model that its entries belong to.
    pub fn model(&self) -> ModelId {
        self.model
    }

    /// How many values an entry has.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Every entry's name and unit vector, for export; see `docs/gallery.md`. Removing an entry changes the order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&str, &[f32])> {
        self.names.iter().map(|name| &**name).zip(self.values.chunks_exact(self.dimension))
    }

    /// Adds a template or an embedding under a name.
    ///
    /// # Errors
    /// [`ErrorCode::ModelMismatch`] or [`ErrorCode::InvalidEmbedding`] when it is of another model or dimension;
    /// [`ErrorCode::GalleryEntry`] when the name is taken; [`ErrorCode::InvalidArgument`] when it is empty, longer than
    /// [`Gallery::MAX_NAME`] or holds control characters, or when the gallery is full.
    pub fn add(&mut self, name: &str, entry: &impl AsRef<Embedding>) -> Result<()> {
        let entry = entry.as_ref();
        self.check(entry)?;
        self.insert(name)?;
        self.values.extend_from_slice(entry.values());
        self.code(entry.values());
        Ok(())
    }

    /// Removes an entry.
    ///
    /// # Errors
    /// [`ErrorCode::GalleryEntry`] when there is none of this name.
    pub fn remove(&mut self, name: &str) -> Result<()> {
        let missing = || Error::new(ErrorCode::GalleryEntry, format!("there is no `{name}`"));
        let place = self.places.remove(name).ok_or_else(missing)?;
        // The last entry moves into the gap.
        let last = self.names.len() - 1;
        self.names.swap_remove(place);
        self.coded.swap_remove(place);
        if let Some(moved) = self.names.get(place)
            && let Some(its_place) = self.places.get_mut(moved)
        {
            *its_place = place;
        }
        let (d, from) = (self.dimension, last * self.dimension);
        self.values.copy_within(from..from + d, place * d);
        self.values.truncate(from);
        self.codes.copy_within(from..from + d, place * d);
        self.codes.truncate(from);
        Ok(())
    }

    /// The entry of this name.
    pub fn get(&self, name: &str) -> Option<Embedding> {
        let row = self.row(*self.places.get(name)?);
        Embedding::from_unit(self.model, row.to_vec()).ok()
    }

    /// The `k` entries most like the probe, the best first; equal scores in the order of their names. Fewer when there are fewer.
    ///
    /// # Errors
    /// [`ErrorCode::ModelMismatch`], naming both, or [`ErrorCode::InvalidEmbedding`] when the probe is of another model or dimension.
    pub fn search(&self, probe: &Embedding, k: usize) -> Result<Vec<Match<'_>>> {
        self.check(probe)?;
        let k = k.min(self.len());
        if k == 0 {
            return Ok(Vec::new());
        }
        let mut codes = vec![0i8; self.dimension];
        let probe_coded = encode(probe.values(), &mut codes);
        let mut upper_ends = Vec::with_capacity(self.len());
        let mut best_lower_ends = BinaryHeap::with_capacity(k + 1);
        for (row, coded) in self.codes.chunks_exact(self.dimension).zip(&self.coded) {
            let approximate = coded.scale * probe_coded.scale * dot_of_codes(row, &codes) as f32;
            let reach = coded.residual + probe_coded.residual * (1.0 + coded.residual) + SLACK;
            upper_ends.push(approximate + reach);
            let lower_end = Score::from_dot(approximate - reach);
            if best_lower_ends.len() < k {
                best_lower_ends.push(Reverse(lower_end));
            } else if best_lower_ends.peek().is_some_and(|Reverse(worst)| lower_end > *worst) {
                best_lower_ends.pop();
                best_lower_ends.push(Reverse(lower_end));
            }
        }
        let enough = best_lower_ends.peek().map_or(-1.0, |Reverse(worst)| worst.get());
        let candidates = upper_ends.iter().enumerate().filter(|&(_, &upper_end)| upper_end >= enough).map(|(place, _)| place);
        Ok(self.best_of(candidates, probe, k))
    }

    /// As [`Gallery::search`], by scoring every entry exactly: slower, with the same result. It is there to check and to time against.
    ///
    /// # Errors
    /// As [`Gallery::search`].
    pub fn search_exhaustive(&self, probe: &Embedding, k: usize) -> Result<Vec<Match<'_>>> {
        self.check(probe)?;
        Ok(self.best_of(0..self.len(), probe, k.min(self.len())))
    }

    /// Writes the gallery to a file, which is replaced by rename: whoever is stopped meanwhile leaves the old file.
    ///
    /// # Errors
    /// [`ErrorCode::CannotWrite`], naming the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        replace_file(path, |to| self.write(to))
    }

    fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        let names: usize = self.names.iter().map(|name| 2 + name.len()).sum();
        let mut to = Hashing { inner: to, hash: Sha256::new() };
        to.write_all(MAGIC)?;
        to.write_all(&VERSION.to_le_bytes())?;
        to.write_all(self.model.as_bytes())?;
        to.write_all(&(self.len() as u32).to_le_bytes())?;
        to.write_all(&(self.dimension as u32).to_le_bytes())?;
        to.write_all(&(names as u64).to_le_bytes())?;
        let mut bytes = Vec::with_capacity(4 * self.dimension);
        for row in self.values.chunks_exact(self.dimension) {
            bytes.clear();
            row.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
            to.write_all(&bytes)?;
        }
        for name in &self.names {
            to.write_all(&(name.len() as u16).to_le_bytes())?;
            to.write_all(name.as_bytes())?;
        }
        let Hashing { inner, hash } = to;
        inner.write_all(&hash.finalize())
    }

    /// Reads a file that [`Gallery::save`] wrote. The length that its header gives is held against the file's before any memory is taken.
    ///
    /// # Errors
    /// [`ErrorCode::CannotRead`]; [`ErrorCode::NotATemplate`], [`ErrorCode::UnknownTemplateVersion`], [`ErrorCode::DamagedTemplate`] or
    /// [`ErrorCode::InvalidEmbedding`], as [`crate::Template::from_bytes`]. All name the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Gallery> {
        let path = path.as_ref();
        let open = || -> io::Result<(File, u64)> {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = open().map_err(|error| cannot_read(&error).in_file(path))?;
        Gallery::read(BufReader::with_capacity(1 << 16, file), length).map_err(|error| error.in_file(path))
    }

    fn read(from: impl Read, length: u64) -> Result<Gallery> {
        let mut from = Hashing { inner: from, hash: Sha256::new() };
        let mut prefix = Vec::with_capacity(PREFIX);
        (&mut from).take(PREFIX as u64).read_to_end(&mut prefix).map_err(|error| cannot_read(&error))?;
        let Header { model, counts: [entries, dimension] } = Header::parse(&prefix, MAGIC, VERSION)?;
        let (entries, dimension) = (entries as usize, dimension as usize);
        let names = prefix.get(HEADER..PREFIX).and_then(|field| field.try_into().ok()).map(u64::from_le_bytes);
        let names = names.ok_or_else(|| damaged(format!("cut short after {} bytes", prefix.len())))?;
        if entries > Gallery::MAX_ENTRIES || !(1..=Embedding::MAX_DIMENSION).contains(&dimension) {
            return Err(damaged(format!("{entries} entries of {dimension} values")));
        }
        if names > entries as u64 * (2 + Gallery::MAX_NAME as u64) {
            return Err(damaged(format!("{names} bytes of names for {entries} entries")));
        }
        let expected = PREFIX as u64 + 4 * entries as u64 * dimension as u64 + names + CHECKSUM as u64;
        if length != expected {
            return Err(damaged(format!("{length} bytes instead of {expected}")));
        }

        let mut gallery = Gallery::new(model, dimension)?;
        gallery.reserve(entries)?;
        let mut bytes = vec![0u8; 4 * dimension];
        for _ in 0..entries {
            read_exact(&mut from, &mut bytes)?;
            gallery.values.extend(bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)));
        }
        let mut names = (&mut from).take(names);
        let mut name = Vec::with_capacity(Gallery::MAX_NAME);
        for _ in 0..entries {
            let mut size = [0u8; 2];
            read_exact(&mut names, &mut size)?;
            name.resize(usize::from(u16::from_le_bytes(size)), 0);
            read_exact(&mut names, &mut name)?;
            let name = str::from_utf8(&name).map_err(|_| damaged("a name is not UTF-8".into()))?;
            gallery.insert(name).map_err(|error| damaged(error.detail().into()))?;
        }
        if names.limit() != 0 {
            return Err(damaged(format!("{} bytes more than the names need", names.limit())));
        }
        let Hashing { mut inner, hash } = from;
        let mut checksum = [0u8; CHECKSUM];
        read_exact(&mut inner, &mut checksum)?;
        if hash.finalize()[..] != checksum {
            return Err(damaged("the checksum differs".into()));
        }

        let values = std::mem::take(&mut gallery.values);
        for row in values.chunks_exact(dimension) {
            Embedding::from_unit(model, row.to_vec())?;
            gallery.code(row);
        }
        gallery.values = values;
        Ok(gallery)
    }

    fn check(&self, embedding: &Embedding) -> Result<()> {
        if embedding.model() != self.model {
            return Err(self.model.mismatch(&embedding.model()));
        }
        if embedding.dimension() != self.dimension {
            let detail = format!("{} values; the gallery's have {}", embedding.dimension(), self.dimension);
            return Err(Error::new(ErrorCode::InvalidEmbedding, detail));
        }
        Ok(())
    }

    /// Takes memory for so many entries more, or says that there is none.
    fn reserve(&mut self, entries: usize) -> Result<()> {
        // On a 32-bit machine the product may not fit; then the memory does not either.
        let values = entries.saturating_mul(self.dimension);
        let reserved = self
            .values
            .try_reserve_exact(values)
            .and_then(|()| self.codes.try_reserve_exact(values))
            .and_then(|()| self.coded.try_reserve_exact(entries))
            .and_then(|()| self.names.try_reserve_exact(entries))
            .and_then(|()| self.places.try_reserve(entries));
        reserved.map_err(|_| {
            Error::new(ErrorCode::CannotRead, format!("no memory for {entries} entries of {} values", self.dimension))
        })
    }

    /// Gives the next place to a name.
    fn insert(&mut self, name: &str) -> Result<()> {
        if name.is_empty() || name.len() > Gallery::MAX_NAME || name.chars().any(char::is_control) {
            return Err(argument(format!("a name has 1 to {} bytes and no control characters", Gallery::MAX_NAME)));
        }
        if self.places.contains_key(name) {
            return Err(Error::new(ErrorCode::GalleryEntry, format!("`{name}` is there already")));
        }
        if self.len() >= Gallery::MAX_ENTRIES {
            return Err(argument(format!("a gallery has at most {} entries", Gallery::MAX_ENTRIES)));
        }
        self.places.insert(name.into(), self.names.len());
        self.names.push(name.into());
        Ok(())
    }

    fn code(&mut self, row: &[f32]) {
        let start = self.codes.len();
        self.codes.resize(start + row.len(), 0);
        let coded = encode(row, self.codes.get_mut(start..).unwrap_or_default());
        self.coded.push(coded);
    }

    fn row(&self, place: usize) -> &[f32] {
        self.values.get(place * self.dimension..(place + 1) * self.dimension).unwrap_or_default()
    }

    /// The best `k` of some places by their exact scores.
    fn best_of(&self, places: impl Iterator<Item = usize>, probe: &Embedding, k: usize) -> Vec<Match<'_>> {
        let mut best = BinaryHeap::with_capacity(k + 1);
        for place in places {
            let score = Score::from_dot(dot(self.row(place), probe.values()));
            // The greatest of the heap is the worst of the best: the lowest score, and of equals the last name.
            let name = self.names.get(place).map_or("", |name| &**name);
            let candidate = (Reverse(score), name);
            if best.len() < k {
                best.push(candidate);
            } else if best.peek().is_some_and(|worst| candidate < *worst) {
                best.pop();
                best.push(candidate);
            }
        }
        best.into_sorted_vec().into_iter().map(|(Reverse(score), name)| Match { name, score }).collect()
    }
}

impl fmt::Debug for Gallery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gallery({} entries of {} values of model {})", self.len(), self.dimension, self.model)
    }
}

fn argument(detail: String) -> Error {
    Error::new(ErrorCode::InvalidArgument, detail)
}

fn damaged(detail: String) -> Error {
    Error::new(ErrorCode::DamagedTemplate, detail)
}

fn cannot_read(error: &io::Error) -> Error {
    Error::new(ErrorCode::CannotRead, error.to_string())
}

fn read_exact(from: &mut impl Read, bytes: &mut [u8]) -> Result<()> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("cut short".into()),
        _ => cannot_read(&error),
    })
}

/// Reads or writes through, and hashes what passes.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Codes a vector with a scale of its own: its largest magnitude becomes 127.
fn encode(values: &[f32], codes: &mut [i8]) -> Coded {
    let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    let mut squares = 0f64;
    for (code, &value) in codes.iter_mut().zip(values) {
        *code = (value / scale).round() as i8;
        squares += f64::from(value - scale * f32::from(*code)).powi(2);
    }
    Coded { scale, residual: squares.sqrt() as f32 }
}

/// The dot product of codes of one length: at most 4096 · 127², which an `i32` holds, and exact in any order.
fn dot_of_codes(a: &[i8], b: &[i8]) -> i32 {
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sum = dot_of_chunks(a_chunks, b_chunks);
    for (&x, &y) in a_rest.iter().zip(b_rest) {
        sum += i32::from(x) * i32::from(y);
    }
    sum
}

const LANES: usize = 16;

/// The part that compiles to widening multiply-adds (`pmaddwd`, `smlal`): plain indices, for the reason that `embed::dot` gives.
#[inline(never)]
fn dot_of_chunks(a: &[[i8; LANES]], b: &[[i8; LANES]]) -> i32 {
    let count = a.len().min(b.len());
    let (a, b) = (&a[..count], &b[..count]);
    let mut sum = 0;
    for place in 0..count {
        for lane in 0..LANES {
            sum += i32::from(a[place][lane]) * i32::from(b[place][lane]);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::template::Template;

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
        let names =
            |gallery: &Gallery, k| gallery.search(&probe, k).unwrap().iter().map(|m| m.name.to_owned()).collect::<Vec<_>>();
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
        for found in [gallery.search(&embedding(&[3.0, 2.0, 1.0]), 3), gallery.search_exhaustive(&embedding(&[3.0, 2.0, 1.0]), 3)]
        {
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
}
