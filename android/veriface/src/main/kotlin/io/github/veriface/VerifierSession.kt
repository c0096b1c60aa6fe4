package io.github.veriface

import java.util.concurrent.TimeUnit

/** What a picture is used for: it chooses how strict the quality gates are. */
enum class Purpose {
    /** It becomes part of a template: strict. */
    ENROL,

    /** It is compared once. */
    VERIFY,
}

/** What to tell the person in front of the camera. */
enum class Guidance {
    /** No face is seen. */
    NO_FACE,

    /** Someone else is about as near. */
    ONE_PERSON_ONLY,

    /** The face is too near. */
    MOVE_BACK,

    /** The face is too far. */
    MOVE_CLOSER,

    /** The face is cut off, or far from the middle. */
    CENTRE_FACE,

    /** The head is turned, tilted or leaning. */
    LOOK_STRAIGHT,

    /** Too dark. */
    MORE_LIGHT,

    /** Too bright. */
    LESS_LIGHT,

    /** Moving or blurred. */
    HOLD_STILL,

    /** Something is before the face. */
    UNCOVER_FACE,

    /** Nothing to ask for. */
    GOOD;

    /** The sentence to show. */
    val sentence: String
        get() = Native.guidanceSentence(ordinal)
}

/** What one frame brought. */
class Progress internal constructor(numbers: FloatArray) {
    /** What to tell the person. */
    val guidance: Guidance = Guidance.entries[numbers[0].toInt()]

    /** What speaks against this frame. */
    val reasons: List<Reason> = Reason.of(numbers[1].toInt())

    /** Whether as many fit frames are kept as a decision asks for. */
    val ready: Boolean = numbers[2] != 0f

    /** The face that is followed, where to draw it, in pixels of the upright frame. */
    val face: Face? = if (numbers[3] != 0f) Face(numbers, 4) else null
}

/**
 * One person before a camera. Feed it frames until [Progress.ready], telling the person [Progress.guidance] meanwhile; then [decide] or
 * [enrol]. Calls from several threads take turns. Close it when the camera goes.
 */
class VerifierSession(verifier: Verifier, purpose: Purpose) : AutoCloseable {
    private val handle = Handle(
        keeping(verifier.handle) { Native.openSession(verifier.handle.number, purpose.ordinal) },
        Native::closeSession,
    )

    /** Takes the next frame; [timestampNanos] is the camera's, of any clock that does not jump. A frame without a face is no error. */
    fun frame(frame: Picture, timestampNanos: Long): Progress {
        val milliseconds = TimeUnit.NANOSECONDS.toMillis(timestampNanos)
        val (first, second, third) = frame.planes
        return keeping(handle, frame.held) {
            Progress(
                Native.sessionFrame(handle.number, frame.photo, frame.numbers, first, second, third, frame.points, milliseconds),
            )
        }
    }

    /** Decides whether the person followed is that of the template, by the best frames. Once, when ready: each try is one for an impostor. */
    fun decide(reference: Template): Decision = keeping(handle, reference.handle) {
        Decision(Native.sessionDecide(handle.number, reference.handle.number))
    }

    /** A template of the best frames. */
    fun enrol(): Enrolment {
        val scores = FloatArray(MOST_FRAMES)
        val outliers = BooleanArray(MOST_FRAMES)
        val template = keeping(handle) { Template(Native.sessionEnrol(handle.number, scores, outliers)) }
        return Enrolment(template, scores.copyOf(template.samples), outliers)
    }

    /** Forgets the person, for the next one. */
    fun reset() = keeping(handle) { Native.sessionReset(handle.number) }

    /** Frees the session. Closing twice, or from another thread, is harmless. */
    override fun close() = handle.close()

    private companion object {
        /** The most frames that a session keeps: `TrackPolicy::MAX_FRAMES`. */
        const val MOST_FRAMES = 16
    }
}
