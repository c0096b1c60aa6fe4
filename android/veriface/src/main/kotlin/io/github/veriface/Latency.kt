package io.github.veriface

/** How long the SDK's stages take, in this process and on this device. */
object Latency {
    /**
     * Opens the pack, loads it, works on the picture once, and times each stage on one thread: the cases of `veriface bench`, in its JSON.
     * For the cold start to be one, call this before anything else of the library. It blocks for some seconds.
     *
     * @param picture a picture file's bytes, with one face.
     * @param device the device's name, as a reader of a table knows it.
     */
    @JvmStatic
    @JvmOverloads
    fun measure(picture: ByteArray, device: String, runs: Int = 50, pack: Pack = Pack.Embedded): String =
        Native.latency((pack as? Pack.File)?.path, (pack as? Pack.Bytes)?.buffer, picture, runs, device)
}
