#!/usr/bin/env python3
"""Makes what a new user might hand over, of photos that nobody here picked: the material of docs/trials.md.

    python3 tests/reference/trials.py PHOTOS OUT

PHOTOS has pictures and, beside it, PHOTOS.jsonl with the faces that a larger detector found in each. Needs numpy and Pillow.
"""
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

photos, out = (Path(argument) for argument in sys.argv[1:])
records = [json.loads(line) for line in open(f"{photos}.jsonl")]


def height(record):
    left, top, right, bottom = record["faces"][0]["bbox"]
    return bottom - top


single = [r for r in records if len(r["faces"]) == 1 and not r["ignore"] and height(r) >= 80 and r["faces"][0]["score"] > 0.7]
portraits = {r["file"].split(".")[0]: (Image.open(photos / r["file"]).convert("RGB"), r) for r in single[:24]}
groups = [r for r in records if len(r["faces"]) >= 4]
scenes = [r for r in records if r["source"] == "scenes"]


def folder(name):
    path = out / name
    path.mkdir(parents=True, exist_ok=True)
    return path


# Phones store the picture as the sensor sees it, and a tag that says how to turn it.
STORED = {1: lambda p: p, 2: ImageOps.mirror, 3: lambda p: p.rotate(180), 4: ImageOps.flip,
          5: lambda p: ImageOps.mirror(p.rotate(-90, expand=True)), 6: lambda p: p.rotate(90, expand=True),
          7: lambda p: ImageOps.mirror(p.rotate(90, expand=True)), 8: lambda p: p.rotate(-90, expand=True)}
for name, (photo, _) in list(portraits.items())[:12]:
    for orientation, stored in STORED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored(photo).save(folder("exif") / f"{name}.{orientation}.jpg", quality=95, exif=exif)
    photo.save(folder("upright") / f"{name}.png")

for record in groups:
    Image.open(photos / record["file"]).convert("RGB").save(folder("groups") / (record["file"].split(".")[0] + ".jpg"), quality=95)
for record in scenes:
    Image.open(photos / record["file"]).convert("RGB").save(folder("scenes") / (record["file"].split(".")[0] + ".jpg"), quality=95)


def photocopy(photo):
    grey = np.asarray(photo.convert("L"), float)
    return Image.fromarray(np.clip((grey - 128) * 2.5 + 128, 0, 255).astype(np.uint8))


def pencil(photo):
    grey = photo.convert("L")
    inverse = ImageOps.invert(grey).filter(ImageFilter.GaussianBlur(6))
    a, b = np.asarray(grey, float), np.asarray(inverse, float)
    return Image.fromarray(np.clip(a * 255 / (256 - b), 0, 255).astype(np.uint8))


def page(photo):
    """A sheet of A4 at 300 dots an inch with the photo on it, not quite straight."""
    sheet = Image.new("RGB", (2480, 3508), (250, 250, 246))
    sheet.paste(photo.resize((photo.width * 2, photo.height * 2), Image.Resampling.BICUBIC), (1400, 300))
    return sheet.rotate(3, Image.Resampling.BILINEAR, fillcolor=(60, 60, 60))


def thumbnail(photo, record, face):
    scale = face / height(record)
    return photo.resize((round(photo.width * scale), round(photo.height * scale)), Image.Resampling.LANCZOS)


for name, (photo, record) in list(portraits.items())[:12]:
    photo.convert("L").save(folder("scans/grey") / f"{name}.png")
    photo.convert("L").convert("1", dither=Image.Dither.NONE).save(folder("scans/threshold") / f"{name}.png")
    photo.convert("1").save(folder("scans/halftone") / f"{name}.png")
    photocopy(photo).save(folder("scans/photocopy") / f"{name}.png")
    page(photo).save(folder("scans/page") / f"{name}.jpg", quality=90)
    pencil(photo).save(folder("drawings/pencil") / f"{name}.png")
    ImageOps.posterize(photo.filter(ImageFilter.MedianFilter(7)), 2).save(folder("drawings/poster") / f"{name}.png")
    photo.filter(ImageFilter.CONTOUR).convert("L").save(folder("drawings/contour") / f"{name}.png")
    for face in (40, 30, 24):
        thumbnail(photo, record, face).save(folder(f"thumbnails/{face}") / f"{name}.jpg", quality=90)
    ImageChops.invert(photo).save(folder("negatives") / f"{name}.png")

for number in range(12):
    sketch = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(sketch)
    draw.ellipse((80, 60, 320, 340), outline="black", width=3 + number % 4, fill=[None, "gold", "peachpuff"][number % 3])
    for x in (150, 250):
        draw.ellipse((x - 14, 150, x + 14, 178), fill="black")
    draw.line((200, 180, 195 - number, 230), fill="black", width=4)
    draw.arc((140, 200, 260, 290), 20, 160, fill="black", width=5)
    sketch.save(folder("drawings/smiley") / f"{number}.png")

name, (photo, _) = next(iter(portraits.items()))
formats = folder("formats")
photo.save(formats / "progressive.jpg", progressive=True)
photo.convert("CMYK").save(formats / "cmyk.jpg")
photo.convert("L").save(formats / "grey.jpg")
photo.save(formats / "444.jpg", subsampling=0, quality=95)
photo.save(formats / "photo.png")
photo.quantize(256).save(formats / "palette.png")
photo.convert("LA").save(formats / "grey-alpha.png")
photo.convert("RGBA").save(formats / "alpha.png")
Image.fromarray((np.asarray(photo.convert("L"), np.uint16) * 257)).save(formats / "grey16.png")
photo.save(formats / "lossy.webp", quality=90)
photo.save(formats / "lossless.webp", lossless=True)
photo.save(formats / "photo.bmp")
photo.save(formats / "wrong-name.png", "JPEG")
for ending in ("gif", "tiff"):
    photo.save(formats / f"photo.{ending}")
(formats / "Zoë's photo – 1 (copy).jpg").write_bytes((formats / "444.jpg").read_bytes())

jpeg, png = ((formats / file).read_bytes() for file in ("444.jpg", "photo.png"))
generator = np.random.default_rng(1)
for kind, whole in (("jpg", jpeg), ("png", png)):
    for cut in np.linspace(0, len(whole) - 3, 20).astype(int):
        (folder("corrupt") / f"cut-{cut}.{kind}").write_bytes(whole[:cut])
    for number in range(40):
        bytes_ = bytearray(whole)
        for place in generator.integers(0, len(bytes_), 1 + number // 4):
            bytes_[place] = generator.integers(0, 256)
        (folder("corrupt") / f"flipped-{number}.{kind}").write_bytes(bytes_)
(folder("corrupt") / "text.jpg").write_text("no picture\n")

large = photo.resize((6000, 8000), Image.Resampling.BICUBIC)
large.save(folder("large") / "baseline.jpg", quality=90)
large.save(folder("large") / "progressive.jpg", quality=90, progressive=True)
large.save(folder("large") / "photo.png", compress_level=1)
large.save(folder("large") / "photo.webp", quality=80, method=0)
crowd = Image.open(photos / max(groups, key=lambda r: len(r["faces"]))["file"]).convert("RGB")
crowd.resize((8000, round(8000 * crowd.height / crowd.width)), Image.Resampling.BICUBIC).save(folder("large") / "crowd.jpg", quality=90)
