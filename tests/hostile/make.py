"""Makes the picture files of tests/hostile: odd ones that must be read, and bad ones that must be refused.

Made with Python 3.11, Pillow 13.0.0, numpy 2.4.6:  python tests/hostile/make.py
Each file that can be read shows, upright, 128 × 112 pixels in four flat fields (FIELDS); tests/hostile.rs says what is expected
of each.
"""

import io
import pathlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

OUT = pathlib.Path(__file__).parent
WIDTH, HEIGHT, SPLIT = 128, 112, 64
FIELDS = [[(200, 40, 60), (40, 180, 70)], [(50, 60, 210), (230, 220, 90)]]  # upper left, upper right, lower left, lower right
EXIF_ORIENTATION = 0x0112


def fields(values, kind=np.uint8):
    """The four fields with a value or a tuple of values each."""
    picture = np.zeros((HEIGHT, WIDTH, len(np.atleast_1d(values[0][0]))), kind)
    for j, rows in enumerate([slice(0, SPLIT), slice(SPLIT, HEIGHT)]):
        for i, columns in enumerate([slice(0, SPLIT), slice(SPLIT, WIDTH)]):
            picture[rows, columns] = values[j][i]
    return picture


RGB = fields(FIELDS)
GRAY = fields([[30, 90], [150, 210]])
PICTURE = Image.fromarray(RGB)


def write(name, data):
    (OUT / name).write_bytes(data)
    return data


