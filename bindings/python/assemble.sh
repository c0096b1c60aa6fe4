#!/usr/bin/env bash
# Puts the package together in a folder: its own code, the module that UniFFI makes, and the native library.
# Usage: assemble.sh FOLDER [FOLDER OF THE BUILT LIBRARY]
set -euo pipefail
cd "$(dirname "$0")/../.."
built="${2:-target/release}"
rm -rf "$1/veriface"
mkdir -p "$1/veriface"
cp bindings/python/veriface/*.py "$1/veriface/"
touch "$1/veriface/py.typed"
library=$(find "$built" -maxdepth 1 \( -name 'libveriface_native.so' -o -name 'libveriface_native.dylib' -o -name 'veriface_native.dll' \))
[ -n "$library" ] || { echo "no native library in $built: cargo build --release --package veriface-native" >&2; exit 1; }
bindings/generate.sh python "$1/veriface" "$library"
mv "$1/veriface/veriface.py" "$1/veriface/_native.py"
cp "$library" "$1/veriface/"
