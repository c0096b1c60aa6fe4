package io.github.veriface.sample

import android.os.Build
import io.github.veriface.Photo
import io.github.veriface.Verifier
import org.json.JSONObject

/** Latency in the app's own process, in milliseconds of one thread. */
object Timing {
    private const val WARM_UP = 10
    private const val RUNS = 50

    /** Times loading, detection, enrolment of one photo, and verification of one photo against a template. */
    fun of(verifier: Verifier, portrait: ByteArray): JSONObject = Photo.decode(portrait).use { photo ->
        verifier.enrol(photo).template.use { template ->
            JSONObject()
                .put("device", "${Build.MANUFACTURER} ${Build.MODEL}")
                .put("system", "Android ${Build.VERSION.RELEASE}, ${Build.SUPPORTED_ABIS.first()}")
                .put("version", Verifier.version)
                .put("decode", measured { Photo.decode(portrait).close() })
                .put("detect", measured { verifier.detect(photo) })
                .put("verify_template", measured { verifier.verify(template, photo) })
        }
    }

    private fun measured(call: () -> Unit): JSONObject {
        repeat(WARM_UP) { call() }
        val times = List(RUNS) {
            val start = System.nanoTime()
            call()
            (System.nanoTime() - start) / 1e6
        }.sorted()
        return JSONObject().put("p50", times[RUNS / 2]).put("p95", times[RUNS * 95 / 100]).put("runs", RUNS)
    }
}
