package io.github.veriface.android

import android.content.Context
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import io.github.veriface.Template
import java.io.File
import java.security.KeyStore
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/**
 * Templates in the app's private folder, each sealed by AES-256-GCM with a key that never leaves the Android Keystore. A file is bound to
 * its name: renamed, it does not open.
 */
class SealedTemplates(context: Context, private val alias: String = "io.github.veriface.templates") {
    // Not in backups: on another device its key would be missing.
    private val folder = File(context.noBackupFilesDir, "veriface").apply { mkdirs() }

    /** Keeps a template under a name of letters, digits, `-` and `_`, replacing an older one in one step. */
    fun save(name: String, template: Template) {
        val cipher = Cipher.getInstance(TRANSFORMATION).apply { init(Cipher.ENCRYPT_MODE, key()) }
        cipher.updateAAD(name.toByteArray())
        val bytes = template.toBytes()
        val sealed = try {
            cipher.doFinal(bytes)
        } finally {
            bytes.fill(0)
        }
        val new = File(folder, "$name.new")
        new.writeBytes(byteArrayOf(VERSION, cipher.iv.size.toByte()) + cipher.iv + sealed)
        check(new.renameTo(file(name))) { "the template cannot be written" }
    }

    /** The template of this name; null when there is none. Fails with a [java.security.GeneralSecurityException] when it was altered. */
    fun load(name: String): Template? {
        val file = file(name).takeIf { it.exists() } ?: return null
        val bytes = file.readBytes()
        require(bytes.size > 2 && bytes[0] == VERSION && bytes.size > 2 + bytes[1]) { "not a sealed template" }
        val end = 2 + bytes[1]
        val cipher = Cipher.getInstance(TRANSFORMATION)
        cipher.init(Cipher.DECRYPT_MODE, key(), GCMParameterSpec(TAG_BITS, bytes, 2, bytes[1].toInt()))
        cipher.updateAAD(name.toByteArray())
        val plain = cipher.doFinal(bytes, end, bytes.size - end)
        return try {
            Template.fromBytes(plain)
        } finally {
            plain.fill(0)
        }
    }

    /** Removes the template of this name. */
    fun delete(name: String): Boolean = file(name).delete()

    private fun file(name: String): File {
        require(name.isNotEmpty() && name.all { it.isLetterOrDigit() || it == '-' || it == '_' }) { "a name has letters, digits, - and _" }
        return File(folder, "$name.vfsealed")
    }

    private fun key(): SecretKey {
        val store = KeyStore.getInstance(PROVIDER).apply { load(null) }
        (store.getKey(alias, null) as? SecretKey)?.let { return it }
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        val spec = KeyGenParameterSpec.Builder(alias, purposes)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setKeySize(256)
            .build()
        return KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, PROVIDER).apply { init(spec) }.generateKey()
    }

    private companion object {
        const val PROVIDER = "AndroidKeyStore"
        const val TRANSFORMATION = "AES/GCM/NoPadding"
        const val TAG_BITS = 128
        const val VERSION: Byte = 1
    }
}
