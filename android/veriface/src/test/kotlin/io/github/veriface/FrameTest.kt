package io.github.veriface

import java.io.File
import java.nio.ByteBuffer
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** Frames in direct buffers, as cameras lay them out. */
class FrameTest {
    private val verifier = Shared.verifier
    private val pixels = Portraits.pixels("obama-standing")
    private val width = pixels.width
    private val height = pixels.height
    private val yuv = Portraits.yuv(pixels)

    private fun score(frame: Frame): Float = Template.fromBytes(File(System.getProperty("veriface.template")).readBytes())
        .use { verifier.verify(it, frame).score }

    /** expo/expo 17524, opencv/opencv 13526, flutter/flutter 106944, QuickBirdEng/yuvToMat 5. */
    @Test
    fun `every layout of the same samples gives the same score`() {
        val (y, u, v) = yuv
        val half = (width + 1) / 2
        val expected = score(
            Frame.yuv420(
                Plane(Portraits.direct(y), width, 1), Plane(Portraits.direct(u), half, 1), Plane(Portraits.direct(v), half, 1),
                width, height,
            ),
        )
        assertTrue(expected > 0.5f)
        val stride = half * 2 + 32
        val luma = Portraits.padded(y, width, stride)
        val vu = Portraits.padded(Portraits.interleaved(v, u), half * 2, stride)
        // Android's planes: V begins one byte before U, and each ends at its last sample.
        fun plane(bytes: ByteArray, from: Int, to: Int) = Portraits.direct(bytes).apply { position(from).limit(to) }
        val android = Frame.yuv420(
            Plane(Portraits.direct(luma), stride, 1),
            Plane(plane(vu, 1, vu.size), stride, 2),
            Plane(plane(vu, 0, vu.size - 1), stride, 2),
            width, height,
        )
        assertEquals(expected, score(android))
        val rows = luma.copyOf(stride * height)
        assertEquals(expected, score(Frame.nv21(Portraits.direct(rows + vu), width, height, stride)))
        val uv = Portraits.padded(Portraits.interleaved(u, v), half * 2, stride)
        assertEquals(expected, score(Frame.nv12(Portraits.direct(rows + uv), width, height, stride)))
    }

    /** HyperInspire/InspireFace 164, react-native-camera 2261: CameraX's degrees, and mirrored buffers. */
    @Test
    fun `every rotation gives the same score`() {
        fun rgb(at: (Int, Int) -> Int, width: Int, height: Int): ByteBuffer {
            val bytes = ByteArray(width * height * 3)
            for (row in 0 until height) for (column in 0 until width) {
                val colour = pixels.rgb[at(row, column)]
                for (channel in 0..2) bytes[(row * width + column) * 3 + channel] = (colour shr (16 - 8 * channel)).toByte()
            }
            return Portraits.direct(bytes)
        }
        val expected = score(Frame.rgb(rgb({ row, column -> row * width + column }, width, height), width, height))
        // What a sensor stores so that turning it clockwise by these degrees makes it upright.
        val by90 = rgb({ row, column -> column * width + (width - 1 - row) }, height, width)
        assertEquals(expected, score(Frame.rgb(by90, height, width, orientation = Orientation(90))))
        val by180 = rgb({ row, column -> (height - 1 - row) * width + (width - 1 - column) }, width, height)
        assertEquals(expected, score(Frame.rgb(by180, width, height, orientation = Orientation(180))))
        val by270 = rgb({ row, column -> (height - 1 - column) * width + row }, height, width)
        assertEquals(expected, score(Frame.rgb(by270, height, width, orientation = Orientation(270))))
        val mirrored = rgb({ row, column -> row * width + (width - 1 - column) }, width, height)
        assertEquals(expected, score(Frame.rgb(mirrored, width, height, orientation = Orientation(mirrored = true))))
    }

    @Test
    fun `what is no frame is an error`() {
        fun code(frame: Frame) = assertFailsWith<VerifaceException> { verifier.detect(frame) }.code
        assertEquals(ErrorCode.INVALID_FRAME, code(Frame.rgb(Portraits.direct(ByteArray(11)), 2, 2)))
        assertEquals(ErrorCode.INVALID_FRAME, code(Frame.rgb(ByteBuffer.allocate(12), 2, 2)))
        assertEquals(ErrorCode.INVALID_FRAME, code(Frame.rgb(Portraits.direct(ByteArray(12)), -2, 2)))
        assertEquals(ErrorCode.INVALID_FRAME, code(Frame.rgb(Portraits.direct(ByteArray(12)), 2, 2, rowStride = -6)))
        assertEquals(ErrorCode.INVALID_FRAME, code(Frame.nv21(Portraits.direct(ByteArray(0)), 2, 2)))
        assertEquals(ErrorCode.INVALID_ARGUMENT, code(Frame.rgb(Portraits.direct(ByteArray(12)), 2, 2, orientation = Orientation(45))))
    }

    @Test
    fun `a session guides, and decides on the best frames`() {
        val near = Portraits.pixels("obama-smiling")
        val (y, u, v) = Portraits.yuv(near)
        val half = (near.width + 1) / 2
        val frame = Frame.yuv420(
            Plane(Portraits.direct(y), near.width, 1), Plane(Portraits.direct(u), half, 1), Plane(Portraits.direct(v), half, 1),
            near.width, near.height,
        )
        val nobody = Frame.gray(Portraits.direct(ByteArray(64 * 48)), 64, 48)
        Template.fromBytes(File(System.getProperty("veriface.template")).readBytes()).use { template ->
            VerifierSession(verifier, Purpose.VERIFY).use { session ->
                assertEquals(Guidance.NO_FACE, session.frame(nobody, 0).guidance)
                assertEquals(ErrorCode.NO_FACE, assertFailsWith<VerifaceException> { session.decide(template) }.code)
                session.reset()
                val states = (1..60L).map { session.frame(frame, it * 100_000_000) }
                assertTrue(states.any { it.ready }, "${states.last().guidance} ${states.last().reasons}")
                assertTrue(states.last().face!!.landmarks.points.size == 5)
                assertTrue(session.decide(template).same)
                session.enrol().template.use { assertTrue(it.samples > 1) }
            }
        }
    }

    /** mozilla/uniffi-rs 1586: a frame crosses without a copy. What is measured is the border, not the network. */
    @Test
    fun `a frame of 1280 × 720 crosses without a copy`() {
        val buffer = ByteBuffer.allocateDirect(1280 * 720 * 3 / 2)
        val copied = ByteArray(buffer.capacity())
        // A closed verifier: the frame is described, and refused before anything computes.
        val closed = Verifier().apply { close() }
        fun median(call: () -> Unit): Double {
            repeat(500) { call() }
            return List(501) { val start = System.nanoTime(); call(); (System.nanoTime() - start) / 1e3 }.sorted()[250]
        }
        VerifierSession(verifier, Purpose.VERIFY).use {
            val border = median { runCatching { closed.detect(Frame.nv21(buffer, 1280, 720)) } }
            val copy = median { buffer.duplicate().get(copied) }
            println("border: a 1280×720 NV21 frame %.1f µs with its exception, a copy of it %.1f µs".format(border, copy))
        }
    }
}
