#!/usr/bin/env python3
"""Makes a list with bad pictures of a good one: what `veriface eval --gates` is measured on in docs/accuracy.md.

    python3 tests/reference/degrade.py LFW OUT

LFW holds pairs.txt and photos/. Of every second genuine pair the second photo is copied to OUT and spoilt, one fault each, in turn, at a
strength drawn from a generator with a fixed seed; the first photo stays as it is (a link). OUT/pairs.tsv has each genuine pair,
and between them as many impostor pairs of the same pictures; its fourth column names the fault. Needs numpy and Pillow.
"""
import os
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

# In LFW's deep-funneled photos, 250 x 250, the faces lie here: left, top, right, bottom. Their eyes are about 42 pixels apart.
FACE = (85, 72, 165, 180)


def small(photo, draw):
    """Eyes 42 to 5 pixels apart, evenly by octave."""
    side = round(250 * 2 ** -draw(0, 3))
    return photo.resize((side, side), Image.Resampling.BOX)


def blurred(photo, draw):
    """A Gaussian of up to 6 pixels."""
    return photo.filter(ImageFilter.GaussianBlur(draw(0.5, 6)))


def shaken(photo, draw):
    """Moved by up to 25 pixels during exposure, in any direction."""
    length, angle = draw(2, 25), draw(0, np.pi)
    pixels = np.asarray(photo, np.float32)
    steps = np.linspace(-length / 2, length / 2, 2 * round(length) + 1)
    moved = [np.roll(pixels, (round(s * np.sin(angle)), round(s * np.cos(angle))), (0, 1)) for s in steps]
    return image(np.mean(moved, 0))


def dark(photo, draw):
    """1/2 to 1/64 of the light, with the noise of reading the sensor (2 levels)."""
    return image(noisy(np.asarray(photo, np.float32) * 2 ** -draw(1, 6)))


def bright(photo, draw):
    """Up to 8 times the light, cut off at white."""
    return image(np.asarray(photo, np.float32) * 2 ** draw(0, 3))


def hazy(photo, draw):
    """Contrast down to 3 %, towards a light grey."""
    share = 2 ** -draw(0, 5)
    return image(noisy(np.asarray(photo, np.float32) * share + 170 * (1 - share)))


def leaning(photo, draw):
    """Turned in its plane by up to 75 degrees."""
    return photo.rotate(draw(-75, 75), Image.Resampling.BILINEAR)


def cut(photo, draw):
    """Cropped through up to 60 % of the face from one side."""
    left, top, right, bottom = FACE
    share, side = draw(0, 0.6), int(draw(0, 4))
    across, down = share * (right - left), share * (bottom - top)
    box = [(left + across, 0, 250, 250), (0, top + down, 250, 250), (0, 0, right - across, 250), (0, 0, 250, bottom - down)][side]
    return photo.crop(tuple(round(v) for v in box))


def covered(photo, draw):
    """A grey board before up to 60 % of the face, from one side."""
    left, top, right, bottom = FACE
    share, side = draw(0, 0.6), int(draw(0, 4))
    across, down = share * (right - left), share * (bottom - top)
    boards = [(left, top, left + across, bottom), (left, top, right, top + down), (right - across, top, right, bottom), (left, bottom - down, right, bottom)]
    photo = photo.copy()
    photo.paste((128, 128, 128), tuple(round(v) for v in boards[side]))
    return photo


FAULTS = [small, blurred, shaken, dark, bright, hazy, leaning, cut, covered]
NOISE = np.random.default_rng(20261125)


def noisy(pixels):
    return pixels + NOISE.normal(0, 2, pixels.shape)


def image(pixels):
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def main():
    lfw, out = (Path(argument) for argument in sys.argv[1:])
    draw = random.Random(20261125).uniform
    genuine = [line.split("\t") for line in (lfw / "pairs.txt").read_text().splitlines()[1:]]
    genuine = [fields for fields in genuine if len(fields) == 3][::2]
    firsts, seconds = [], []
    for number, (name, a, b) in enumerate(genuine):
        fault = FAULTS[number % len(FAULTS)]
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        original = f"{name}_{int(a):04}.jpg"
        if not (folder / original).is_symlink():
            os.symlink((lfw / "photos" / name / original).resolve(), folder / original)
        spoilt = f"{name}_{int(b):04}.{number}.{fault.__name__}.jpg"
        fault(Image.open(lfw / "photos" / name / f"{name}_{int(b):04}.jpg").convert("RGB"), draw).save(folder / spoilt, quality=95)
        firsts.append((name, f"{name}/{original}"))
        seconds.append((name, f"{name}/{spoilt}", fault.__name__))
    with open(out / "pairs.tsv", "w") as pairs:
        for number, ((name, first), (_, second, fault)) in enumerate(zip(firsts, seconds)):
            pairs.write(f"{first}\t{second}\t1\t{fault}\n")
            stranger = next(one for one in firsts[number + 1 :] + firsts if one[0] != name)
            pairs.write(f"{stranger[1]}\t{second}\t0\t{fault}\n")


main()
