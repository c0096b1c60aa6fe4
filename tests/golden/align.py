#!/usr/bin/env python3
"""Makes the golden cases of alignment: `align/similarities.json` and `align/*.png`.

    pip install numpy==2.4.6 scikit-image==0.26.0 opencv-python-headless==5.0.0.93
    python3 tests/golden/align.py

`similarities.json` holds 200 sets of five points with the similarity that scikit-image's `SimilarityTransform` estimates towards
ArcFace's template: [x1, y1, …, x5, y5, a, b, tx, ty], where x' = a·x − b·y + tx and y' = b·x + a·y + ty. The points are rounded to
f32, as landmarks are.

Each picture `NAME.png` is rendered here, nobody's photograph; `NAME.chip.png` is what OpenCV's `warpAffine` makes of it, bilinear and
black outside. `warps.json` names the points.
"""
import json
import pathlib

import cv2
import numpy as np
from skimage.transform import SimilarityTransform

HERE = pathlib.Path(__file__).parent / "align"
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
RANDOM = np.random.default_rng(1991)


def f32(points):
    return np.asarray(points, np.float32).astype(np.float64)


def turned(points, degrees, scale, shift):
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ rotation.T + shift


def point_sets():
    """Easy faces, then everything that is hard: noise as large as the face, thumbnails, 48-megapixel offsets, profiles, half-turns,
    mirror images (whose best map with reflection is another one), and points that have nothing to do with a face."""
    for _ in range(60):
        yield turned(TEMPLATE, RANDOM.uniform(-45, 45), RANDOM.uniform(0.3, 8), RANDOM.uniform(0, 2000, 2)) + RANDOM.normal(0, 3, (5, 2))
    for _ in range(30):
        yield turned(TEMPLATE + RANDOM.normal(0, 15, (5, 2)), RANDOM.uniform(-180, 180), RANDOM.uniform(0.3, 8), RANDOM.uniform(0, 2000, 2))
    for _ in range(20):
        yield turned(TEMPLATE + RANDOM.normal(0, 2, (5, 2)), RANDOM.uniform(-45, 45), RANDOM.uniform(0.05, 0.2), RANDOM.uniform(0, 30, 2))
    for _ in range(20):
        yield turned(TEMPLATE + RANDOM.normal(0, 2, (5, 2)), RANDOM.uniform(-45, 45), RANDOM.uniform(20, 60), RANDOM.uniform(3000, 8000, 2))
    for _ in range(30):
        profile = (TEMPLATE - 56) * [RANDOM.uniform(0.02, 0.3), 1] + RANDOM.normal(0, 2, (5, 2))
        yield turned(profile, RANDOM.uniform(-45, 45), RANDOM.uniform(1, 8), RANDOM.uniform(0, 2000, 2))
    for _ in range(20):
        mirrored = TEMPLATE * [-1, 1] + RANDOM.normal(0, 5, (5, 2))
        yield turned(mirrored, RANDOM.uniform(-180, 180), RANDOM.uniform(1, 8), RANDOM.uniform(0, 2000, 2))
    for _ in range(20):
        yield RANDOM.uniform(-500, 500, (5, 2))


def estimate(points):
    transform = SimilarityTransform.from_estimate(points, TEMPLATE)
    assert transform, transform
    return transform.params


def similarities():
    rows = []
    for points in map(f32, point_sets()):
        m = estimate(points)
        assert abs(m[0, 0] - m[1, 1]) < 1e-9 and abs(m[0, 1] + m[1, 0]) < 1e-9
        rows.append([*points.ravel().tolist(), m[0, 0], m[1, 0], m[0, 2], m[1, 2]])
    assert len(rows) == 200
    lines = ",\n".join(json.dumps(row) for row in rows)
    (HERE / "similarities.json").write_text(f"[\n{lines}\n]\n")


def rendered(width, height):
    """Waves of different lengths in the three channels, a disc and two bars with soft edges: nothing that a codec or a float rounds
    differently from one machine to the next, since the file holds the bytes."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 128 + 60 * np.sin(x / 9) + 50 * np.cos(y / 13)
    green = 128 + 80 * np.sin((x + y) / 17)
    blue = 255 * x / width
    picture = np.stack([red, green, blue], -1)
    disc = np.clip(0.4 * min(width, height) - np.hypot(x - width / 2, y - height / 2), -3, 3) / 6 + 0.5
    picture = picture * (1 - 0.5 * disc[..., None]) + np.array([230, 190, 160]) * 0.5 * disc[..., None]
    for bar in (0.4, 0.6):
        soft = np.exp(-(((x - bar * width) / 6) ** 2) - ((y - 0.45 * height) / 4) ** 2)
        picture *= (1 - 0.9 * soft)[..., None]
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def warps():
    cases = {
        # name: size, degrees, scale of the template, shift of the template's origin
        "upright": ((200, 180), 0, 1.1, (35.3, 20.7)),
        "enlarged": ((100, 100), 7, 0.45, (22.1, 18.9)),
        "leaning": ((240, 200), 35, 1.3, (120.2, 10.4)),
        "shrunk": ((300, 280), -20, 1.8, (20.5, 90.5)),
        "cut": ((150, 140), -12, 1.2, (-40.6, 55.1)),
    }
    table = {}
    for name, (size, degrees, scale, shift) in cases.items():
        points = f32(turned(TEMPLATE, degrees, scale, np.array(shift)) + RANDOM.normal(0, 1, (5, 2)))
        picture = rendered(*size)
        chip = cv2.warpAffine(picture, estimate(points)[:2], (112, 112), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        # PNG is written from BGR; the arrays here are RGB.
        for suffix, rgb in (("", picture), (".chip", chip)):
            cv2.imwrite(str(HERE / f"{name}{suffix}.png"), rgb[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
        table[name] = points.tolist()
    (HERE / "warps.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    similarities()
    warps()
