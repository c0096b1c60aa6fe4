#!/usr/bin/env bash
# Builds a wheel in `target/wheels` for this machine's Python 3 and system: `bindings/python/wheel.sh`.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --profile dist --package veriface-native
cargo build --release --package veriface-bindgen
rm -rf target/wheel
bindings/python/assemble.sh target/wheel target/dist
cp bindings/python/{pyproject.toml,setup.py} target/wheel/
python3 -m pip wheel --quiet --no-deps --wheel-dir target/wheels target/wheel
ls target/wheels
