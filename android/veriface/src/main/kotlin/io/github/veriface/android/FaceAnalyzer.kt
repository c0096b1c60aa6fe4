package io.github.veriface.android

import android.os.Handler
import android.os.Looper
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.ImageProxy
import io.github.veriface.Frame
import io.github.veriface.Orientation
import io.github.veriface.Plane
import io.github.veriface.Progress
import io.github.veriface.VerifaceException
import io.github.veriface.VerifierSession

/**
 * A CameraX analyser that feeds a session. Set it with `STRATEGY_KEEP_ONLY_LATEST` and the default output format, `YUV_420_888`, on an
 * executor of one background thread.
 *
 * [listener] is called on the main thread. CameraX does not mirror the buffers of front cameras, so nothing is mirrored here.
 */
class FaceAnalyzer(private val session: VerifierSession, private val listener: Listener) : ImageAnalysis.Analyzer {
    interface Listener {
        /** A frame was looked at. */
        fun onProgress(progress: Progress)

        /** It failed, and the next may not. */
        fun onError(error: VerifaceException)
    }

    private val main = Handler(Looper.getMainLooper())

    override fun analyze(image: ImageProxy) {
        // Closed by `use` when the native side is done with its memory, and whatever happens.
        image.use {
            try {
                val (y, u, v) = it.planes.map { plane -> Plane(plane.buffer, plane.rowStride, plane.pixelStride) }
                val frame = Frame.yuv420(y, u, v, it.width, it.height, Orientation(it.imageInfo.rotationDegrees))
                val progress = session.frame(frame, it.imageInfo.timestamp)
                main.post { listener.onProgress(progress) }
            } catch (error: VerifaceException) {
                main.post { listener.onError(error) }
            }
        }
    }
}
