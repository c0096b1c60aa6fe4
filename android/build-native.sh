#!/usr/bin/env bash
# Builds the native library for Android's ABIs into `android/native`, and checks each file.
# Needs the Android NDK (r27 or newer, found by ANDROID_NDK_HOME), cargo-ndk, and the targets:
#   cargo install cargo-ndk; rustup target add aarch64-linux-android armv7-linux-androideabi x86_64-linux-android
set -euo pipefail
cd "$(dirname "$0")/.."

# RUSTFLAGS in the environment would replace the page size that .cargo/config.toml asks for.
unset RUSTFLAGS
cargo ndk --platform 24 -t arm64-v8a -t armeabi-v7a -t x86_64 -o android/native build --profile size -p veriface-native --no-default-features
for library in android/native/*/libveriface_native.so; do python3 android/check_elf.py "$library"; done
