package io.github.veriface

/** Whether the face was that of a living person at the camera. */
enum class Liveness {
    /** Nobody looked: a photo of the person gives the same decision. */
    NOT_ASSESSED,
}

/** Whether two faces are the same person's, at a named threshold. Show [same] to people; the score is no percentage. */
class Decision internal constructor(numbers: DoubleArray) {
    /** Whether the score reaches the threshold. */
    val same: Boolean = numbers[0] != 0.0

    /** The comparison score, -1…1. */
    val score: Float = numbers[1].toFloat()

    /** The least score of a match. */
    val threshold: Float = numbers[2].toFloat()

    /** The false-match rate that the threshold was measured at; null when the caller stated the threshold. */
    val falseMatchRate: Double? = numbers[3].takeUnless { it.isNaN() }

    /** Always [Liveness.NOT_ASSESSED]. */
    val liveness: Liveness get() = Liveness.NOT_ASSESSED

    override fun toString(): String {
        val verdict = if (same) "same person" else "different people"
        val rate = falseMatchRate?.let { "at a false-match rate of $it" } ?: "stated by the caller"
        return "$verdict (score $score, threshold $threshold $rate; liveness not assessed)"
    }
}

/** A face that was found, in pixels of the upright picture. */
class Face internal constructor(numbers: FloatArray, at: Int) {
    /** The box's left edge, which may lie outside the picture, as the others may. */
    val left: Float = numbers[at]

    /** The box's top edge. */
    val top: Float = numbers[at + 1]

    /** The box's right edge. */
    val right: Float = numbers[at + 2]

    /** The box's bottom edge. */
    val bottom: Float = numbers[at + 3]

    /** How sure the detector is that it is a face, 0…1. */
    val detectionScore: Float = numbers[at + 4]

    /** The five points. */
    val landmarks: Landmarks = Landmarks.of(numbers, at + 5)

    internal companion object {
        const val NUMBERS = 15
    }
}
