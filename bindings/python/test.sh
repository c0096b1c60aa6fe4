#!/usr/bin/env bash
# The Python package, put together in `target/python` from the built native library, and its tests. Usage: test.sh [FOLDER OF THE LIBRARY]
# Needs Python 3.9 with `venv` and pip; NumPy, Pillow and pytest go into an environment under `target`.
set -euo pipefail
cd "$(dirname "$0")/../.."

skip() { echo "skipped: the Python tests, $1"; exit 0; }
python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || skip "no Python 3.9"
environment="${VERIFACE_VENV:-target/python-environment}"
if [ ! -e "$environment/bin/pytest" ]; then
    python3 -m venv "$environment" && "$environment/bin/pip" install -q numpy pillow pytest || skip "NumPy, Pillow and pytest cannot be had"
fi

bindings/python/assemble.sh target/python "${1:-target/release}"
target/release/veriface enrol tests/fixtures/obama-smiling.jpg --output target/python/obama.vftemplate >/dev/null
PYTHONPATH=target/python PYTHONDONTWRITEBYTECODE=1 VERIFACE_TEMPLATE="$PWD/target/python/obama.vftemplate" \
    "$environment/bin/pytest" -q -s -p no:cacheprovider bindings/python/tests
