plugins {
    id("com.android.library")
    kotlin("android")
}

android {
    namespace = "io.github.veriface"
    compileSdk = 35

    defaultConfig {
        minSdk = 24
        consumerProguardFiles("consumer-rules.pro")
    }
    // `android/build-native.sh` puts libveriface_native.so for each ABI here.
    sourceSets["main"].jniLibs.srcDir("../native")
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    kotlinOptions { jvmTarget = "1.8" }
}

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.8.1")
    // Only `io.github.veriface.android.FaceAnalyzer` needs it: an app without CameraX does not get it.
    compileOnly("androidx.camera:camera-core:1.4.1")
    testImplementation(kotlin("test-junit"))
}
