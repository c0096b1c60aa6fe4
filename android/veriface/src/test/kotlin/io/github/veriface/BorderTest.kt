package io.github.veriface

import java.io.File
import java.util.concurrent.Executors
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertFalse
import kotlin.test.assertTrue

/** What goes wrong on purpose: panics, threads of others, objects closed twice, elsewhere, or never. */
class BorderTest {
    private fun template() = Template.fromBytes(File(System.getProperty("veriface.template")).readBytes())

    @Test
    fun `a panic is an error number and the process lives`() {
        repeat(3) {
            val fault = assertFailsWith<VerifaceException> { Faults.panic() }
            assertEquals(807, fault.code.number)
            assertEquals(ErrorCode.INTERNAL_FAULT, fault.code)
            // Nor are the panic's words in what the exception shows: nobody has vetted them.
            assertFalse(fault.toString().contains("0.125"))
        }
        Portraits.photo("biden").use { assertEquals(1, Shared.verifier.detect(it).size) }
    }

    /** The exception's class was looked up when the library was loaded: such a thread's class loader does not know it. */
    @Test
    fun `a thread that the library started computes and throws as any other`() {
        var score = 0f
        var number = 0
        var loader: ClassLoader? = javaClass.classLoader
        Portraits.photo("obama-standing").use { photo ->
            template().use { template ->
                Faults.onNativeThread {
                    loader = Thread.currentThread().contextClassLoader
                    score = Shared.verifier.verify(template, photo).score
                    number = runCatching { Photo.open("/no/such.jpg") }.exceptionOrNull().let { (it as VerifaceException).code.number }
                    photo.close()
                }
                assertEquals(802, number)
                assertTrue(score > 0.4f)
                assertEquals(ErrorCode.CLOSED, assertFailsWith<VerifaceException> { Shared.verifier.detect(photo) }.code)
            }
        }
        println("a native thread's context class loader: $loader")
        Faults.onNativeThread { assertEquals(807, assertFailsWith<VerifaceException> { Faults.panic() }.code.number) }
    }

    @Test
    fun `everything is closed twice and from other threads`() {
        Shared.settle()
        val pool = Executors.newFixedThreadPool(4)
        repeat(50) {
            val photo = Portraits.photo("biden")
            val all = listOf(template(), photo, VerifierSession(Shared.verifier, Purpose.ENROL))
            val closings = List(4) { pool.submit { all.forEach(AutoCloseable::close) } }
            closings.forEach { it.get() }
            all.forEach(AutoCloseable::close)
            assertEquals(ErrorCode.CLOSED, assertFailsWith<VerifaceException> { Shared.verifier.detect(photo) }.code)
        }
        pool.shutdown()
        assertEquals(Shared.HANDLES, Native.openHandles())
    }

    @Test
    fun `what is forgotten frees itself`() {
        Shared.settle()
        val bytes = File(System.getProperty("veriface.template")).readBytes()
        repeat(300) {
            Template.fromBytes(bytes)
            VerifierSession(Shared.verifier, Purpose.VERIFY)
        }
        repeat(5) { Portraits.photo("biden") }
        Verifier()
        val most = Native.openHandles()
        Shared.settle()
        println("forgotten: $most handles were open, ${Native.openHandles()} are")
    }

    /** A handle's owner may be collected as soon as nothing reads it again: during the call, and not after it. */
    @Test
    fun `what is forgotten during a call is not closed before it ends`() {
        val bytes = File(System.getProperty("veriface.template")).readBytes()
        val pool = Executors.newSingleThreadExecutor()
        var running = true
        val collector = pool.submit { while (running) System.gc() }
        repeat(2000) { assertEquals(bytes.size, Template.fromBytes(bytes).toBytes().size) }
        repeat(20) { assertEquals(1, Shared.verifier.detect(Portraits.photo("biden")).size) }
        running = false
        collector.get()
        pool.shutdown()
    }
}
