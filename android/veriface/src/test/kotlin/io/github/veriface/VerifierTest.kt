package io.github.veriface

import java.io.File
import kotlinx.coroutines.runBlocking
import kotlin.test.Test
import kotlin.test.assertContentEquals
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertNotNull
import kotlin.test.assertNull
import kotlin.test.assertTrue

class VerifierTest {
    private val verifier = Shared.verifier

    @Test
    fun `the same man matches and others do not`() {
        Portraits.photo("obama-smiling").use { smiling ->
            Portraits.photo("obama-standing").use { standing ->
                val decision = verifier.verify(smiling, standing)
                assertTrue(decision.same && decision.score >= decision.threshold)
                assertEquals(Liveness.NOT_ASSESSED, decision.liveness)
                assertNotNull(decision.falseMatchRate)
            }
            Portraits.photo("biden").use { assertFalse(verifier.verify(smiling, it).same) }
        }
    }

    /** The command `veriface enrol` wrote the file: the same embedding to the bit from Rust and from here. */
    @Test
    fun `a template is Rust's to the bit`() {
        val expected = File(System.getProperty("veriface.template")).readBytes()
        Portraits.photo("obama-smiling").use { photo ->
            val enrolment = verifier.enrol(photo)
            enrolment.template.use {
                assertContentEquals(expected, it.toBytes())
                assertEquals(1, it.samples)
                assertEquals(verifier.modelId, it.modelId)
                assertTrue(enrolment.outliers.isEmpty() && enrolment.scores.single() > 0.999f)
            }
        }
    }

    @Test
    fun `a template decides as its picture does`() {
        Template.fromBytes(File(System.getProperty("veriface.template")).readBytes()).use { template ->
            Portraits.photo("obama-standing").use { probe ->
                Portraits.photo("obama-smiling").use { reference ->
                    assertEquals(verifier.verify(reference, probe).score, verifier.verify(template, probe).score)
                }
                val settings = Verifier(statedThreshold = 0.99f, faceChoice = FaceChoice.LARGEST)
                settings.use { assertFalse(it.verify(template, probe).same) }
                settings.use { assertNull(it.runCatching { verify(template, probe) }.getOrNull()) }
            }
        }
    }

    @Test
    fun `coroutines give the same`() = runBlocking {
        val suspending = verifier.suspending()
        Portraits.photo("obama-smiling").use { photo ->
            assertEquals(verifier.detect(photo).size, suspending.detect(photo).size)
            val enrolled = suspending.enrol(listOf(photo)).template
            enrolled.use { assertEquals(verifier.verify(it, photo).score, suspending.verify(it, photo).score) }
            assertTrue(suspending.verify(photo, photo).same)
        }
    }

    @Test
    fun `errors have a number, a picture and a sentence`() {
        Portraits.photo("obama-smiling").use { face ->
            val nobody = Frame.gray(Portraits.direct(ByteArray(64 * 48)), 64, 48)
            val probe = assertFailsWith<VerifaceException> { verifier.verify(face, nobody) }
            assertEquals(ErrorCode.NO_FACE to PictureOfCall.Probe, probe.code to probe.picture)
            val reference = assertFailsWith<VerifaceException> { verifier.verify(nobody, face) }
            assertEquals(PictureOfCall.Reference, reference.picture)
            val item = assertFailsWith<VerifaceException> { verifier.enrol(face, nobody) }
            assertEquals<PictureOfCall?>(PictureOfCall.Item(1), item.picture)
            assertTrue(item.message!!.startsWith("E301, picture 2") && item.code.advice.isNotEmpty())
        }
        assertEquals(ErrorCode.CANNOT_READ, assertFailsWith<VerifaceException> { Photo.open("/no/such.jpg") }.code)
        assertEquals(ErrorCode.UNKNOWN_PICTURE_FORMAT, assertFailsWith<VerifaceException> { Photo.decode(ByteArray(100)) }.code)
        assertEquals(ErrorCode.NOT_A_TEMPLATE, assertFailsWith<VerifaceException> { Template.fromBytes(ByteArray(3)) }.code)
        assertEquals(ErrorCode.NOTHING_TO_ENROL, assertFailsWith<VerifaceException> { verifier.enrol() }.code)
        assertEquals(ErrorCode.INVALID_ARGUMENT, assertFailsWith<VerifaceException> { Verifier(falseMatchRate = 2.0) }.code)
        assertEquals(ErrorCode.CANNOT_READ, assertFailsWith<VerifaceException> { Verifier(Pack.File("/no/such.vfpack")) }.code)
        assertEquals(ErrorCode.NOT_A_PACK, assertFailsWith<VerifaceException> { Verifier(Pack.Bytes(Portraits.direct(ByteArray(64)))) }.code)
    }

    @Test
    fun `what is closed is an error and closing again is not`() {
        val photo = Portraits.photo("biden")
        photo.close()
        photo.close()
        assertEquals(ErrorCode.CLOSED, assertFailsWith<VerifaceException> { verifier.detect(photo) }.code)
        val template = Template.fromBytes(File(System.getProperty("veriface.template")).readBytes())
        template.close()
        template.close()
        assertEquals(ErrorCode.CLOSED, assertFailsWith<VerifaceException> { template.toBytes() }.code)
    }

    /** https://pub.dev/packages/face_recognition_flutter, 2.1.0: biometric data in logs. */
    @Test
    fun `no text shows values`() {
        Template.fromBytes(File(System.getProperty("veriface.template")).readBytes()).use {
            assertEquals("Template", it.toString())
        }
        assertEquals("Photo", Portraits.photo("biden").use { it.toString() })
        assertFalse(Frame.gray(Portraits.direct(ByteArray(16) { 77 }), 4, 4).toString().contains("77"))
    }

    @Test
    fun `every number is the native library's`() {
        ErrorCode.entries.forEach { code ->
            val name = code.name.split('_').joinToString("") { it.lowercase().replaceFirstChar(Char::uppercase) }
            assertEquals(name, Native.errorName(code.number))
        }
        assertTrue(Reason.entries.all { it.sentence.endsWith(".") } && Native.reasonSentence(Reason.entries.size).isEmpty())
        assertTrue(Guidance.entries.all { it.sentence.isNotEmpty() } && Native.guidanceSentence(Guidance.entries.size).isEmpty())
        assertTrue(Verifier.version.isNotEmpty())
    }
}

/** One verifier for all tests, as an app has it. */
object Shared {
    val verifier = Verifier()

    /** How many handles are open when nothing but the verifier is in use. */
    const val HANDLES = 1

    /** Waits until what earlier tests have forgotten has freed itself, for twenty seconds at most. */
    fun settle() {
        verifier.modelId
        val deadline = System.nanoTime() + 20_000_000_000
        while (Native.openHandles() > HANDLES && System.nanoTime() < deadline) {
            System.gc()
            Thread.sleep(20)
        }
        assertEquals(HANDLES, Native.openHandles())
    }
}
