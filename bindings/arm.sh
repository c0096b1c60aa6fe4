#!/usr/bin/env bash
# The native library as phones and boards carry it, built for Arm, and the tests of `bindings/native/tests/c.rs` on it under emulation: the
# contract of the C interface, the same template as Rust's here to the bit, an NV12 frame's score, an fp32 network's embedding.
#
#     rustup target add aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf
#     apt-get install qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
#     bindings/arm.sh [aarch64|armv7]
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-aarch64}" in
    aarch64) target=aarch64-unknown-linux-gnu prefix=aarch64-linux-gnu emulator=qemu-aarch64-static ;;
    # Its f32 kernels are the portable ones, which do not fuse: see `bindings/native/tests/c.rs`.
    armv7) export VERIFACE_UNFUSED=1; target=armv7-unknown-linux-gnueabihf prefix=arm-linux-gnueabihf emulator=qemu-arm-static ;;
    *) echo "usage: bindings/arm.sh [aarch64|armv7]" >&2; exit 2 ;;
esac
folder="${VERIFACE_ARM_TARGET:-$PWD/target/arm-native}"
linker="CARGO_TARGET_$(echo "$target" | tr a-z- A-Z_)_LINKER"
env "$linker=$prefix-gcc" CARGO_PROFILE_SIZE_STRIP=none \
    cargo build --profile size --package veriface-native --no-default-features --target "$target" --target-dir "$folder"
library="$folder/$target/size"
"$prefix-strip" -o "$library/stripped.so" "$library/libveriface_native.so"
echo "$target: $(stat -c %s "$library/stripped.so") bytes, stripped, with the pack"

# The selection of `./test`, so that nothing is built twice.
selection=(--release --workspace)
if trainer/mpi.sh; then selection+=(--features trainer/mpi); fi
# The cross compiler's package has the processor's own libraries.
VERIFACE_CC="$prefix-gcc" VERIFACE_LIBRARY="$library" \
    VERIFACE_RUNNER="$emulator -L /usr/$prefix -E LD_LIBRARY_PATH=$library:/usr/$prefix/lib" \
    cargo test "${selection[@]}" --test c -- --nocapture --test-threads 1
