//! Photos into chips, with the SDK's own detector and alignment, so that a network is trained on what it will see.
//!
//! Work in progress lies in two files beside the set: `NAME.align`, a line of JSON a photo, and `NAME.align.chips`, the encoded chips
//! one after the other. Both only grow; a killed run goes on after their last whole photo. When every photo is done they become the
//! set and its tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use veriface::{Chip, Detector, ErrorCode, FaceChoice, Pack, Photo, Search};

use super::folder::Folder;
use super::set_writer::SetWriter;
use crate::error::{Error, Result};

/// Photos between two writes to the disk.
const BLOCK: usize = 64;

/// How a chip is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Without loss, about 25 kB a chip.
    Png,
    /// JPEG of this quality, 1 to 100; insightface's sets have 95, about 6 kB a chip.
    Jpeg(u8),
}

/// Which faces become chips, and how they are stored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AlignSettings {
    /// Which face of a photo is the person's.
    pub face: FaceChoice,
    /// The lowest detector score, 0 to 1.
    pub least_score: f32,
    /// The shortest distance between the eyes, in pixels of the photo.
    pub least_eye_distance: f32,
    /// How chips are stored.
    pub encoding: Encoding,
}

/// What an alignment came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aligned {
    /// Chips written.
    pub chips: usize,
    /// Identities that have one.
    pub identities: usize,
    /// How many photos failed, by error number and name.
    pub failed: BTreeMap<(u16, String), usize>,
}

/// The first line of `NAME.align`: what the work belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Job {
    photos: String,
    detector: String,
    settings: AlignSettings,
}

/// A line of `NAME.align`: what became of a photo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Chip { bytes: u64, eye_distance: f32, score: f32 },
    Failed { number: u16, name: String, reason: String },
}

/// Aligns the photos of a folder on the threads of the current pool, and writes
/// - `NAME.rec`, `.idx`, `property`: the set; identities without a chip are left out;
/// - `NAME.tsv`: record, identity, photo, eye distance in the photo, detector score;
/// - `NAME.names.tsv`: identity, name of its folder;
/// - `NAME.failures.tsv`: photo, error number, error name, reason.
///
/// A photo that fails stops nothing. `progress(done, all)` hears of each block.
///
/// # Errors
/// When a file cannot be written, when `NAME.rec` is there already, when `NAME.align` belongs to other photos, another pack or other
/// settings, or when no photo gave a chip.
pub fn align(
    photos: &Folder,
    pack: &Pack,
    settings: &AlignSettings,
    set: &Path,
    progress: impl FnMut(usize, usize),
) -> Result<Aligned> {
    if set.exists() {
        return Err(Error::data(set.display().to_string(), "the set is there already; name another file, or delete it"));
    }
    let detector = Detector::load(pack)?;
    let job = Job { photos: photos.fingerprint()?, detector: digest(pack)?, settings: *settings };
    let mut work = Work::open(set, &job)?;
    work.finish(photos, |photo| chip(&detector, photo, settings), progress)?;
    work.into_set(photos, set)
}

