#!/usr/bin/env bash
# Puts the CPU libtorch that the trainer links against into a folder: the libraries of PyPI's wheels, with pip as the downloader.
# 540 MB down, 499 MB kept. Does nothing when the right version is there already. x86-64 Linux; elsewhere install PyTorch 2.11.0
# yourself and point LIBTORCH at it.
#
# usage: trainer/libtorch.sh [FOLDER]     by default `libtorch` in the workspace, where .cargo/config.toml looks for it
set -euo pipefail
folder=${1:-$(dirname "$0")/../libtorch}
version=2.11.0
if [ "$(cat "$folder/build-version" 2>/dev/null)" = "$version" ]; then exit 0; fi

wheels=$(mktemp -d)
trap 'rm -rf "$wheels" "$folder.new"' EXIT
echo "fetching libtorch $version (540 MB)"
# The CPU library is linked against two small CUDA libraries, and does not start without them.
python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$wheels" --python-version 3.11 \
  --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 --platform manylinux2014_x86_64 \
  "torch==$version" nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85

rm -rf "$folder.new"
mkdir -p "$folder.new/lib"
python3 - "$wheels" "$folder.new" <<'PYTHON'
import pathlib, shutil, sys, zipfile

wheels, folder = map(pathlib.Path, sys.argv[1:])
LIBRARIES = {
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libc10.so",
    "torch/lib/libgomp.so.1",
    "nvidia/cu13/lib/libcudart.so.13",
    "nvidia/cu13/lib/libcupti.so.13",
}
for wheel in wheels.glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name in LIBRARIES:
                target = folder / "lib" / pathlib.Path(name).name
            elif name.startswith("torch/include/") and not name.endswith("/"):
                target = folder / name.removeprefix("torch/")
            elif ".dist-info/" in name and "license" in name.lower() and not name.endswith("/"):
                target = folder / "licenses" / name.replace(".dist-info", "")
            else:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, open(target, "wb") as out:
                shutil.copyfileobj(source, out)
PYTHON
# The wheel's libtorch.so also wants the CUDA library; all of its symbols that are used here are in the CPU one.
ln -s libtorch_cpu.so "$folder.new/lib/libtorch.so"
echo "$version" > "$folder.new/build-version"
rm -rf "$folder"
mv "$folder.new" "$folder"
