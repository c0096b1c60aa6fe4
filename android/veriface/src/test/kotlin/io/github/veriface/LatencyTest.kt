package io.github.veriface

import java.io.File
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue

class LatencyTest {
    private val picture = File(Portraits.path("collins")).readBytes()

    /** `android/jvm-test.sh` keeps what the command prints: the same keys, in the same order, and the same stages. */
    @Test
    fun `the report is the command's`() {
        val command = File(System.getProperty("veriface.bench")).readText().trim()
        val report = Latency.measure(picture, "a \"JVM\"", runs = 3)
        assertEquals(keys(command), keys(report))
        assertEquals(stages(command), stages(report))
        assertTrue(report.startsWith("{\"device\":\"a \\\"JVM\\\"\","), report.take(60))
        assertTrue(stages(report).size == 7 && "extract" in stages(report))
    }

    @Test
    fun `what cannot be measured is an error`() {
        fun code(call: () -> Unit) = assertFailsWith<VerifaceException> { call() }.code
        assertEquals(ErrorCode.INVALID_ARGUMENT, code { Latency.measure(picture, "", runs = 0) })
        assertEquals(ErrorCode.INVALID_ARGUMENT, code { Latency.measure(picture, "", runs = -1) })
        assertEquals(ErrorCode.UNKNOWN_PICTURE_FORMAT, code { Latency.measure(ByteArray(9), "") })
        assertEquals(ErrorCode.CANNOT_READ, code { Latency.measure(picture, "", pack = Pack.File("/no/such.vfpack")) })
    }

    private fun keys(json: String) = Regex("\"([a-z0-9_]+)\":").findAll(json).map { it.groupValues[1] }.toList()

    private fun stages(json: String) = Regex("\"stage\":\"([^\"]+)\"").findAll(json).map { it.groupValues[1] }.toList()
}
