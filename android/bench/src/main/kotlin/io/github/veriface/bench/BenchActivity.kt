package io.github.veriface.bench

import android.app.Activity
import android.os.Build
import android.os.Bundle
import android.util.Log
import android.widget.TextView
import io.github.veriface.Latency
import io.github.veriface.VerifaceException
import java.io.File

/**
 * The cases of `veriface bench` in this process, once, from a cold start: the library is first used here. The JSON goes to the log under
 * `veriface-bench`, to `latency.json` in the app's external files, and onto the screen.
 */
class BenchActivity : Activity() {
    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val words = TextView(this)
        words.text = "Measuring …"
        setContentView(words)
        // Turning the device makes the activity anew; the process, and so its cold start, is the same.
        if (state != null) return
        Thread({
            val outcome = try {
                val picture = assets.open("collins.jpg").use { it.readBytes() }
                val report = Latency.measure(picture, "${Build.MANUFACTURER} ${Build.MODEL}, Android ${Build.VERSION.RELEASE}")
                File(getExternalFilesDir(null), "latency.json").writeText(report)
                report
            } catch (error: VerifaceException) {
                "${error.message}\n${error.code.advice}"
            }
            Log.i("veriface-bench", outcome)
            runOnUiThread { words.text = outcome }
        }, "bench").start()
    }
}
