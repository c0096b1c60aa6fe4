package io.github.veriface

/** What only the tests' build of the native library has: `bindings/jni/src/faults.rs`. */
object Faults {
    init {
        Native.version()
    }

    /** Panics on the native side. */
    @JvmStatic external fun panic()

    /** Runs this on a thread that the native library starts and attaches, and waits for its end. */
    @JvmStatic external fun onNativeThread(work: Runnable)
}
