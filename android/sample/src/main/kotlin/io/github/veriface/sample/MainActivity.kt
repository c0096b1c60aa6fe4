package io.github.veriface.sample

import android.Manifest
import android.os.Build
import android.os.Bundle
import android.view.Gravity
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import androidx.activity.ComponentActivity
import androidx.activity.result.contract.ActivityResultContracts
import androidx.camera.core.CameraSelector
import androidx.camera.core.ImageAnalysis
import androidx.camera.core.Preview
import androidx.camera.lifecycle.ProcessCameraProvider
import androidx.camera.view.PreviewView
import androidx.core.content.ContextCompat
import androidx.lifecycle.lifecycleScope
import io.github.veriface.Latency
import io.github.veriface.Progress
import io.github.veriface.Purpose
import io.github.veriface.VerifaceException
import io.github.veriface.Verifier
import io.github.veriface.VerifierSession
import io.github.veriface.android.FaceAnalyzer
import io.github.veriface.android.SealedTemplates
import java.util.concurrent.Executors
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext
import org.json.JSONObject

/** Enrol once, verify often, and time it: all that the library does, on one screen. */
class MainActivity : ComponentActivity() {
    private val worker = Executors.newSingleThreadExecutor()
    private val analysis = ImageAnalysis.Builder().setBackpressureStrategy(ImageAnalysis.STRATEGY_KEEP_ONLY_LATEST).build()
    private val templates by lazy { SealedTemplates(this) }
    private lateinit var preview: PreviewView
    private lateinit var words: TextView
    private var verifier: Verifier? = null
    private var session: VerifierSession? = null

    private val permission = registerForActivityResult(ActivityResultContracts.RequestPermission()) { granted ->
        if (granted) openCamera() else words.text = "Without the camera there is nothing to see."
    }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        preview = PreviewView(this)
        words = TextView(this).apply { gravity = Gravity.CENTER; textSize = 20f; minLines = 3 }
        val buttons = LinearLayout(this)
        fun button(label: String, action: () -> Unit) =
            buttons.addView(Button(this).apply { text = label; setOnClickListener { action() } }, LinearLayout.LayoutParams(0, -2, 1f))
        button("Enrol") { begin(Purpose.ENROL) }
        button("Verify") { begin(Purpose.VERIFY) }
        button("Time") { time() }
        setContentView(LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            addView(preview, LinearLayout.LayoutParams(-1, 0, 1f))
            addView(words)
            addView(buttons)
        })
        lifecycleScope.launch {
            verifier = withContext(Dispatchers.Default) { Verifier() }
            words.text = "Ready."
        }
        permission.launch(Manifest.permission.CAMERA)
    }

    private fun openCamera() {
        val provider = ProcessCameraProvider.getInstance(this)
        provider.addListener({
            val picture = Preview.Builder().build().apply { setSurfaceProvider(preview.surfaceProvider) }
            provider.get().bindToLifecycle(this, CameraSelector.DEFAULT_FRONT_CAMERA, picture, analysis)
        }, ContextCompat.getMainExecutor(this))
    }

    private fun begin(purpose: Purpose) {
        val verifier = verifier ?: return
        end()
        val session = VerifierSession(verifier, purpose).also { this.session = it }
        analysis.setAnalyzer(worker, FaceAnalyzer(session, object : FaceAnalyzer.Listener {
            override fun onProgress(progress: Progress) {
                if (this@MainActivity.session !== session) return
                words.text = progress.guidance.sentence
                if (progress.ready) words.text = try {
                    finish(session, purpose)
                } catch (error: VerifaceException) {
                    "${error.message}\n${error.code.advice}"
                } finally {
                    end()
                }
            }

            override fun onError(error: VerifaceException) {
                words.text = error.message
            }
        }))
    }

    private fun finish(session: VerifierSession, purpose: Purpose): String = when (purpose) {
        Purpose.ENROL -> session.enrol().template.use {
            templates.save(PERSON, it)
            "Enrolled from ${it.samples} frames."
        }
        Purpose.VERIFY -> templates.load(PERSON)?.use { session.decide(it).toString() } ?: "Enrol first."
    }

    /** Frees the session; a frame that is under way ends first, or finds it closed. */
    private fun end() {
        analysis.clearAnalyzer()
        session?.close()
        session = null
    }

    /** The stages of `veriface bench`. Its cold start is none here, where the library is at work already: `android/bench` has that. */
    private fun time() {
        words.text = "Timing …"
        lifecycleScope.launch {
            words.text = withContext(Dispatchers.Default) {
                val report = Latency.measure(assets.open("collins.jpg").use { it.readBytes() }, "${Build.MANUFACTURER} ${Build.MODEL}")
                val stages = JSONObject(report).getJSONArray("stages")
                (0 until stages.length()).joinToString("\n") { place ->
                    stages.getJSONObject(place).run { "%s %.2f ms".format(getString("stage"), getDouble("p50_ms")) }
                }
            }
        }
    }

    override fun onDestroy() {
        super.onDestroy()
        end()
        verifier?.close()
        worker.shutdown()
    }

    private companion object {
        const val PERSON = "me"
    }
}
