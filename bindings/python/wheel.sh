#!/usr/bin/env bash
# Builds a wheel in `target/wheels` for any Python 3 on this system, by maturin, and tries it in an empty environment.
# Usage: wheel.sh [OPTIONS OF maturin build], such as `--profile size --no-default-features` for packs with prepared networks alone: a tenth of
# the build's time and a third of the size.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD

tools=target/wheel-tools
[ -x "$tools/bin/maturin" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install -q "maturin>=1.16,<2" wheel; }
# maturin looks for UniFFI's command by this name; the workspace's is of the library's own version.
cargo build --release --package veriface-bindgen
ln -sf "$root/target/release/veriface-bindgen" "$tools/bin/uniffi-bindgen"
rm -rf target/wheels target/wheel-unpacked
# UniFFI's command reads the interface from the library's symbols: they go only when it has.
export CARGO_PROFILE_DIST_STRIP=debuginfo CARGO_PROFILE_SIZE_STRIP=debuginfo
(cd bindings/python && PATH="$root/$tools/bin:$PATH" maturin build --out "$root/target/wheels" "$@")
if command -v strip >/dev/null && [ "$(uname)" = Linux ]; then
    "$tools/bin/python" -m wheel unpack --dest target/wheel-unpacked target/wheels/*.whl >/dev/null
    find target/wheel-unpacked -name '*.so' -exec strip {} +
    rm target/wheels/*.whl
    "$tools/bin/python" -m wheel pack --dest-dir target/wheels target/wheel-unpacked/veriface-*/ >/dev/null
fi

rm -rf target/wheel-environment
python3 -m venv target/wheel-environment
target/wheel-environment/bin/pip install -q target/wheels/veriface-*.whl
cd target/wheel-environment
bin/python -c 'import sys, veriface
decision = veriface.Verifier().verify(sys.argv[1], sys.argv[2])
print(decision.sentence)
sys.exit(not decision.same)' "$root/tests/fixtures/obama-smiling.jpg" "$root/tests/fixtures/obama-standing.jpg"
ls -l "$root/target/wheels"