/// Changes when the detector or the form of its input does.
fn digest(pack: &Pack) -> veriface::Result<String> {
    let detector = &pack.manifest().detector;
    let mut hash = Sha256::new();
    hash.update(json(detector));
    for part in pack.parts().iter().filter(|part| part.name == detector.part) {
        hash.update(&part.bytes()?[..]);
    }
    Ok(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// The face of one photo.
fn chip(detector: &Detector, photo: &Path, settings: &AlignSettings) -> veriface::Result<(Outcome, Vec<u8>)> {
    let photo = Photo::open(photo)?;
    let frame = photo.frame();
    let faces = detector.detect(&frame, &Search::default())?;
    let face = settings.face.choose(&faces, &frame)?;
    let (score, eye_distance) = (face.score.0, face.landmarks.eye_distance());
    let refuse = |detail: String| Err(veriface::Error::new(ErrorCode::PoorQuality, detail));
    if score < settings.least_score {
        return refuse(format!("detector score {score:.3}, {} is the least", settings.least_score));
    }
    if eye_distance < settings.least_eye_distance {
        return refuse(format!("{eye_distance:.1} pixels between the eyes, {} are the least", settings.least_eye_distance));
    }
    let chip = veriface::align(&frame, &face.landmarks)?;
    let bytes = encode(&chip, settings.encoding).map_err(|e| veriface::Error::new(ErrorCode::InvalidArgument, e.to_string()))?;
    Ok((Outcome::Chip { bytes: bytes.len() as u64, eye_distance, score }, bytes))
}

fn encode(chip: &Chip, encoding: Encoding) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let (side, colour) = (Chip::SIZE as u32, image::ExtendedColorType::Rgb8);
    match encoding {
        Encoding::Png => {
            let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
            image::ImageEncoder::write_image(encoder, chip.rgb(), side, side, colour)?;
        }
        Encoding::Jpeg(quality) => {
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality).encode(chip.rgb(), side, side, colour)?;
        }
    }
    Ok(bytes)
}

/// The work in progress.
struct Work {
    lines: File,
    chips: File,
    paths: [PathBuf; 2],
    done: Vec<Outcome>,
}

