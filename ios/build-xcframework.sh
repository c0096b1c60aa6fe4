#!/usr/bin/env bash
# On a Mac with Xcode: builds the native library for devices and both simulators, and puts them into one XCFramework beside Package.swift.
#   rustup target add aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios
set -euo pipefail
cd "$(dirname "$0")/.."

for target in aarch64-apple-ios aarch64-apple-ios-sim x86_64-apple-ios; do
    IPHONEOS_DEPLOYMENT_TARGET=13.0 cargo rustc --profile size --package veriface-native --no-default-features --crate-type staticlib --target "$target"
done
headers=target/ios-headers
rm -rf "$headers" ios/veriface_nativeFFI.xcframework target/ios-simulator
mkdir -p "$headers" target/ios-simulator
cp ios/Sources/VerifaceUniffi/veriface_nativeFFI.h "$headers/"
cp ios/veriface_nativeFFI.modulemap "$headers/module.modulemap"
lipo -create target/{aarch64-apple-ios-sim,x86_64-apple-ios}/size/libveriface_native.a -output target/ios-simulator/libveriface_native.a
xcodebuild -create-xcframework \
    -library target/aarch64-apple-ios/size/libveriface_native.a -headers "$headers" \
    -library target/ios-simulator/libveriface_native.a -headers "$headers" \
    -output ios/veriface_nativeFFI.xcframework

# matrix-org/matrix-rust-sdk 3596: a slice that is missing is found here, and not by an app's linker.
for slice in ios-arm64:arm64 ios-arm64_x86_64-simulator:"x86_64 arm64"; do
    library="ios/veriface_nativeFFI.xcframework/${slice%%:*}/libveriface_native.a"
    [ -e "$library" ] || { echo "no $library" >&2; exit 1; }
    for architecture in ${slice#*:}; do lipo "$library" -verify_arch "$architecture"; done
done
rm -rf ios/Tests/VerifaceTests/Portraits
cp -R tests/fixtures ios/Tests/VerifaceTests/Portraits
cargo run --release --package veriface-cli -- enrol tests/fixtures/obama-smiling.jpg --output ios/Tests/VerifaceTests/Portraits/obama.vftemplate
