"""Checks a native library for Android: 64-bit segments aligned to 16 KB pages, and the JNI methods exported.

    python3 android/check_elf.py FILE.so [--least-alignment 4096]

bbqsrc/cargo-ndk 167: a library at 4 KB does not load on devices with 16 KB pages, and the shop refuses it.
"""

import argparse
import struct
import sys
from pathlib import Path


def segments(data):
    """The alignments of the file's PT_LOAD segments, and whether it is a 64-bit file."""
    if data[:4] != b"\x7fELF" or data[5] != 1:
        sys.exit("not a little-endian ELF file")
    wide = data[4] == 2
    offset, = struct.unpack_from("<Q" if wide else "<I", data, 32 if wide else 28)
    size, count = struct.unpack_from("<HH", data, 54 if wide else 42)
    found = []
    for place in range(count):
        at = offset + place * size
        if struct.unpack_from("<I", data, at)[0] == 1:
            found.append(struct.unpack_from("<Q" if wide else "<I", data, at + (48 if wide else 28))[0])
    return found, wide


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library", type=Path)
    parser.add_argument("--least-alignment", type=int, default=16384)
    arguments = parser.parse_args()
    data = arguments.library.read_bytes()
    found, wide = segments(data)
    if not found:
        sys.exit("no PT_LOAD segment")
    if wide and min(found) < arguments.least_alignment:
        sys.exit(f"{arguments.library}: a segment is aligned to {min(found)}, {arguments.least_alignment} is wanted")
    for symbol in (b"JNI_OnLoad", b"Java_io_github_veriface_Native_verify", b"vf_verify"):
        if b"\0" + symbol + b"\0" not in data:
            sys.exit(f"{arguments.library}: {symbol.decode()} is not exported")
    if b"Java_io_github_veriface_Faults" in data:
        sys.exit(f"{arguments.library}: built with the feature `faults`, which is for tests")
    print(f"{arguments.library}: {len(data)} bytes, segments at {sorted(set(found))}")


main()
