package io.github.veriface

import java.nio.ByteBuffer

/** A picture that a call takes: a [Photo] or a camera's [Frame], or either with its face's points. */
sealed class Picture {
    internal abstract val held: Handle?
    internal abstract val numbers: IntArray?
    internal abstract val planes: Array<ByteBuffer?>
    internal open val points: FloatArray? get() = null

    /** A photo's handle, or 0. */
    internal val photo: Long get() = held?.number ?: 0

    /** The same picture with its face's points as another detector found them, such as ML Kit; then nothing is detected in it. */
    fun at(landmarks: Landmarks): Picture = Located(this, landmarks.numbers())

    private class Located(private val picture: Picture, override val points: FloatArray) : Picture() {
        override val held: Handle? get() = picture.held
        override val numbers: IntArray? get() = picture.numbers
        override val planes: Array<ByteBuffer?> get() = picture.planes

        override fun toString() = "$picture with landmarks"
    }
}

/** A decoded picture file: JPEG, PNG, WebP or BMP, upright by its EXIF orientation. Close it after use. */
class Photo private constructor(number: Long) : Picture(), AutoCloseable {
    override val held = Handle(number, Native::closePhoto)
    override val numbers: IntArray? get() = null
    override val planes: Array<ByteBuffer?> get() = NO_PLANES

    /** Frees the pixels. Closing twice, or from another thread, is harmless. */
    override fun close() = held.close()

    override fun toString() = "Photo"

    companion object {
        private val NO_PLANES = arrayOfNulls<ByteBuffer>(3)

        /** Reads a file. */
        @JvmStatic
        fun open(path: String) = Photo(Native.openPhoto(path))

        /** Decodes a file's bytes, such as a content provider gives them. */
        @JvmStatic
        fun decode(file: ByteArray) = Photo(Native.decodePhoto(file))
    }
}

/** One plane of a camera's frame: a direct buffer, which is read from its position to its limit, and its strides in bytes. */
class Plane(val buffer: ByteBuffer, val rowStride: Int, val pixelStride: Int)

/** How the stored pixels have to be turned and mirrored to be upright. */
data class Orientation(
    /** Degrees clockwise to upright: CameraX's `rotationDegrees` as it is. */
    val rotationDegrees: Int = 0,
    /** Whether the **buffer** is mirrored. Front cameras mostly mirror the preview alone. */
    val mirrored: Boolean = false,
)

/** Which luma weights a YUV frame was made with. */
enum class YuvMatrix(internal val number: Int) {
    /** JPEG, and what Android cameras deliver for analysis unless they say otherwise. */
    BT601(601),

    /** High-definition video. */
    BT709(709),
}

/** Which code values a YUV frame uses. */
enum class YuvRange {
    /** 0…255: JPEG, YUV_420_888. */
    FULL,

    /** 16…235 for luma and 16…240 for chroma: most video. */
    VIDEO,
}

/**
 * A frame in the memory of direct buffers. Nothing is copied, so the buffers must not be written to, nor the camera's image closed, while
 * a call has the frame. A row stride of 0 stands for rows without a gap.
 */
class Frame private constructor(override val numbers: IntArray, override val planes: Array<ByteBuffer?>) : Picture() {
    override val held: Handle? get() = null

    /** Size and format; never the pixels. */
    override fun toString() = "Frame(format ${numbers[0]}, ${numbers[1]}×${numbers[2]}, turned by ${numbers[3]}°)"

    companion object {
        /** Three planes as `YUV_420_888` delivers them, strides as reported. */
        @JvmStatic
        @JvmOverloads
        fun yuv420(
            y: Plane, u: Plane, v: Plane, width: Int, height: Int, orientation: Orientation = Orientation(),
            matrix: YuvMatrix = YuvMatrix.BT601, range: YuvRange = YuvRange.FULL,
        ) = frame(9, width, height, orientation, matrix, range, y, u, v)

        /** The old camera's one buffer: luma, then V, U pairs, in rows of the same stride. */
        @JvmStatic
        @JvmOverloads
        fun nv21(
            buffer: ByteBuffer, width: Int, height: Int, rowStride: Int = 0, orientation: Orientation = Orientation(),
            matrix: YuvMatrix = YuvMatrix.BT601, range: YuvRange = YuvRange.FULL,
        ) = frame(7, width, height, orientation, matrix, range, Plane(buffer, rowStride, 0))

        /** One buffer: luma, then U, V pairs, in rows of the same stride. */
        @JvmStatic
        @JvmOverloads
        fun nv12(
            buffer: ByteBuffer, width: Int, height: Int, rowStride: Int = 0, orientation: Orientation = Orientation(),
            matrix: YuvMatrix = YuvMatrix.BT601, range: YuvRange = YuvRange.FULL,
        ) = frame(6, width, height, orientation, matrix, range, Plane(buffer, rowStride, 0))

        /** Four bytes a pixel: red, green, blue, alpha, which is ignored; a bitmap's `ARGB_8888` in memory. */
        @JvmStatic
        @JvmOverloads
        fun rgba(buffer: ByteBuffer, width: Int, height: Int, rowStride: Int = 0, orientation: Orientation = Orientation()) =
            frame(3, width, height, orientation, YuvMatrix.BT601, YuvRange.FULL, Plane(buffer, rowStride, 0))

        /** Three bytes a pixel: red, green, blue. */
        @JvmStatic
        @JvmOverloads
        fun rgb(buffer: ByteBuffer, width: Int, height: Int, rowStride: Int = 0, orientation: Orientation = Orientation()) =
            frame(1, width, height, orientation, YuvMatrix.BT601, YuvRange.FULL, Plane(buffer, rowStride, 0))

        /** One byte a pixel. */
        @JvmStatic
        @JvmOverloads
        fun gray(buffer: ByteBuffer, width: Int, height: Int, rowStride: Int = 0, orientation: Orientation = Orientation()) =
            frame(5, width, height, orientation, YuvMatrix.BT601, YuvRange.FULL, Plane(buffer, rowStride, 0))

        private fun frame(
            format: Int, width: Int, height: Int, orientation: Orientation, matrix: YuvMatrix, range: YuvRange, vararg planes: Plane,
        ): Frame {
            val strides = IntArray(6)
            planes.forEachIndexed { place, plane ->
                strides[2 * place] = plane.rowStride
                strides[2 * place + 1] = plane.pixelStride
            }
            val mirrored = if (orientation.mirrored) 1 else 0
            val numbers =
                intArrayOf(format, width, height, orientation.rotationDegrees, mirrored, matrix.number, range.ordinal, *strides)
            return Frame(numbers, Array(3) { place -> planes.getOrNull(place)?.buffer?.let(::window) })
        }

        /** The native side sees a buffer from its beginning to its capacity: a slice is what lies between position and limit. */
        private fun window(buffer: ByteBuffer) =
            if (buffer.position() == 0 && buffer.limit() == buffer.capacity()) buffer else buffer.slice()
    }
}
