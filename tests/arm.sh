#!/usr/bin/env bash
# The tests of what must give the same bits on every architecture, run for 64-bit Arm on another machine: alignment, the frame with its
# sampler, quality, and the network's kernels. Their sources are compiled as they stand, without the rest, so that the network runtime need not be
# cross-built.
#
#     rustup target add aarch64-unknown-linux-gnu
#     apt-get install gcc-aarch64-linux-gnu qemu-user-static
#     tests/arm.sh [FILTER]
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
place=$root/target/arm
rooms=(error geometry face frame align quality)

rm -rf "$place/sdk"
mkdir -p "$place/sdk/src/net"
ln -sfn "$root/tests" "$place/tests"
# Versions and profile are the workspace's own.
sed -E 's/^(members|default-members) = .*/\1 = ["sdk"]/; /^\[profile.release.package/,/^$/d; /^veriface = /d' "$root/Cargo.toml" > "$place/Cargo.toml"
cp "$root/Cargo.lock" "$place/Cargo.lock"
cat > "$place/sdk/Cargo.toml" <<'END'
[package]
name = "veriface-arm"
edition.workspace = true

[dependencies]
image.workspace = true
serde.workspace = true
serde_json.workspace = true

[dev-dependencies]
proptest.workspace = true
static_assertions.workspace = true
tempfile.workspace = true
END
echo '#![allow(dead_code, unused_imports)]' > "$place/sdk/src/lib.rs"
for room in "${rooms[@]}"; do
    for source in "$root/sdk/src/$room" "$root/sdk/src/$room.rs"; do
        if [ -e "$source" ]; then ln -s "$source" "$place/sdk/src/"; fi
    done
    echo "pub mod $room;" >> "$place/sdk/src/lib.rs"
done
ln -s "$root/sdk/src/net/kernels" "$place/sdk/src/net/kernels"
echo 'pub mod kernels;' > "$place/sdk/src/net/mod.rs"
echo 'pub mod net;' >> "$place/sdk/src/lib.rs"
# Of the pack, the bytes that kernels read where they lie.
mkdir "$place/sdk/src/pack"
ln -s "$root/sdk/src/pack/bytes.rs" "$place/sdk/src/pack/bytes.rs"
printf 'mod bytes;\npub use bytes::Bytes;\n' > "$place/sdk/src/pack/mod.rs"
echo 'pub mod pack;' >> "$place/sdk/src/lib.rs"

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64-static -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=/usr/aarch64-linux-gnu/lib"
cd "$place"
cargo test --release --target aarch64-unknown-linux-gnu --target-dir "$place/target" --lib -- "$@"
