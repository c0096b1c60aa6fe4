//! The run's curves as TensorBoard reads them: an event file of scalars.
//!
//! The file is TFRecord: for each record its length (u64), a CRC of that, the record, and a CRC of the record, little-endian. The CRC is
//! CRC-32C (RFC 3720, appendix B.4), masked: rotated right by 15 bits, plus 0xa282ead8 (TensorFlow, `tensorflow/core/lib/hash/crc32c.h`).
//! A record is an `Event` message (`tensorflow/core/util/event.proto`), the first of which states the version.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use crate::error::{Error, Result};

/// The part of `tensorflow.Event` that scalars need.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// An event file that is being written.
#[derive(Debug)]
pub struct Events {
    path: PathBuf,
    file: File,
}

impl Events {
    /// Begins another file in `folder`: TensorBoard reads all of them as one run. Its name has the second at which it was begun and
    /// the step, so that a resumed run never writes into an older file.
    pub fn begin(folder: &Path, step: u64) -> Result<Self> {
        let now = now();
        let path = folder.join(format!("events.out.tfevents.{:010}.trainer.{}.{step}", now as u64, std::process::id()));
        let file = File::options().create(true).append(true).open(&path).map_err(Error::file(&path))?;
        let mut events = Events { path, file };
        let version = Some("brain.Event:2".to_owned());
        events.write(&Event { wall_time: now, step: step as i64, file_version: version, summary: None })?;
        Ok(events)
    }

    /// Adds a point to each of these curves.
    pub fn scalars(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<()> {
        let value = |&(tag, value): &(&str, f64)| Value { tag: tag.to_owned(), simple_value: Some(value as f32) };
        let summary = Some(Summary { value: scalars.iter().map(value).collect() });
        self.write(&Event { wall_time: now(), step: step as i64, file_version: None, summary })
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        self.file.write_all(&record(&event.encode_to_vec())).map_err(Error::file(&self.path))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(data.len() + 16);
    record.extend(length);
    record.extend(masked_crc(&length).to_le_bytes());
    record.extend(data);
    record.extend(masked_crc(data).to_le_bytes());
    record
}

fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_of_rfc_3720() {
        // Appendix B.4: 32 bytes of zeros, of ones, ascending, descending.
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (data, expected) in
            [(vec![0; 32], 0x8a91_36aa), (vec![0xff; 32], 0x62a8_ab43), (ascending, 0x46dd_794e), (descending, 0x113f_db5c)]
        {
            assert_eq!(crc32c::crc32c(&data), expected);
        }
    }

    #[test]
    fn the_mask_turns_back() {
        // TensorFlow's own inverse: rotate left what is left after the constant is taken away.
        for data in [&b""[..], b"foo", b"123456789"] {
            assert_eq!(masked_crc(data).wrapping_sub(0xa282_ead8).rotate_left(15), crc32c::crc32c(data));
        }
    }

    #[test]
    fn a_record_is_framed_as_tensorflow_frames_the_version() {
        // The first record of every event file that TensorFlow or PyTorch writes carries 24 bytes: the length's bytes and its CRC are
        // 18 00 00 00 00 00 00 00 a3 7f 4b 22.
        let version = Some("brain.Event:2".to_owned());
        let event = Event { wall_time: 1.5e9, step: 0, file_version: version, summary: None };
        let record = record(&event.encode_to_vec());
        assert_eq!(record[..12], [0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(record.len(), 24 + 16);
    }
}