def encoded(picture, kind, **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def jpegs():
    base = write("baseline.jpg", encoded(PICTURE, "JPEG", quality=95, subsampling="4:4:4"))
    write("subsampled.jpg", encoded(PICTURE, "JPEG", quality=95, subsampling="4:2:0"))
    write("progressive.jpg", encoded(PICTURE, "JPEG", quality=95, progressive=True, subsampling="4:2:0"))
    write("restarts.jpg", encoded(PICTURE, "JPEG", quality=95, subsampling="4:2:0", restart_marker_blocks=3))
    write("gray.jpg", encoded(Image.fromarray(GRAY[..., 0]), "JPEG", quality=95))
    write("trailer.jpg", base + b"\0" * 40 + b"SEFT and whatever a phone appends")

    # Adobe stores CMYK inverted, and Pillow writes it so. Without black, C = 255 - R.
    cmyk = np.concatenate([255 - RGB, fields([[0, 0], [0, 0]])], -1)
    write("cmyk.jpg", encoded(Image.frombytes("CMYK", (WIDTH, HEIGHT), cmyk.tobytes()), "JPEG", quality=95))
    # With black: each field darkened by a third.
    dark = np.concatenate([255 - RGB, fields([[85, 85], [85, 85]])], -1)
    write("cmyk-black.jpg", encoded(Image.frombytes("CMYK", (WIDTH, HEIGHT), dark.tobytes()), "JPEG", quality=95))
    # YCCK: the three inverted inks as YCbCr, black as it is, and the transform of the Adobe segment set to 2.
    ycc = np.asarray(Image.fromarray(255 - RGB).convert("YCbCr"))
    samples = np.concatenate([ycc, 255 - fields([[0, 0], [0, 0]])], -1)
    data = encoded(Image.frombytes("CMYK", (WIDTH, HEIGHT), (255 - samples).tobytes()), "JPEG", quality=95)
    adobe = data.index(b"Adobe")
    assert data[adobe + 11] == 0
    write("ycck.jpg", data[: adobe + 11] + b"\2" + data[adobe + 12 :])

    undo = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90", 7: "TRANSVERSE", 8: "ROTATE_270"}
    for value in range(1, 9):
        stored = PICTURE.transpose(Image.Transpose[undo[value]]) if value > 1 else PICTURE
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = value
        data = write(f"exif-{value}.jpg", encoded(stored, "JPEG", quality=95, subsampling="4:4:4", exif=exif))
        upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))).astype(int)
        assert upright.shape == RGB.shape and abs(upright - RGB).max() < 8, value
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    turned = PICTURE.transpose(Image.Transpose.ROTATE_90)
    write("exif-6.webp", encoded(turned, "WEBP", lossless=True, exif=exif))
    block = chunk(b"eXIf", exif.tobytes()[6:])
    write("exif-6.png", png(2, 8, np.asarray(turned), before=block))
    late = png(2, 8, np.asarray(turned))
    write("exif-6-late.png", late[:-12] + block + late[-12:])

    # Cut in the middle of the second of two pictures: the thumbnail within EXIF has an end marker of its own.
    thumbnail = encoded(PICTURE.resize((32, 28)), "JPEG")
    segment = b"Exif\0\0" + thumbnail
    whole = base[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + base[2:]
    write("cut.jpg", base[: len(base) // 2])
    write("cut-after-thumbnail.jpg", whole[:-100])
    write("no-end-marker.jpg", base[:-2])
    write("four-bytes.jpg", b"\xff\xd8\xff\xd9")
    write("no-scan.jpg", base[: base.index(b"\xff\xda")] + b"\xff\xd9")
    frame = base.index(b"\xff\xc0")
    size = frame + 5
    write("bomb.jpg", base[:size] + struct.pack(">HH", 65500, 65500) + base[size + 4 :])
    write("no-height.jpg", base[:size] + struct.pack(">HH", 0, WIDTH) + base[size + 4 :])
    write("lossless.jpg", base[: frame + 1] + b"\xc3" + base[frame + 2 :])
    write("arithmetic.jpg", base[: frame + 1] + b"\xc9" + base[frame + 2 :])
    write("twelve-bits.jpg", base[: frame + 4] + b"\x0c" + base[frame + 5 :])


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(colour, depth, picture, before=b"", size=None):
    height, width = picture.shape[:2]
    raw = picture.astype(">u2").tobytes() if depth == 16 else picture.tobytes()
    row = len(raw) // height
    data = zlib.compress(b"".join(b"\0" + raw[i * row : (i + 1) * row] for i in range(height)), 9)
    width, height = size or (width, height)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def pngs():
    alpha = fields([[255, 0], [128, 1]])
    palette = b"".join(bytes(c) for row in FIELDS for c in row)
    indices = fields([[0, 1], [2, 3]])
    # 16 bits: 257 times the 8-bit value, give or take what must round back to it.
    wide = lambda p: p.astype(np.int64) * 257 + np.where(p % 2, 100, -100)
    base = write("rgb8.png", png(2, 8, RGB))
    write("rgba8.png", png(6, 8, np.concatenate([RGB, alpha], -1)))
    write("gray-alpha.png", png(4, 8, np.concatenate([GRAY, alpha], -1)))
    write("rgb16.png", png(2, 16, wide(RGB)))
    write("rgba16.png", png(6, 16, np.concatenate([wide(RGB), alpha.astype(int) * 257], -1)))
    write("gray16.png", png(0, 16, wide(GRAY)))
    write("gray-alpha16.png", png(4, 16, np.concatenate([wide(GRAY), alpha.astype(int) * 257], -1)))
    write("palette.png", png(3, 8, indices, before=chunk(b"PLTE", palette)))
    write("palette-alpha.png", png(3, 8, indices, before=chunk(b"PLTE", palette) + chunk(b"tRNS", b"\xff\0\x80")))
    write("one-bit.png", png(0, 1, np.packbits(fields([[0, 1], [1, 0]])[..., 0], axis=1)[..., None], size=(WIDTH, HEIGHT)))
    write("jpeg-named.png", (OUT / "baseline.jpg").read_bytes())

    write("bomb.png", png(2, 8, RGB, size=(64000, 64000)))
    write("cut.png", base[: len(base) // 2])
    write("bad-checksum.png", base[:-20] + bytes([base[-20] ^ 1]) + base[-19:])
    write("tiny.png", png(2, 8, RGB[:8, :8]))
    write("too-wide.png", png(0, 8, np.zeros((16, 600_000, 1), np.uint8)))


def others():
    webp = write("lossy.webp", encoded(PICTURE, "WEBP", quality=95))
    write("lossless.webp", encoded(PICTURE, "WEBP", lossless=True))
    write("alpha.webp", encoded(Image.fromarray(np.concatenate([RGB, fields([[255, 0], [128, 1]])], -1)), "WEBP", lossless=True, exact=True))
    bmp = encoded(PICTURE, "BMP")
    write("palette.bmp", encoded(PICTURE.convert("P", palette=Image.Palette.ADAPTIVE, colors=4), "BMP"))
    write("cut.webp", webp[: len(webp) // 2])
    write("cut.bmp", bmp[:2000])
    write("bomb.bmp", bmp[:18] + struct.pack("<ii", 64000, 64000) + bmp[26:2000])
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + struct.pack("<I", 59999)[:3] * 2
    write("bomb.webp", b"RIFF" + struct.pack("<I", 4 + len(canvas) + len(webp) - 12) + b"WEBP" + canvas + webp[12:])
    # A canvas of the right size around a frame that claims the most it can.
    canvas = canvas[:12] + struct.pack("<I", WIDTH - 1)[:3] + struct.pack("<I", HEIGHT - 1)[:3]
    frame = webp[12:26] + struct.pack("<HH", 0x3fff, 0x3fff) + webp[30:]
    write("bomb-inside.webp", b"RIFF" + struct.pack("<I", 4 + len(canvas) + len(frame)) + b"WEBP" + canvas + frame)

    write("empty.jpg", b"")
    write("text.jpg", b"This is not a picture.\n")
    write("photo.heic", struct.pack(">I", 24) + b"ftypheic" + b"\0\0\0\0mif1heic" + b"\0" * 40)
    write("photo.avif", struct.pack(">I", 24) + b"ftypavif" + b"\0\0\0\0mif1avif" + b"\0" * 40)
    write("clip.mp4", struct.pack(">I", 24) + b"ftypisom" + b"\0\0\2\0isomiso2" + b"\0" * 40)
    write("picture.gif", encoded(PICTURE.resize((16, 14)).convert("P"), "GIF"))
    write("picture.tif", encoded(PICTURE.resize((16, 14)), "TIFF"))
    write("page.pdf", b"%PDF-1.4\n%%EOF\n")


for old in OUT.iterdir():
    if old.suffix != ".py":
        old.unlink()
jpegs()
pngs()
others()
