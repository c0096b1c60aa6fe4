package io.github.veriface

import java.nio.ByteBuffer

/** Which face is meant when a picture shows several. */
enum class FaceChoice {
    /** The only one; several are an error. */
    ONLY,

    /** The one with the largest box. */
    LARGEST,

    /** A large one near the middle. */
    MOST_CENTRAL,
}

/** Where the networks and thresholds come from. */
sealed class Pack {
    /** The one that is built in. */
    data object Embedded : Pack()

    /** A file; with a [key], one that its holder signed. Without one the app vouches for the file. */
    data class File @JvmOverloads constructor(val path: String, val key: String? = null) : Pack()

    /** A direct buffer, such as a mapped asset, which the app's own signature covers; it is read once. With a [key], one that its holder signed. */
    class Bytes @JvmOverloads constructor(val buffer: ByteBuffer, val key: String? = null) : Pack()
}

/**
 * Answers whether two pictures show the same person. Make one, off the main thread, and share it between threads.
 *
 * Calls block for as long as they compute; [suspending] has the same for coroutines. Every failure is a [VerifaceException].
 */
class Verifier @JvmOverloads constructor(
    pack: Pack = Pack.Embedded,
    /** The false-match rate to decide at, one that the pack was measured at. */
    falseMatchRate: Double? = null,
    /** A threshold that the caller answers for, instead of a rate. */
    statedThreshold: Float? = null,
    faceChoice: FaceChoice = FaceChoice.ONLY,
) : AutoCloseable {
    internal val handle = Handle(
        Native.openVerifier(
            (pack as? Pack.File)?.path,
            (pack as? Pack.Bytes)?.buffer,
            falseMatchRate ?: Double.NaN,
            statedThreshold ?: Float.NaN,
            faceChoice.ordinal,
            when (pack) {
                is Pack.Embedded -> null
                is Pack.File -> pack.key
                is Pack.Bytes -> pack.key
            },
        ),
        Native::closeVerifier,
    )

    /** What every template of this verifier carries, in 64 hexadecimal digits. */
    val modelId: String get() = keeping(handle) { Native.modelId(handle.number) }

    /** Decides whether two pictures show the same person. */
    fun verify(reference: Picture, probe: Picture): Decision = keeping(handle, reference.held, probe.held) {
        val (a, b, c) = reference.planes
        val (d, e, f) = probe.planes
        Decision(
            Native.verify(
                handle.number,
                reference.photo, reference.numbers, a, b, c, reference.points,
                probe.photo, probe.numbers, d, e, f, probe.points,
            ),
        )
    }

    /** Decides whether a picture shows the person of a template. */
    fun verify(reference: Template, probe: Picture): Decision = keeping(handle, reference.handle, probe.held) {
        val (first, second, third) = probe.planes
        Decision(
            Native.verifyTemplate(
                handle.number, reference.handle.number, probe.photo, probe.numbers, first, second, third, probe.points,
            ),
        )
    }

    /** Makes a template of one person's pictures. An error names the picture by its place. */
    fun enrol(pictures: List<Picture>): Enrolment {
        val numbers = IntArray(pictures.size * FRAME_NUMBERS)
        val planes = arrayOfNulls<ByteBuffer>(pictures.size * 3)
        val points = Array(pictures.size) { pictures[it].points }
        pictures.forEachIndexed { place, picture ->
            picture.numbers?.copyInto(numbers, place * FRAME_NUMBERS)
            picture.planes.copyInto(planes, place * 3)
        }
        val photos = LongArray(pictures.size) { pictures[it].photo }
        val scores = FloatArray(pictures.size)
        val outliers = BooleanArray(pictures.size)
        val template = keeping(handle, *Array(pictures.size) { pictures[it].held }) {
            Template(Native.enrol(handle.number, photos, numbers, planes, points, scores, outliers))
        }
        return Enrolment(template, scores, outliers)
    }

    /** Makes a template of one person's pictures. */
    fun enrol(vararg pictures: Picture): Enrolment = enrol(pictures.asList())

    /** The faces of a picture, the surest first. */
    fun detect(picture: Picture): List<Face> {
        val (first, second, third) = picture.planes
        val numbers = keeping(handle, picture.held) {
            Native.detect(handle.number, picture.photo, picture.numbers, first, second, third)
        }
        return List(numbers.size / Face.NUMBERS) { Face(numbers, it * Face.NUMBERS) }
    }

    /** Frees the networks. Closing twice, or while another thread verifies, is harmless. */
    override fun close() = handle.close()

    companion object {
        private const val FRAME_NUMBERS = 13

        /** The library's version. */
        @JvmStatic
        val version: String get() = Native.version()
    }
}
