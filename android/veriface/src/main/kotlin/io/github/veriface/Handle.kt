package io.github.veriface

import java.lang.ref.PhantomReference
import java.lang.ref.ReferenceQueue
import java.util.Collections
import java.util.concurrent.ConcurrentHashMap

/**
 * An object of the native library. It is freed when it is closed, or some time after nobody can reach its owner any more: closing is still
 * better, since the garbage collector does not see native memory.
 *
 * `java.lang.ref.Cleaner` would do this, but Android has it from API 33 on and `minSdk` is 24: this is the same with its own thread.
 */
internal class Handle(number: Long, close: (Long) -> Unit) {
    private val release = Release(this, number, close)

    /** The native side's number. Whoever hands it over has to be [keeping] this handle meanwhile. */
    val number: Long get() = release.number

    /** Frees the object. Doing so twice, or from another thread, is harmless. */
    fun close() = release.now()

    private class Release(handle: Handle, val number: Long, private val close: (Long) -> Unit) :
        PhantomReference<Handle>(handle, FORGOTTEN) {
        init {
            PENDING.add(this)
        }

        /** The native side closes a number any number of times, but once is enough. */
        fun now() {
            if (PENDING.remove(this)) close(number)
        }
    }

    private companion object {
        val FORGOTTEN = ReferenceQueue<Handle>()

        /** What keeps a reference alive until its handle is closed or forgotten. */
        val PENDING: MutableSet<Release> = Collections.newSetFromMap(ConcurrentHashMap())

        init {
            Thread({ while (true) (FORGOTTEN.remove() as Release).now() }, "veriface release").apply { isDaemon = true }.start()
        }
    }
}

/**
 * Makes a call while these stay reachable: a handle whose number was read is otherwise free to be collected, and so closed, before the
 * native side has looked the number up. `Reference.reachabilityFence` needs API 28; an empty `synchronized` on an object that others can see
 * is what Netty used before it, and no lock of a user's is ever taken, since handles are private.
 */
internal inline fun <T> keeping(vararg held: Handle?, call: () -> T): T = try {
    call()
} finally {
    for (handle in held) if (handle != null) synchronized(handle) {}
}
