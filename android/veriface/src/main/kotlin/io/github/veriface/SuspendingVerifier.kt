package io.github.veriface

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/** The calls of [Verifier] for coroutines: they compute on [dispatcher] and may be made from the main thread. */
class SuspendingVerifier internal constructor(private val verifier: Verifier, private val dispatcher: CoroutineDispatcher) {
    /** See [Verifier.verify]. */
    suspend fun verify(reference: Picture, probe: Picture): Decision = withContext(dispatcher) { verifier.verify(reference, probe) }

    /** See [Verifier.verify]. */
    suspend fun verify(reference: Template, probe: Picture): Decision = withContext(dispatcher) { verifier.verify(reference, probe) }

    /** See [Verifier.enrol]. */
    suspend fun enrol(pictures: List<Picture>): Enrolment = withContext(dispatcher) { verifier.enrol(pictures) }

    /** See [Verifier.detect]. */
    suspend fun detect(picture: Picture): List<Face> = withContext(dispatcher) { verifier.detect(picture) }
}

/** The same verifier for coroutines. */
fun Verifier.suspending(dispatcher: CoroutineDispatcher = Dispatchers.Default) = SuspendingVerifier(this, dispatcher)