impl Work {
    /// Opens the files beside `set`, or begins them; what is behind the last whole photo is cut off.
    fn open(set: &Path, job: &Job) -> Result<Work> {
        let paths = [set.with_extension("align"), set.with_extension("align.chips")];
        let open = |path: &PathBuf| {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            file.map_err(Error::file(path))
        };
        let mut work = Work { lines: open(&paths[0])?, chips: open(&paths[1])?, paths, done: Vec::new() };
        let (kept, bytes) = work.read(job)?;
        let cut = |file: &mut File, length| file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0)));
        cut(&mut work.lines, kept).map_err(Error::file(&work.paths[0]))?;
        cut(&mut work.chips, bytes).map_err(Error::file(&work.paths[1]))?;
        if kept == 0 {
            let line = json(job) + "\n";
            work.lines.write_all(line.as_bytes()).map_err(Error::file(&work.paths[0]))?;
        }
        Ok(work)
    }

    /// Reads what is done. Returns how many bytes of both files are whole.
    fn read(&mut self, job: &Job) -> Result<(u64, u64)> {
        let there = self.chips.metadata().map_err(Error::file(&self.paths[1]))?.len();
        let (mut kept, mut bytes) = (0, 0);
        let mut reader = BufReader::new(&self.lines);
        let mut line = String::new();
        loop {
            line.clear();
            let length = reader.read_line(&mut line).map_err(Error::file(&self.paths[0]))? as u64;
            if !line.ends_with('\n') {
                return Ok((kept, bytes));
            }
            if kept == 0 {
                if serde_json::from_str::<Job>(&line).ok().as_ref() != Some(job) {
                    let reason = "this work belongs to other photos, another pack or other settings; delete it to begin anew";
                    return Err(Error::data(self.paths[0].display().to_string(), reason));
                }
            } else {
                let Ok(outcome) = serde_json::from_str::<Outcome>(&line) else { return Ok((kept, bytes)) };
                if let Outcome::Chip { bytes: length, .. } = outcome {
                    match bytes.checked_add(length).filter(|&end| end <= there) {
                        Some(end) => bytes = end,
                        None => return Ok((kept, bytes)),
                    }
                }
                self.done.push(outcome);
            }
            kept += length;
        }
    }

    /// Does what is missing, block by block.
    fn finish(
        &mut self,
        photos: &Folder,
        chip: impl Fn(&Path) -> veriface::Result<(Outcome, Vec<u8>)> + Sync,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<()> {
        let all = photos.pictures().len();
        progress(self.done.len(), all);
        while self.done.len() < all {
            let block = self.done.len()..(self.done.len() + BLOCK).min(all);
            let found: Vec<(Outcome, Vec<u8>)> = block
                .into_par_iter()
                .map(|photo| {
                    chip(&photos.path(photo)).unwrap_or_else(|error| {
                        let (number, name) = (error.code().number(), error.code().name().to_owned());
                        (Outcome::Failed { number, name, reason: error.to_string() }, Vec::new())
                    })
                })
                .collect();
            let lines: String = found.iter().map(|(outcome, _)| json(outcome) + "\n").collect();
            let chips: Vec<u8> = found.iter().flat_map(|(_, chip)| chip).copied().collect();
            // The chips first: a line vouches for its chip.
            self.chips.write_all(&chips).map_err(Error::file(&self.paths[1]))?;
            self.lines.write_all(lines.as_bytes()).map_err(Error::file(&self.paths[0]))?;
            self.done.extend(found.into_iter().map(|(outcome, _)| outcome));
            progress(self.done.len(), all);
        }
        Ok(())
    }

    /// Writes the set and its tables, and removes the work.
    fn into_set(mut self, photos: &Folder, set: &Path) -> Result<Aligned> {
        let mut aligned = Aligned::default();
        let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
        for ((_, identity), outcome) in photos.pictures().iter().zip(&self.done) {
            match outcome {
                Outcome::Chip { .. } => {
                    let next = numbers.len() as u32;
                    numbers.entry(*identity).or_insert(next);
                    aligned.chips += 1;
                }
                Outcome::Failed { number, name, .. } => *aligned.failed.entry((*number, name.clone())).or_insert(0) += 1,
            }
        }
        aligned.identities = numbers.len();
        let mut failures = "photo\terror\tname\treason\n".to_owned();
        let mut table = "record\tidentity\tsource\teye_distance_px\tdetector_score\n".to_owned();
        let names: String = numbers.iter().map(|(old, new)| format!("{new}\t{}\n", photos.names()[*old as usize])).collect();
        let mut writer = (aligned.chips > 0).then(|| SetWriter::create(set, aligned.chips, aligned.identities)).transpose()?;
        self.chips.rewind().map_err(Error::file(&self.paths[1]))?;
        let mut chips = BufReader::new(&self.chips);
        let mut record = 0;
        for ((photo, identity), outcome) in photos.pictures().iter().zip(&self.done) {
            let photo = photo.display();
            match outcome {
                Outcome::Chip { bytes, eye_distance, score } => {
                    let mut chip = Vec::new();
                    chips.by_ref().take(*bytes).read_to_end(&mut chip).map_err(Error::file(&self.paths[1]))?;
                    record += 1;
                    let identity = numbers.get(identity).copied().unwrap_or_default();
                    let _ = writeln!(table, "{record}\t{identity}\t{photo}\t{eye_distance:.1}\t{score:.3}");
                    if let Some(writer) = &mut writer {
                        writer.push(identity, chip)?;
                    }
                }
                Outcome::Failed { number, name, reason } => {
                    let _ = writeln!(failures, "{photo}\t{number}\t{name}\t{}", reason.replace(['\t', '\n'], " "));
                }
            }
        }
        let write =
            |ending: &str, text: &str| veriface::replace_file(set.with_extension(ending), |to| to.write_all(text.as_bytes()));
        write("failures.tsv", &failures)?;
        let Some(writer) = writer else {
            let reason = format!("none of {} photos gave a chip; see the failures beside it", self.done.len());
            return Err(Error::data(set.display().to_string(), reason));
        };
        write("tsv", &table)?;
        write("names.tsv", &format!("identity\tname\n{names}"))?;
        writer.finish()?;
        for path in &self.paths {
            std::fs::remove_file(path).map_err(Error::file(path))?;
        }
        Ok(aligned)
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| unreachable!("plain data has no key that JSON lacks"))
}
