plugins {
    id("com.android.application")
    kotlin("android")
}

android {
    namespace = "io.github.veriface.bench"
    compileSdk = 35

    defaultConfig {
        applicationId = "io.github.veriface.bench"
        minSdk = 24
        targetSdk = 35
        versionCode = 1
        versionName = "0.1.0"
    }
    // The picture of `veriface bench tests/fixtures/collins.jpg`.
    sourceSets["main"].assets.srcDir("../../tests/fixtures")
    buildTypes {
        // Measured as it is shipped; signed with the debug key so that it installs.
        release {
            isMinifyEnabled = true
            proguardFiles(getDefaultProguardFile("proguard-android-optimize.txt"))
            signingConfig = signingConfigs.getByName("debug")
        }
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    kotlinOptions { jvmTarget = "1.8" }
}

dependencies {
    implementation(project(":veriface"))
}
