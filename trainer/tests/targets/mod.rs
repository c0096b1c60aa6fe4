//! What is fuzzed of the trainer: its readers of others' sets. `trainer/tests/hostile.rs` and `fuzz/` give them bytes.

use trainer::data::chips;
use trainer::data::recordio::RecordFile;
use trainer::data::verification_bin::VerificationBin;

/// `NAME.rec` and `NAME.idx`: two bytes with the index's length, the index, the records.
pub fn records(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk() else { return };
    let (index, records) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("set.rec");
    std::fs::write(&path, records).expect("written");
    std::fs::write(path.with_extension("idx"), index).expect("written");
    if let Ok(file) = RecordFile::open(&path) {
        for key in file.keys().take(100) {
            let _ = file.label(key);
            if let Ok(record) = file.read(key) {
                assert!(record.payload.len() <= records.len());
                let _ = chips::decode(&record.payload);
            }
        }
    }
}

/// insightface's `NAME.bin`, a Python pickle.
pub fn verification_bin(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    if let Ok(set) = VerificationBin::open(file.path()) {
        assert_eq!(set.pictures().len(), 2 * set.same().len());
    }
}
