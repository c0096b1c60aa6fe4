//! The error numbers by name. `tests/header.rs` compares them with the SDK's.

/// The bytes are no picture of a supported format.
pub const VF_ERROR_UNKNOWN_PICTURE_FORMAT: i32 = 201;
/// The picture's format is known, but not this variant of it.
pub const VF_ERROR_UNSUPPORTED_PICTURE: i32 = 202;
/// The picture is damaged or cut short.
pub const VF_ERROR_DAMAGED_PICTURE: i32 = 203;
/// The picture is larger than the limits allow.
pub const VF_ERROR_PICTURE_TOO_LARGE: i32 = 204;
/// The picture is too small to hold a face.
pub const VF_ERROR_PICTURE_TOO_SMALL: i32 = 205;
/// A camera frame's planes do not fit its stated geometry.
pub const VF_ERROR_INVALID_FRAME: i32 = 206;
/// No face was found.
pub const VF_ERROR_NO_FACE: i32 = 301;
/// Several faces were found and no rule says which one is meant.
pub const VF_ERROR_MULTIPLE_FACES: i32 = 302;
/// The face is not good enough for the quality policy.
pub const VF_ERROR_POOR_QUALITY: i32 = 303;
/// The five landmarks are not those of an upright face in the stated order.
pub const VF_ERROR_INVALID_LANDMARKS: i32 = 304;
/// The file is not a pack.
pub const VF_ERROR_NOT_A_PACK: i32 = 401;
/// The pack's format version is not one this SDK reads.
pub const VF_ERROR_UNKNOWN_PACK_VERSION: i32 = 402;
/// The pack is cut short.
pub const VF_ERROR_TRUNCATED_PACK: i32 = 403;
/// A part of the pack does not have the hash that the pack states.
pub const VF_ERROR_ALTERED_PACK: i32 = 404;
/// The pack, or a part of it, is larger than the limits allow.
pub const VF_ERROR_PACK_TOO_LARGE: i32 = 405;
/// The pack's manifest is not valid.
pub const VF_ERROR_INVALID_MANIFEST: i32 = 406;
/// A part that the manifest names is missing or of the wrong kind.
pub const VF_ERROR_MISSING_PACK_PART: i32 = 407;
/// A network of the pack cannot be loaded.
pub const VF_ERROR_UNUSABLE_NETWORK: i32 = 408;
/// The pack's self-test failed: this device computes something other than the pack states.
pub const VF_ERROR_SELF_TEST_FAILED: i32 = 409;
/// The pack needs a newer SDK.
pub const VF_ERROR_PACK_NEEDS_NEWER_SDK: i32 = 411;
/// The pack is not signed, and the caller trusts only a signed one.
pub const VF_ERROR_UNSIGNED_PACK: i32 = 412;
/// The pack is signed with another key than the one that the caller trusts.
pub const VF_ERROR_WRONG_PACK_KEY: i32 = 413;
/// The pack's signature does not fit its contents.
pub const VF_ERROR_FORGED_PACK: i32 = 414;
/// A network's output cannot be made a unit vector.
pub const VF_ERROR_INVALID_EMBEDDING: i32 = 501;
/// The two sides come from different models.
pub const VF_ERROR_MODEL_MISMATCH: i32 = 502;
/// The bytes are not a template or gallery.
pub const VF_ERROR_NOT_A_TEMPLATE: i32 = 503;
/// The template's or gallery's format version is not one this SDK reads.
pub const VF_ERROR_UNKNOWN_TEMPLATE_VERSION: i32 = 504;
/// The template or gallery is cut short or altered.
pub const VF_ERROR_DAMAGED_TEMPLATE: i32 = 505;
/// There is nothing to make a template from.
pub const VF_ERROR_NOTHING_TO_ENROL: i32 = 506;
/// The gallery has no such entry, or already has one of that name.
pub const VF_ERROR_GALLERY_ENTRY: i32 = 507;
/// The key or passphrase is not the one that the template was sealed with.
pub const VF_ERROR_WRONG_KEY: i32 = 508;
/// The sealed template's bytes are not those that were sealed.
pub const VF_ERROR_ALTERED_TEMPLATE: i32 = 509;
/// The template was sealed for another purpose.
pub const VF_ERROR_PURPOSE_MISMATCH: i32 = 510;
/// The pack carries no calibration and the caller stated no threshold.
pub const VF_ERROR_UNCALIBRATED: i32 = 601;
/// The pack has no threshold at this false-match rate.
pub const VF_ERROR_NO_SUCH_OPERATING_POINT: i32 = 602;
/// The network failed while running.
pub const VF_ERROR_NETWORK_FAILED: i32 = 701;
/// An argument is outside its range.
pub const VF_ERROR_INVALID_ARGUMENT: i32 = 801;
/// A file could not be read.
pub const VF_ERROR_CANNOT_READ: i32 = 802;
/// A file could not be written.
pub const VF_ERROR_CANNOT_WRITE: i32 = 803;
/// A list of pairs is not in a known form.
pub const VF_ERROR_INVALID_PAIRS: i32 = 804;
/// There are too few comparisons for the figure asked for.
pub const VF_ERROR_TOO_FEW_COMPARISONS: i32 = 805;
/// The object was closed, or never was one.
pub const VF_ERROR_CLOSED: i32 = 806;
/// A fault of the SDK, which stopped this call and nothing else.
pub const VF_ERROR_INTERNAL_FAULT: i32 = 807;
/// The system gives no random numbers.
pub const VF_ERROR_NO_RANDOMNESS: i32 = 808;
