package io.github.veriface

/** A point, in pixels of the upright picture. */
data class Point(val x: Float, val y: Float)

/**
 * The five points of a face, in pixels of the upright picture. Left is the **picture's** left, which is the person's right; in another order
 * they are refused ([ErrorCode.INVALID_LANDMARKS]) by the call that takes them.
 *
 * ML Kit names its points from the person's side, and its `NOSE_BASE` lies below the tip of the nose:
 * `Landmarks(RIGHT_EYE, LEFT_EYE, the last point of the contour NOSE_BRIDGE, MOUTH_RIGHT, MOUTH_LEFT)`.
 */
data class Landmarks(
    /** The eye on the picture's left. */
    val eyeLeft: Point,
    /** The eye on the picture's right. */
    val eyeRight: Point,
    /** The tip of the nose. */
    val nose: Point,
    /** The mouth's corner on the picture's left. */
    val mouthLeft: Point,
    /** The mouth's corner on the picture's right. */
    val mouthRight: Point,
) {
    /** The points in the order of the constructor. */
    val points: List<Point> get() = listOf(eyeLeft, eyeRight, nose, mouthLeft, mouthRight)

    internal fun numbers(): FloatArray = points.flatMap { listOf(it.x, it.y) }.toFloatArray()

    internal companion object {
        fun of(numbers: FloatArray, at: Int): Landmarks {
            val (a, b, c, d, e) = List(5) { Point(numbers[at + 2 * it], numbers[at + 2 * it + 1]) }
            return Landmarks(a, b, c, d, e)
        }
    }
}
