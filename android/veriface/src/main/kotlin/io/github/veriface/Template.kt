package io.github.veriface

/** One person, enrolled. Biometric data: keep its bytes sealed (`SealedTemplates` on Android). Close it after use. */
class Template internal constructor(number: Long) : AutoCloseable {
    internal val handle = Handle(number, Native::closeTemplate)

    /** How many pictures it was made of. */
    val samples: Int get() = keeping(handle) { Native.templateSamples(handle.number) }

    /** The model that it belongs to, in 64 hexadecimal digits. A verifier of another model refuses it. */
    val modelId: String get() = keeping(handle) { Native.templateModel(handle.number) }

    /** The portable bytes, the same in every language. */
    fun toBytes(): ByteArray = keeping(handle) { Native.templateToBytes(handle.number) }

    /** Frees the template. Closing twice, or from another thread, is harmless. */
    override fun close() = handle.close()

    /** Never the values. */
    override fun toString() = "Template"

    companion object {
        /** Reads what [toBytes] wrote. */
        @JvmStatic
        fun fromBytes(bytes: ByteArray) = Template(Native.templateFromBytes(bytes))
    }
}

/** A template, and how well the pictures it was made of agree. */
class Enrolment internal constructor(
    /** The template of all pictures. */
    val template: Template,
    /** Each picture's score against the template, in their order. */
    val scores: FloatArray,
    outliers: BooleanArray,
) {
    /** The places of pictures that look unlike the others: look at them, and enrol again without them. */
    val outliers: List<Int> = scores.indices.filter { outliers[it] }
}
