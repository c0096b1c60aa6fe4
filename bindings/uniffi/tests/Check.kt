import io.github.veriface.uniffi.ErrorNumber
import io.github.veriface.uniffi.FrameLayout
import io.github.veriface.uniffi.Picture
import io.github.veriface.uniffi.PixelLayout
import io.github.veriface.uniffi.Settings
import io.github.veriface.uniffi.VerifaceException
import io.github.veriface.uniffi.Verifier
import java.io.File
import java.nio.ByteBuffer

/** Kotlin over JNA: the same template as Rust's to the bit, a frame in a direct buffer, an error with its number. */
fun main(arguments: Array<String>) {
    val (portraits, expected) = arguments
    Verifier(Settings()).use { verifier ->
        Picture.open("$portraits/obama-smiling.jpg").use { smiling ->
            val template = verifier.enrol(listOf(smiling)).template
            check(template.toBytes().contentEquals(File(expected).readBytes())) { "the template differs from Rust's" }
            Picture.open("$portraits/obama-standing.jpg").use { check(verifier.verifyTemplate(template, it).same) }
            val nobody = ByteBuffer.allocateDirect(64 * 48)
            val layout = FrameLayout(PixelLayout.GRAY8, 64u, 48u)
            val none = ByteBuffer.allocateDirect(0)
            try {
                verifier.verifyFrame(template, layout, nobody, none, none)
                error("a face was found in nothing")
            } catch (failed: VerifaceException.Failed) {
                check(failed.number == ErrorNumber.NO_FACE && failed.number.value.toInt() == 301)
            }
            val points = verifier.detect(smiling).single().landmarks
            check(verifier.enrol(listOf(smiling.at(points))).template.toBytes().contentEquals(File(expected).readBytes()))
            try {
                smiling.at(points.copy(eyeLeft = points.eyeRight, eyeRight = points.eyeLeft))
                error("swapped eyes were taken")
            } catch (failed: VerifaceException.Failed) {
                check(failed.number == ErrorNumber.INVALID_LANDMARKS)
            }
            // mozilla/uniffi-rs 1586. One byte short each, so refused right behind the border: no time that grows with the frame.
            fun border(width: Int, height: Int): Double {
                val frame = ByteBuffer.allocateDirect(width * height * 3 / 2 - 1)
                val numbers = FrameLayout(PixelLayout.NV21, width.toUInt(), height.toUInt())
                fun once(): Long {
                    val start = System.nanoTime()
                    check(runCatching { verifier.verifyFrame(template, numbers, frame, none, none) }.isFailure)
                    return System.nanoTime() - start
                }
                repeat(500) { once() }
                return List(501) { once() }.sorted()[250] / 1e3
            }
            border(16, 16)
            val (small, large) = border(16, 16) to border(1280, 720)
            println("border: a 1280×720 NV21 frame %.0f µs with its exception, a 16×16 one %.0f µs".format(large, small))
            check(large < small + 500)
        }
    }
    println("Kotlin over JNA: all held")
}
