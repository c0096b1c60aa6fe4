#!/usr/bin/env bash
# What the native library of phones weighs, by crate: builds it as `android/build-native.sh` and `ios/build-xcframework.sh` do, for this machine
# or for the target named, and writes `bindings/SIZE.md`'s table for it. The least that is left without the pack is held: 8 MB.
#
#     bindings/size.sh [TARGET]        # a cross target needs its linker: see `bindings/arm.sh`
set -euo pipefail
cd "$(dirname "$0")/.."

target="${1:-}"
folder="${VERIFACE_SIZE_TARGET:-target/size-of-native}"
# Symbols stay for the count, and are stripped after it.
CARGO_PROFILE_SIZE_STRIP=none cargo build --profile size --package veriface-native --no-default-features \
    --target-dir "$folder" ${target:+--target "$target"}
python3 bindings/size.py "$folder/${target:+$target/}size/libveriface_native.so" "${target:-$(rustc -vV | sed -n 's/^host: //p')}"
