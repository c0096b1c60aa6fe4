package io.github.veriface

/** An error's number by name. The numbers are the same in every language; `docs/errors.md` lists them. */
enum class ErrorCode(
    /** The number, stable across versions. */
    val number: Int,
) {
    /** The bytes are no picture of a supported format. */
    UNKNOWN_PICTURE_FORMAT(201),

    /** The picture's format is known, but not this variant of it. */
    UNSUPPORTED_PICTURE(202),

    /** The picture is damaged or cut short. */
    DAMAGED_PICTURE(203),

    /** The picture is larger than the limits allow. */
    PICTURE_TOO_LARGE(204),

    /** The picture is too small to hold a face. */
    PICTURE_TOO_SMALL(205),

    /** A camera frame's planes do not fit its stated geometry. */
    INVALID_FRAME(206),

    /** No face was found. */
    NO_FACE(301),

    /** Several faces were found and no rule says which one is meant. */
    MULTIPLE_FACES(302),

    /** The face is not good enough for the quality policy. */
    POOR_QUALITY(303),

    /** The five landmarks are not those of an upright face in the stated order. */
    INVALID_LANDMARKS(304),

    /** The file is not a pack. */
    NOT_A_PACK(401),

    /** The pack's format version is not one this SDK reads. */
    UNKNOWN_PACK_VERSION(402),

    /** The pack is cut short. */
    TRUNCATED_PACK(403),

    /** A part of the pack does not have the hash that the pack states. */
    ALTERED_PACK(404),

    /** The pack, or a part of it, is larger than the limits allow. */
    PACK_TOO_LARGE(405),

    /** The pack's manifest is not valid. */
    INVALID_MANIFEST(406),

    /** A part that the manifest names is missing or of the wrong kind. */
    MISSING_PACK_PART(407),

    /** A network of the pack cannot be loaded. */
    UNUSABLE_NETWORK(408),

    /** The pack's self-test failed: this device computes something other than the pack states. */
    SELF_TEST_FAILED(409),

    /** The pack needs a newer SDK. */
    PACK_NEEDS_NEWER_SDK(411),

    /** The pack is not signed, and the caller trusts only a signed one. */
    UNSIGNED_PACK(412),

    /** The pack is signed with another key than the one that the caller trusts. */
    WRONG_PACK_KEY(413),

    /** The pack's signature does not fit its contents. */
    FORGED_PACK(414),

    /** A network's output cannot be made a unit vector. */
    INVALID_EMBEDDING(501),

    /** The two sides come from different models. */
    MODEL_MISMATCH(502),

    /** The bytes are not a template or gallery. */
    NOT_A_TEMPLATE(503),

    /** The template's or gallery's format version is not one this SDK reads. */
    UNKNOWN_TEMPLATE_VERSION(504),

    /** The template or gallery is cut short or altered. */
    DAMAGED_TEMPLATE(505),

    /** There is nothing to make a template from. */
    NOTHING_TO_ENROL(506),

    /** The gallery has no such entry, or already has one of that name. */
    GALLERY_ENTRY(507),

    /** The key or passphrase is not the one that the template was sealed with. */
    WRONG_KEY(508),

    /** The sealed template's bytes are not those that were sealed. */
    ALTERED_TEMPLATE(509),

    /** The template was sealed for another purpose. */
    PURPOSE_MISMATCH(510),

    /** The pack carries no calibration and the caller stated no threshold. */
    UNCALIBRATED(601),

    /** The pack has no threshold at this false-match rate. */
    NO_SUCH_OPERATING_POINT(602),

    /** The network failed while running. */
    NETWORK_FAILED(701),

    /** An argument is outside its range. */
    INVALID_ARGUMENT(801),

    /** A file could not be read. */
    CANNOT_READ(802),

    /** A file could not be written. */
    CANNOT_WRITE(803),

    /** A list of pairs is not in a known form. */
    INVALID_PAIRS(804),

    /** There are too few comparisons for the figure asked for. */
    TOO_FEW_COMPARISONS(805),

    /** The object was closed, or never was one. */
    CLOSED(806),

    /** A fault of the SDK, which stopped this call and nothing else. */
    INTERNAL_FAULT(807),

    /** The system gives no random numbers. */
    NO_RANDOMNESS(808);

    /** What to do about it, in one sentence. */
    val advice: String
        get() = Native.errorAdvice(number)

    internal companion object {
        fun of(number: Int): ErrorCode = entries.find { it.number == number } ?: INTERNAL_FAULT
    }
}

/** Why a face is not fit to decide on. */
enum class Reason {
    /** The eyes are too few pixels apart. */
    TOO_SMALL,

    /** The face is cut by the edge of the picture. */
    CUT_BY_FRAME,

    /** The head is turned to the side. */
    TURNED_SIDEWAYS,

    /** The head is tilted up or down. */
    TILTED_UP_OR_DOWN,

    /** The head leans towards a shoulder. */
    LEANING_TO_SHOULDER,

    /** The face is blurred. */
    BLURRED,

    /** The face is too dark. */
    TOO_DARK,

    /** The face is too bright. */
    TOO_BRIGHT,

    /** The face has too little contrast. */
    LOW_CONTRAST,

    /** There is more than one face. */
    SEVERAL_FACES,

    /** The detector is not sure that it is a face. */
    UNCERTAIN_DETECTION;

    /** What to tell the person in front of the camera. */
    val sentence: String
        get() = Native.reasonSentence(ordinal)

    internal companion object {
        fun of(bits: Int): List<Reason> = entries.filter { bits shr it.ordinal and 1 == 1 }
    }
}

/** Which of a call's pictures an error is about. */
sealed class PictureOfCall {
    /** The enrolled side. */
    data object Reference : PictureOfCall()

    /** The side presented now. */
    data object Probe : PictureOfCall()

    /** The picture at this place of a list, from 0. */
    data class Item(val place: Int) : PictureOfCall()

    internal companion object {
        fun of(number: Int): PictureOfCall? = when {
            number >= 0 -> Item(number)
            number == -2 -> Reference
            number == -3 -> Probe
            else -> null
        }
    }
}

/** What went wrong. It never holds pixels or values of an embedding. Made by the native library, which finds it by name. */
class VerifaceException internal constructor(number: Int, sentence: String, picture: Int, reasons: Int) : RuntimeException(sentence) {
    /** The number by name. */
    val code: ErrorCode = ErrorCode.of(number)

    /** The picture of the call that it is about. */
    @Transient
    val picture: PictureOfCall? = PictureOfCall.of(picture)

    /** Why the face was refused, for [ErrorCode.POOR_QUALITY]. */
    val reasons: List<Reason> = Reason.of(reasons)
}
