#!/usr/bin/env bash
# Writes what UniFFI makes of the native library. Usage: generate.sh LANGUAGE FOLDER [LIBRARY], the language being swift, kotlin or python.
set -euo pipefail
cd "$(dirname "$0")/.."
"${VERIFACE_BINDGEN:-target/release/veriface-bindgen}" generate --no-format --config bindings/uniffi.toml --language "$1" --out-dir "$2" \
    "${3:-target/release/libveriface_native.so}"
