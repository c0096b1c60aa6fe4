package io.github.veriface

import java.io.File
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

/** Points of another detector: for want of one, ours stands for it. */
class LandmarksTest {
    private val verifier = Shared.verifier

    @Test
    fun `a face at given points is the face found there`() {
        Portraits.photo("obama-smiling").use { photo ->
            val given = photo.at(verifier.detect(photo).single().landmarks)
            val expected = File(System.getProperty("veriface.template")).readBytes()
            verifier.enrol(given).template.use { assertContentEquals(expected, it.toBytes()) }
            Portraits.photo("obama-standing").use { standing ->
                val there = standing.at(verifier.detect(standing).single().landmarks)
                val score = verifier.verify(photo, standing).score
                assertEquals(score, verifier.verify(given, there).score)
                Template.fromBytes(expected).use { assertEquals(verifier.verify(it, standing).score, verifier.verify(it, there).score) }
            }
        }
    }

    /** Another order, such as the person's side that ML Kit names points by, is refused, and the picture named. */
    @Test
    fun `a wrong order is refused`() {
        Portraits.photo("obama-smiling").use { photo ->
            val (a, b, nose, c, d) = verifier.detect(photo).single().landmarks.points
            val mirrored = photo.at(Landmarks(b, a, nose, d, c))
            val refused = assertFailsWith<VerifaceException> { verifier.verify(photo, mirrored) }
            assertEquals(ErrorCode.INVALID_LANDMARKS to PictureOfCall.Probe, refused.code to refused.picture)
            val item = assertFailsWith<VerifaceException> { verifier.enrol(photo, mirrored) }
            assertEquals<Pair<ErrorCode, PictureOfCall?>>(ErrorCode.INVALID_LANDMARKS to PictureOfCall.Item(1), item.code to item.picture)
            val nowhere = photo.at(Landmarks(a, b, Point(Float.NaN, 0f), c, d))
            assertEquals(ErrorCode.INVALID_LANDMARKS, assertFailsWith<VerifaceException> { verifier.verify(photo, nowhere) }.code)
        }
    }

    @Test
    fun `a session follows given points`() {
        val near = Portraits.pixels("obama-smiling")
        val bytes = ByteArray(near.rgb.size * 3) { (near.rgb[it / 3] shr (16 - it % 3 * 8)).toByte() }
        val frame = Frame.rgb(Portraits.direct(bytes), near.width, near.height)
        val given = frame.at(verifier.detect(frame).single().landmarks)
        VerifierSession(verifier, Purpose.VERIFY).use { session ->
            val states = (1..60L).map { session.frame(given, it * 100_000_000) }
            assertTrue(states.any { it.ready }, "${states.last().guidance} ${states.last().reasons}")
            Template.fromBytes(File(System.getProperty("veriface.template")).readBytes()).use { assertTrue(session.decide(it).same) }
        }
    }
}
