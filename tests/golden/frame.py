"""Golden cases for the room `frame`: what OpenCV makes of synthetic pictures, the colour formulas in floating point, and the
sampler's own definition written a second time, which every architecture must meet to the bit.

Made with Python 3.11, OpenCV 5.0.0, numpy 2.4.6:  python tests/golden/frame.py
Writes tests/golden/frame/: raw bytes (*.bin) and cases.json, which describes them. sdk/src/frame/golden.rs compares.
"""

import json
import math
import pathlib
import sys

import cv2
import numpy as np

OUT = pathlib.Path(__file__).parent / "frame"
CASES = []


def save(name, array):
    (OUT / f"{name}.bin").write_bytes(np.ascontiguousarray(array, np.uint8).tobytes())
    return f"{name}.bin"


def scene(width, height):
    """Left half smooth (gradients, a soft disc), right half textured (stripes of rising frequency, a grid, fine noise)."""
    y, x = np.mgrid[0:height, 0:width].astype(float)
    disc = np.exp(-((x - width * 0.25) ** 2 + (y - height * 0.5) ** 2) / (2 * (height * 0.18) ** 2))
    smooth = np.stack([40 + 150 * x / width + 60 * disc, 200 - 120 * y / height, 90 + 100 * disc], -1)
    stripes = 127 + 90 * np.sin(2 * math.pi * (x / width) ** 2 * width / 9)
    grid = 60.0 * (((x // 5) + (y // 7)) % 2)
    noise = np.random.default_rng(7).normal(0, 12, (height, width))
    textured = np.stack([stripes + noise, 80 + grid + 0.4 * stripes, 220 - stripes * 0.5 + noise], -1)
    return np.clip(np.where((x < width / 2)[..., None], smooth, textured) + 0.5, 0, 255).astype(np.uint8)


def similarity(degrees, scale, tx, ty):
    return {"a": scale * math.cos(math.radians(degrees)), "b": scale * math.sin(math.radians(degrees)), "tx": tx, "ty": ty}


def warped(picture, to_frame, size, border):
    matrix = np.array([[to_frame["a"], -to_frame["b"], to_frame["tx"]], [to_frame["b"], to_frame["a"], to_frame["ty"]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    if border == "replicate":
        return cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.warpAffine(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=border)


def warps(picture, source):
    height, width = picture.shape[:2]
    for name, to_frame, size, border in [
        ("warp-upright", similarity(0, 0.8, 30.3, 12.7), (112, 112), [0, 0, 0]),
        ("warp-tilted", similarity(27, 0.7, 60.25, 5.5), (112, 112), [0, 0, 0]),
        ("warp-enlarged", similarity(-12, 0.31, 50.1, 40.9), (64, 64), [0, 0, 0]),
        ("warp-shrunk", similarity(41, 1.9, 55.0, -30.0), (64, 64), [0, 0, 0]),
        ("warp-outside", similarity(8, 1.1, -20.4, 70.3), (80, 80), [10, 200, 90]),
        ("warp-replicated", similarity(-33, 1.3, -15.0, 60.0), (80, 80), "replicate"),
    ]:
        CASES.append({
            "kind": "warp", "name": name, "source": source, "format": "rgb8", "width": width, "height": height, "to_frame": to_frame,
            "out": size, "border": border, "expected": save(name, warped(picture, to_frame, size, border)),
        })


def resizes(picture, source):
    """cv2.resize maps pixel u of the output to (u + 0.5) · step - 0.5. Beyond a step of 2 it is INTER_AREA that does not alias."""
    height, width = picture.shape[:2]
    for name, size, method in [
        ("resize-1.6", (100, 75), cv2.INTER_LINEAR),
        ("resize-2", (80, 60), cv2.INTER_LINEAR),
        ("resize-4-area", (40, 30), cv2.INTER_AREA),
        ("resize-8-area", (20, 15), cv2.INTER_AREA),
        ("resize-enlarged", (240, 180), cv2.INTER_LINEAR),
    ]:
        step = width / size[0]
        out = cv2.resize(picture, size, interpolation=method)
        if name == "resize-enlarged":
            out, size = out[60:124, 100:164], (64, 64)  # a part, to keep the file small
            shift = (100.5 * step - 0.5, 60.5 * step - 0.5)
        else:
            shift = (0.5 * step - 0.5, 0.5 * step - 0.5)
        CASES.append({
            "kind": "resize", "name": name, "source": source, "format": "rgb8", "width": width, "height": height,
            "to_frame": {"a": step, "b": 0.0, "tx": shift[0], "ty": shift[1]}, "out": size, "border": "replicate",
            "expected": save(name, out),
        })


def formula(y, u, v, kr, kb, video):
    """ITU-R BT.601-7 / BT.709-6 (video range), JFIF 1.02 (full range): the definitions, solved for R, G, B."""
    kg = 1 - kr - kb
    y, pb, pr = ((y - 16) / 219, (u - 128) / 224, (v - 128) / 224) if video else (y / 255, (u - 128) / 255, (v - 128) / 255)
    r = y + 2 * (1 - kr) * pr
    b = y + 2 * (1 - kb) * pb
    return np.clip(np.floor(np.stack([r, (y - kr * r - kb * b) / kg, b], -1) * 255 + 0.5), 0, 255)


def conversions():
    """Random codes, one file of planes Y, U, V; the formats only order them differently."""
    width, height = 64, 48
    rng = np.random.default_rng(11)
    y = rng.integers(0, 256, (height, width), np.uint8)
    u, v = rng.integers(0, 256, (2, height // 2, width // 2), np.uint8)
    source = save("codes-i420", np.concatenate([y.ravel(), u.ravel(), v.ravel()]))
    up = [np.repeat(np.repeat(p, 2, 0), 2, 1).astype(float) for p in (u, v)]
    common = {"kind": "convert", "source": source, "width": width, "height": height}
    planar = np.concatenate([y.ravel(), u.ravel(), v.ravel()]).reshape(height * 3 // 2, width)
    pairs = {
        "nv12": (np.stack([u, v], -1), cv2.COLOR_YUV2RGB_NV12),
        "nv21": (np.stack([v, u], -1), cv2.COLOR_YUV2RGB_NV21),
    }
    expected = cv2.cvtColor(planar, cv2.COLOR_YUV2RGB_I420)
    for name, (chroma, code) in pairs.items():
        same = cv2.cvtColor(np.concatenate([y.ravel(), chroma.ravel()]).reshape(height * 3 // 2, width), code)
        assert np.array_equal(same, expected), name
    CASES.append({**common, "name": "bt601-video-opencv", "matrix": "bt601", "range": "video", "luma_from": 0,
                  "expected": save("bt601-video-opencv", expected)})
    for matrix, (kr, kb) in {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}.items():
        for video in (False, True):
            name = f"{matrix}-{'video' if video else 'full'}-formula"
            # Below black the formula goes negative while decoders stop at black, so only codes from 16 are compared.
            CASES.append({**common, "name": name, "matrix": matrix, "range": "video" if video else "full",
                          "luma_from": 16 if video else 0,
                          "expected": save(name, formula(y.astype(float), *up, kr, kb, video))})


def yuv_warp(picture):
    """A picture as the camera gives it: 4:2:0, converted by OpenCV and then warped."""
    height, width = picture.shape[:2]
    planar = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
    to_frame, size = similarity(15, 0.9, 40.2, 3.3), (96, 96)
    expected = warped(cv2.cvtColor(planar, cv2.COLOR_YUV2RGB_I420), to_frame, size, [0, 0, 0])
    CASES.append({
        "kind": "warp", "name": "warp-i420", "source": save("scene-i420", planar), "format": "i420", "width": width, "height": height,
        "to_frame": to_frame, "out": size, "border": [0, 0, 0], "expected": save("warp-i420", expected),
    })


def defined(planes, to_frame, size, border, convert=None):
    """The definition of Frame::sample, pixel by pixel in Python's integers: `planes` are three upright pictures of one size."""
    height, width = planes[0].shape
    step = math.sqrt(to_frame["a"] ** 2 + to_frame["b"] ** 2)
    n = min(max(math.ceil(step / 2), 1), 8)
    a, b, tx, ty = (to_frame[k] for k in ("a", "b", "tx", "ty"))
    out = np.zeros((size[1], size[0], 3), np.uint8)
    for v, u in np.ndindex(out.shape[:2]):
        sums, outside = [0, 0, 0], 0
        for j, i in np.ndindex(n, n):
            x, y = u + ((2 * i + 1) / (2 * n) - 0.5), v + ((2 * j + 1) / (2 * n) - 0.5)
            # Onto the grid of 1/2048 pixel, ties to even as Python's round does; positions beyond two pixels outside are all alike.
            gx = round(min(max(a * x - b * y + tx, -2.0), width) * 2048)
            gy = round(min(max(b * x + a * y + ty, -2.0), height) * 2048)
            for dx, dy in [(0, 0), (1, 0), (0, 1), (1, 1)]:
                weight = (gx % 2048 if dx else 2048 - gx % 2048) * (gy % 2048 if dy else 2048 - gy % 2048)
                px, py = gx // 2048 + dx, gy // 2048 + dy
                if border == "replicate":
                    px, py = min(max(px, 0), width - 1), min(max(py, 0), height - 1)
                if 0 <= px < width and 0 <= py < height:
                    sums = [s + weight * int(p[py, px]) for s, p in zip(sums, planes)]
                else:
                    outside += weight
        whole = n * n << 22
        rgb = convert(sums, whole - outside) if convert else [s << 16 for s in sums]
        for c in range(3):
            total = rgb[c] + ((border[c] * outside << 16) if border != "replicate" else 0)
            out[v, u, c] = (total + (whole << 15)) // (whole << 16)
    return out


def bt709_video(sums, weight):
    """Weighted sums of Y, U, V to RGB with 16-bit factors: BT.709-6, video range."""
    kr, kb = 0.2126, 0.0722
    kg, c = 1 - kr - kb, 2 * 255 / 224
    luma, red, green_u, green_v, blue = (
        math.floor(f * 65536 + 0.5)
        for f in (255 / 219, c * (1 - kr), c * kb * (1 - kb) / kg, c * kr * (1 - kr) / kg, c * (1 - kb))
    )
    y, u, v = max(sums[0] - 16 * weight, 0) * luma, sums[1] - 128 * weight, sums[2] - 128 * weight
    rgb = [y + red * v, y - green_u * u - green_v * v, y + blue * u]
    return [min(max(value, 0), 255 * weight << 16) for value in rgb]


def definitions(picture, source):
    height, width = picture.shape[:2]
    planes = [picture[..., c] for c in range(3)]
    common = {"kind": "defined", "width": width, "height": height}
    for name, to_frame, border in [
        ("defined-turned", similarity(19, 1.21, 20.3, -8.7), [10, 200, 90]),
        ("defined-shrunk", similarity(-7, 5.3, -12.0, 30.0), "replicate"),
    ]:
        CASES.append({**common, "name": name, "source": source, "format": "rgb8", "to_frame": to_frame, "out": (48, 40),
                      "border": border, "expected": save(name, defined(planes, to_frame, (48, 40), border))})
    planar = np.frombuffer((OUT / "scene-i420.bin").read_bytes(), np.uint8)
    luma, chroma = planar[: width * height], planar[width * height :].reshape(2, height // 2, width // 2)
    planes = [luma.reshape(height, width)] + [np.repeat(np.repeat(p, 2, 0), 2, 1) for p in chroma]
    to_frame, border = similarity(33, 2.9, 60.0, -40.0), [10, 200, 90]
    CASES.append({**common, "name": "defined-i420", "source": "scene-i420.bin", "format": "i420-bt709", "to_frame": to_frame,
                  "out": (48, 40), "border": border,
                  "expected": save("defined-i420", defined(planes, to_frame, (48, 40), border, bt709_video))})


def main():
    OUT.mkdir(exist_ok=True)
    picture = scene(160, 120)
    source = save("scene", picture)
    warps(picture, source)
    resizes(picture, source)
    conversions()
    yuv_warp(picture)
    definitions(picture, source)
    made_with = {"python": sys.version.split()[0], "opencv": cv2.__version__, "numpy": np.__version__}
    (OUT / "cases.json").write_text(json.dumps({"made_with": made_with, "cases": CASES}, indent=1) + "\n")


main()
