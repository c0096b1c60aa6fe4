package io.github.veriface

import java.nio.ByteBuffer

/**
 * The native library, function by function as `bindings/jni` has them. Nothing here is for users: objects are handles, and a frame is 13
 * numbers (format, width, height, rotation, mirrored, matrix, range, and row and pixel stride of three planes) and three direct buffers. A
 * face's points are ten numbers, or null where the library looks for the face itself.
 */
internal object Native {
    init {
        System.loadLibrary("veriface_native")
    }

    @JvmStatic external fun version(): String

    @JvmStatic external fun openHandles(): Int

    @JvmStatic external fun errorName(number: Int): String

    @JvmStatic external fun errorAdvice(number: Int): String

    @JvmStatic external fun reasonSentence(place: Int): String

    @JvmStatic external fun guidanceSentence(place: Int): String

    @JvmStatic
    external fun openVerifier(path: String?, pack: ByteBuffer?, rate: Double, threshold: Float, choice: Int, key: String?): Long

    @JvmStatic external fun closeVerifier(verifier: Long)

    @JvmStatic external fun modelId(verifier: Long): String

    @JvmStatic external fun openPhoto(path: String): Long

    @JvmStatic external fun decodePhoto(file: ByteArray): Long

    @JvmStatic external fun closePhoto(photo: Long)

    @JvmStatic
    external fun verify(
        verifier: Long,
        reference: Long, referenceNumbers: IntArray?, reference1: ByteBuffer?, reference2: ByteBuffer?, reference3: ByteBuffer?,
        referencePoints: FloatArray?,
        probe: Long, probeNumbers: IntArray?, probe1: ByteBuffer?, probe2: ByteBuffer?, probe3: ByteBuffer?, probePoints: FloatArray?,
    ): DoubleArray

    @JvmStatic
    external fun verifyTemplate(
        verifier: Long, template: Long,
        probe: Long, numbers: IntArray?, first: ByteBuffer?, second: ByteBuffer?, third: ByteBuffer?, points: FloatArray?,
    ): DoubleArray

    @JvmStatic
    external fun detect(
        verifier: Long,
        photo: Long, numbers: IntArray?, first: ByteBuffer?, second: ByteBuffer?, third: ByteBuffer?,
    ): FloatArray

    @JvmStatic
    external fun enrol(
        verifier: Long, photos: LongArray, numbers: IntArray, planes: Array<ByteBuffer?>, points: Array<FloatArray?>,
        scores: FloatArray, outliers: BooleanArray,
    ): Long

    @JvmStatic external fun latency(path: String?, pack: ByteBuffer?, picture: ByteArray, runs: Int, device: String): String

    @JvmStatic external fun templateFromBytes(bytes: ByteArray): Long

    @JvmStatic external fun templateToBytes(template: Long): ByteArray

    @JvmStatic external fun templateSamples(template: Long): Int

    @JvmStatic external fun templateModel(template: Long): String

    @JvmStatic external fun closeTemplate(template: Long)

    @JvmStatic external fun openSession(verifier: Long, purpose: Int): Long

    @JvmStatic
    external fun sessionFrame(
        session: Long,
        photo: Long, numbers: IntArray?, first: ByteBuffer?, second: ByteBuffer?, third: ByteBuffer?, points: FloatArray?,
        milliseconds: Long,
    ): FloatArray

    @JvmStatic external fun sessionDecide(session: Long, reference: Long): DoubleArray

    @JvmStatic external fun sessionEnrol(session: Long, scores: FloatArray, outliers: BooleanArray): Long

    @JvmStatic external fun sessionReset(session: Long)

    @JvmStatic external fun closeSession(session: Long)
}
