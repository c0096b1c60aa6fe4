package io.github.veriface

import java.io.File
import java.nio.ByteBuffer
import javax.imageio.ImageIO

/** The project's portraits, as files and as camera frames. */
object Portraits {
    /** The project's root. */
    val root = File(System.getProperty("veriface.root"))

    fun path(name: String): String = File(root, "tests/fixtures/$name.jpg").path

    fun photo(name: String): Photo = Photo.open(path(name))

    /** Upright RGB, decoded by Java: close to what the library decodes, not equal. */
    class Pixels(val width: Int, val height: Int, val rgb: IntArray)

    fun pixels(name: String): Pixels {
        val image = ImageIO.read(File(path(name)))
        return Pixels(image.width, image.height, image.getRGB(0, 0, image.width, image.height, null, 0, image.width))
    }

    fun direct(bytes: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).apply { put(bytes).flip() }

    /** JFIF's full-range BT.601, the chroma of each second pixel: luma, U, V, tight. */
    fun yuv(pixels: Pixels): Triple<ByteArray, ByteArray, ByteArray> {
        val (halfWidth, halfHeight) = (pixels.width + 1) / 2 to (pixels.height + 1) / 2
        val y = ByteArray(pixels.width * pixels.height)
        val u = ByteArray(halfWidth * halfHeight)
        val v = ByteArray(halfWidth * halfHeight)
        for (row in 0 until pixels.height) for (column in 0 until pixels.width) {
            val colour = pixels.rgb[row * pixels.width + column]
            val (r, g, b) = Triple(colour shr 16 and 255, colour shr 8 and 255, colour and 255)
            y[row * pixels.width + column] = Math.round(0.299 * r + 0.587 * g + 0.114 * b).toInt().toByte()
            if (row % 2 == 0 && column % 2 == 0) {
                val at = row / 2 * halfWidth + column / 2
                u[at] = Math.round(128 - 0.168736 * r - 0.331264 * g + 0.5 * b).toInt().coerceIn(0, 255).toByte()
                v[at] = Math.round(128 + 0.5 * r - 0.418688 * g - 0.081312 * b).toInt().coerceIn(0, 255).toByte()
            }
        }
        return Triple(y, u, v)
    }

    /** Rows with a gap, the last without it. */
    fun padded(tight: ByteArray, row: Int, stride: Int): ByteArray {
        val rows = tight.size / row
        val bytes = ByteArray(stride * (rows - 1) + row) { 0x55 }
        for (at in 0 until rows) tight.copyInto(bytes, at * stride, at * row, (at + 1) * row)
        return bytes
    }

    fun interleaved(first: ByteArray, second: ByteArray) = ByteArray(first.size * 2) { if (it % 2 == 0) first[it / 2] else second[it / 2] }
}
