#!/usr/bin/env python3
"""Makes docs/images/verify.jpg: what the built-in pack sees in three portraits, and what it decides.

    cargo build --release && python3 docs/images/verify.py

Needs Pillow.
"""
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parent.parent.parent
PORTRAITS = [ROOT / "tests" / "fixtures" / f"{name}.jpg" for name in ("obama-smiling", "obama-standing", "biden")]
HEIGHT, BAND = 440, 34


def veriface(*arguments):
    """Exit code 1 says that the people differ."""
    done = subprocess.run([ROOT / "target/release/veriface", *arguments], capture_output=True, text=True)
    if done.returncode > 1:
        raise SystemExit(done.stderr)
    return done.stdout.strip()


with tempfile.TemporaryDirectory() as folder:
    veriface("detect", "--output", folder, *PORTRAITS)
    drawn = [Image.open(Path(folder) / f"{portrait.stem}.png").convert("RGB") for portrait in PORTRAITS]
drawn = [picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT), Image.Resampling.LANCZOS) for picture in drawn]

sheet = Image.new("RGB", (sum(picture.width for picture in drawn), HEIGHT + 2 * BAND), "white")
pen = ImageDraw.Draw(sheet)
font = ImageFont.load_default(15)
left = 0
for picture in drawn:
    sheet.paste(picture, (left, 0))
    left += picture.width
for row, other in enumerate((1, 2)):
    said = veriface("verify", PORTRAITS[0], PORTRAITS[other]).split(";")[0]
    pen.text((10, HEIGHT + row * BAND + 8), f"{PORTRAITS[0].stem}, {PORTRAITS[other].stem}:  {said})", "black", font)
sheet.save(ROOT / "docs" / "images" / "verify.jpg", quality=88)
