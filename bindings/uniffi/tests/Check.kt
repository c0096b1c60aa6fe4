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
        }
    }
    println("Kotlin over JNA: all held")
}
