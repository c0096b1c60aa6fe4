package io.github.veriface

import java.io.File
import java.util.concurrent.Callable
import java.util.concurrent.Executors
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertTrue

class ThreadsAndLeaksTest {
    /** tensorflow/flutter-tflite 168, ShiqiYu/libfacedetection 77: many threads, one verifier, the same scores. */
    @Test
    fun `eight threads give what one gives`() {
        val names = listOf("obama-smiling", "obama-standing", "biden", "collins")
        val photos = names.map(Portraits::photo)
        Template.fromBytes(File(System.getProperty("veriface.template")).readBytes()).use { template ->
            val expected = photos.map { Shared.verifier.verify(template, it).score }
            val pool = Executors.newFixedThreadPool(8)
            val found = pool.invokeAll(List(8) { thread ->
                Callable { (0 until 12).map { call -> (call + thread) % 4 to Shared.verifier.verify(template, photos[(call + thread) % 4]).score } }
            })
            found.flatMap { it.get() }.forEach { (photo, score) -> assertEquals(expected[photo], score) }
            pool.shutdown()
        }
        photos.forEach(Photo::close)
    }

    @Test
    fun `a verifier closed by another thread ends in an answer or a number`() {
        val photo = Portraits.photo("biden")
        val pool = Executors.newFixedThreadPool(4)
        repeat(3) {
            val verifier = Verifier()
            val answers = List(4) { pool.submit(Callable { runCatching { verifier.detect(photo) } }) }
            verifier.close()
            verifier.close()
            for (answer in answers) {
                answer.get().onFailure { assertEquals(ErrorCode.CLOSED, (it as VerifaceException).code) }
            }
        }
        pool.shutdown()
        photo.close()
    }

    /** tensorflower/seetaFace6Python 53: what is made and closed leaves nothing behind. */
    @Test
    fun `a thousand objects made and closed leave nothing`() {
        val bytes = File(System.getProperty("veriface.template")).readBytes()
        val file = File(Portraits.path("biden")).readBytes()
        fun round() {
            repeat(200) {
                Template.fromBytes(bytes).close()
                VerifierSession(Shared.verifier, Purpose.VERIFY).close()
                runCatching { Template.fromBytes(bytes.copyOf(90)) }
            }
            repeat(20) { Photo.decode(file).close() }
            repeat(2) { Verifier().close() }
        }
        Shared.settle()
        round()
        val resident = resident()
        repeat(5) { round() }
        // Closed, not collected: nobody waits here.
        assertEquals(Shared.HANDLES, Native.openHandles())
        assertTrue(resident() - resident < 48_000, "grew by ${resident() - resident} kB")
    }

    private fun resident(): Long {
        System.gc()
        val status = File("/proc/self/status")
        if (!status.exists()) return 0
        return status.readLines().first { it.startsWith("VmRSS:") }.filter(Char::isDigit).toLong()
    }
}
