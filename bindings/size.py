"""The size of a native library by crate, from its symbols: `python3 bindings/size.py LIBRARY NAME`. `bindings/size.sh` calls it.

Writes NAME's table in `bindings/SIZE.md`, and fails where the stripped library without its pack is larger than the bar.
"""

import platform
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

BAR = 8_000_000
ROOT = Path(__file__).resolve().parent.parent
PACK = ROOT / "sdk/src/pack/default.vfpack"


def crate_of(symbol):
    """The crate that a demangled symbol's code is of: the first path in it that is not a trait's of the standard library."""
    if symbol.startswith(("Java_", "JNI_OnLoad")):
        return "veriface_jni"
    if symbol.startswith("vf_"):
        return "veriface_c"
    if symbol.startswith(("uniffi_", "ffi_", "UNIFFI")):
        return "veriface_uniffi"
    crates = re.findall(r"(?<![\w:])([a-z_][a-z0-9_]*)::", symbol)
    own = [crate for crate in crates if crate not in ("core", "alloc", "std", "r", "serde_core")]
    return own[0] if own else ("std" if crates else "other symbols")


def main():
    library, name = Path(sys.argv[1]), sys.argv[2]
    tools = {"aarch64": "aarch64-linux-gnu-", "armv7": "arm-linux-gnueabihf-"}.get(name.split("-")[0], "")
    if platform.machine() == name.split("-")[0]:
        tools = ""
    symbols = subprocess.run([f"{tools}nm", "-S", "-C", "--size-sort", library], check=True, capture_output=True, text=True).stdout
    by_crate = Counter()
    for line in symbols.splitlines():
        _, size, kind, symbol = line.split(" ", 3)
        # Text, data and read-only data; not what takes no place in the file.
        if kind.lower() in "tdrwv" and "pack::embedded::BYTES" not in symbol:
            by_crate[crate_of(symbol)] += int(size, 16)
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run([f"{tools}strip", "-o", stripped.name, library], check=True)
        total = Path(stripped.name).stat().st_size
    pack = PACK.stat().st_size
    rest = total - pack
    crates = by_crate.most_common(16)
    others = sum(by_crate.values()) - sum(size for _, size in crates)
    rows = [f"| {crate.replace('_', '-')} | {size:,} |" for crate, size in crates] + [f"| {len(by_crate) - len(crates)} more | {others:,} |"]
    left = rest - sum(by_crate.values())
    table = "\n".join([
        f"Stripped {total:,} bytes, of which the default pack {pack:,}: **{rest:,} bytes without it**.", "",
        "| crate | bytes |", "|---|---:|", *rows, f"| unwinding tables, relocations, strings, padding | {left:,} |",
    ])
    page = ROOT / "bindings/SIZE.md"
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    text = page.read_text()
    if begin not in text:
        text = f"{text.rstrip()}\n\n## {name}\n\n{begin}\n{end}\n"
    head, tail = text.split(begin)[0], text.split(end)[1]
    page.write_text(f"{head}{begin}\n{table}\n{end}{tail}")
    print(table)
    if rest > BAR:
        sys.exit(f"{rest} bytes without the pack, {BAR} are the most")


main()
