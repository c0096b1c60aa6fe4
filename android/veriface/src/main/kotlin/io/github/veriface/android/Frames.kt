package io.github.veriface.android

import android.graphics.Bitmap
import android.graphics.ImageFormat
import android.media.Image
import io.github.veriface.Frame
import io.github.veriface.Orientation
import io.github.veriface.Plane
import java.nio.ByteBuffer

/**
 * A camera2 image in `YUV_420_888`, read where it lies: close it only after the call that takes the frame.
 *
 * @param rotationDegrees degrees clockwise to upright, from the sensor's orientation and the display's rotation.
 */
fun Image.asFrame(rotationDegrees: Int, mirrored: Boolean = false): Frame {
    require(format == ImageFormat.YUV_420_888) { "YUV_420_888 is wanted, not format $format" }
    val (y, u, v) = planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
    return Frame.yuv420(y, u, v, width, height, Orientation(rotationDegrees, mirrored))
}

/** A bitmap's pixels, copied once. Hardware bitmaps and other configurations are turned into `ARGB_8888` first. */
fun Bitmap.toFrame(): Frame {
    val plain = if (config == Bitmap.Config.ARGB_8888) this else copy(Bitmap.Config.ARGB_8888, false)
    val pixels = ByteBuffer.allocateDirect(plain.rowBytes * plain.height)
    // ARGB_8888 lies in memory as red, green, blue, alpha.
    plain.copyPixelsToBuffer(pixels)
    pixels.rewind()
    return Frame.rgba(pixels, plain.width, plain.height, plain.rowBytes)
}
