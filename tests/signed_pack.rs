//! A signed pack is opened with its maker's key, and with no other; what was changed after it was signed is refused.

use sha2::{Digest, Sha256};
use veriface::{Chip, ErrorCode, Pack, PackKey, PackSigningKey, Part, PartKind, Trust, Verifier};
use veriface_tests::tiny_pack;

const HEADER: usize = 64;
const ENTRY: usize = 128;

fn maker() -> PackSigningKey {
    PackSigningKey::from_bytes(&[0x5a; 32])
}

fn signed() -> Vec<u8> {
    tiny_pack().signed(&maker()).to_bytes().unwrap()
}

fn open(bytes: &[u8]) -> Result<Pack, ErrorCode> {
    Pack::from_bytes(bytes, Trust::SignedBy(maker().public())).map_err(|error| error.code())
}

fn number(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

/// What a forger does after a change: every hash is written again, the table's of the parts and the header's over all.
fn rehashed(mut bytes: Vec<u8>) -> Vec<u8> {
    let parts = u32::from_le_bytes(bytes[24..28].try_into().unwrap()) as usize;
    for entry in (0..parts).map(|part| HEADER + part * ENTRY) {
        let (start, length) = (number(&bytes, entry + 80), number(&bytes, entry + 88));
        let hash = Sha256::digest(&bytes[start..start + length]);
        bytes[entry + 96..entry + 128].copy_from_slice(&hash);
    }
    let end = HEADER + parts * ENTRY + number(&bytes, 16);
    let hash = Sha256::new().chain_update(&bytes[..32]).chain_update(&bytes[HEADER..end]).finalize();
    bytes[32..64].copy_from_slice(&hash);
    bytes
}

fn with(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes.windows(old.len()).position(|window| window == old).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn a_signed_pack_is_opened_from_memory_and_from_a_file() {
    let pack = open(&signed()).unwrap();
    assert_eq!((pack.signed_by(), pack.model_id()), (Some(maker().public()), tiny_pack().model_id()));
    assert_eq!(pack.parts(), tiny_pack().parts(), "the signature is none of the parts");
    assert_eq!(pack.to_bytes().unwrap(), signed(), "what is read is written again, signature and all");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signed.vfpack");
    // With prepared networks, so that parts stay in the file.
    let finished = Verifier::from_pack(pack).unwrap().finished_pack(&Chip::drawn_face()).unwrap();
    assert_eq!(finished.signed_by(), None, "it is another pack, which nobody signed");
    finished.signed(&maker()).save(&path).unwrap();
    let trust = Trust::SignedBy(maker().public());
    assert!(Verifier::from_pack(Pack::open(&path, trust).unwrap()).is_ok());
    // Nothing is asked of whoever says so.
    assert!(Pack::open(&path, Trust::Unsigned).is_ok());
    std::fs::write(&path, tiny_pack().to_bytes().unwrap()).unwrap();
    let error = Pack::open(&path, trust).unwrap_err();
    assert_eq!((error.code(), error.file()), (ErrorCode::UnsignedPack, Some(path.as_path())));
}

#[test]
fn a_missing_signature_is_named() {
    assert_eq!(open(&tiny_pack().to_bytes().unwrap()).unwrap_err(), ErrorCode::UnsignedPack);
}

#[test]
fn another_key_is_named_beside_the_trusted_one() {
    let other = PackSigningKey::from_bytes(&[1; 32]);
    let bytes = tiny_pack().signed(&other).to_bytes().unwrap();
    let error = Pack::from_bytes(&bytes, Trust::SignedBy(maker().public())).unwrap_err();
    assert_eq!(error.code(), ErrorCode::WrongPackKey);
    let text = error.to_string();
    assert!(text.contains(&other.public().to_string()) && text.contains(&maker().public().to_string()), "{text}");
    // Whoever writes the trusted key into a signature of another gains nothing.
    let bytes = rehashed(with(&bytes, other.public().as_bytes(), maker().public().as_bytes()));
    assert_eq!(open(&bytes).unwrap_err(), ErrorCode::ForgedPack);
}

#[test]
fn a_tampered_manifest_is_refused() {
    let bytes = with(&signed(), b"\"score_threshold\": 0.5", b"\"score_threshold\": 0.1");
    assert_eq!(open(&bytes).unwrap_err(), ErrorCode::AlteredPack);
    let bytes = rehashed(bytes);
    assert!(Pack::from_bytes(&bytes, Trust::Unsigned).is_ok(), "whole, but somebody else's");
    assert_eq!(open(&bytes).unwrap_err(), ErrorCode::ForgedPack);
}

#[test]
fn a_tampered_part_is_refused() {
    let original = signed();
    let part = number(&original, HEADER + ENTRY + 80) + 100;
    let mut bytes = original.clone();
    bytes[part] ^= 1;
    assert_eq!(open(&bytes).unwrap_err(), ErrorCode::AlteredPack);
    assert_eq!(open(&rehashed(bytes)).unwrap_err(), ErrorCode::ForgedPack);
}

#[test]
fn a_tampered_signature_is_refused() {
    let original = signed();
    let signature = original.windows(32).position(|window| window == maker().public().as_bytes()).unwrap() + 32;
    for place in (signature..signature + 64).step_by(9) {
        let mut bytes = original.clone();
        bytes[place] ^= 0x10;
        assert_eq!(open(&rehashed(bytes)).unwrap_err(), ErrorCode::ForgedPack, "byte {}", place - signature);
    }
}

#[test]
fn parts_that_are_renamed_retyped_or_swapped_are_refused() {
    let original = signed();
    let renamed = with(&original, b"recogniser\0", b"recognised\0");
    assert_eq!(open(&rehashed(renamed)).unwrap_err(), ErrorCode::ForgedPack);
    let mut retyped = original.clone();
    retyped[HEADER + 72] = 4;
    assert_eq!(open(&rehashed(retyped)).unwrap_err(), ErrorCode::ForgedPack);
    // The two networks' names exchanged.
    let mut swapped = original.clone();
    let (first, second) = (HEADER..HEADER + 72, HEADER + ENTRY..HEADER + ENTRY + 72);
    swapped[first.clone()].copy_from_slice(&original[second.clone()]);
    swapped[second].copy_from_slice(&original[first]);
    assert_eq!(open(&rehashed(swapped)).unwrap_err(), ErrorCode::ForgedPack);
}

#[test]
fn a_signature_is_made_by_signing_only() {
    let pack = tiny_pack();
    let with = |parts: &[Part]| Pack::new(pack.manifest().clone(), [pack.parts(), parts].concat()).map_err(|error| error.code());
    let signature = |length: usize| Part::new("signature", PartKind::Signature, vec![0; length]);
    assert_eq!(with(&[signature(96)]).unwrap_err(), ErrorCode::InvalidManifest);
    // A changed pack has none any more, and a verifier's changes are changes.
    let verifier = Verifier::builder(pack.signed(&maker())).mirror_averaging(true).unwrap().build().unwrap();
    assert_eq!(verifier.pack().signed_by(), None);
}

#[test]
fn the_built_in_pack_needs_no_signature() {
    assert!(Verifier::from_pack(Pack::embedded().unwrap()).is_ok());
}

#[test]
fn a_pinned_key_is_a_word_in_the_code() {
    let key: PackKey = maker().public().to_string().parse().unwrap();
    assert_eq!(key, maker().public());
}
