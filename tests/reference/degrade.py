#!/usr/bin/env python3
"""Makes a list with bad pictures of good ones: what `veriface eval --gates` is measured on in docs/accuracy.md.

    python3 tests/reference/degrade.py ../shared OUT

The good ones are detector training data, photos/train and photos/crops, each with one face. Who they show is known of those whose face is also
one of the chips of faces/faces.rec, found by its pixels and not by any network: such a photo is paired with three other chips of that
identity. The chip stays as it is, the photo is spoilt, one fault each, in turn, at a strength drawn from a generator with a fixed seed.
OUT/pairs.tsv has each genuine pair, and between them as many impostor pairs of the same pictures; its fourth column names the fault.
Needs numpy, opencv-python-headless and Pillow.

Lengths are in pixels of a face whose eyes are 42 pixels apart, and follow the face.
"""
import io
import json
import random
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFilter


class Face:
    """One labelled face: its box, and how long a pixel of the lengths below is."""

    def __init__(self, label):
        self.points = np.array(label["points"])
        self.eyes = float(np.linalg.norm(self.points[0] - self.points[1]))
        self.box = label["bbox"]
        self.pixel = self.eyes / 42


def small(photo, face, draw):
    """Eyes from where they are to 5 pixels apart, evenly by octave."""
    scale = 2 ** -draw(0, np.log2(face.eyes / 5))
    return photo.resize([max(16, round(side * scale)) for side in photo.size], Image.Resampling.BOX)


def blurred(photo, face, draw):
    """A Gaussian of up to 6 pixels."""
    return photo.filter(ImageFilter.GaussianBlur(face.pixel * draw(0.5, 6)))


def shaken(photo, face, draw):
    """Moved by up to 25 pixels during exposure, in any direction."""
    length, angle = face.pixel * draw(2, 25), draw(0, np.pi)
    pixels = np.asarray(photo, np.float32)
    steps = np.linspace(-length / 2, length / 2, 2 * round(length) + 1)
    moved = [np.roll(pixels, (round(s * np.sin(angle)), round(s * np.cos(angle))), (0, 1)) for s in steps]
    return image(np.mean(moved, 0))


def dark(photo, _, draw):
    """1/2 to 1/64 of the light, with the noise of reading the sensor (2 levels)."""
    return image(noisy(np.asarray(photo, np.float32) * 2 ** -draw(1, 6)))


def bright(photo, _, draw):
    """Up to 8 times the light, cut off at white."""
    return image(np.asarray(photo, np.float32) * 2 ** draw(0, 3))


def hazy(photo, _, draw):
    """Contrast down to 3 %, towards a light grey."""
    share = 2 ** -draw(0, 5)
    return image(noisy(np.asarray(photo, np.float32) * share + 170 * (1 - share)))


def leaning(photo, face, draw):
    """Turned about the face's middle by up to 75 degrees."""
    return photo.rotate(draw(-75, 75), Image.Resampling.BILINEAR, center=tuple(face.points.mean(0)))


def cut(photo, face, draw):
    """Cropped through up to 60 % of the face from one side."""
    left, top, right, bottom = face.box
    share, side = draw(0, 0.6), int(draw(0, 4))
    across, down = share * (right - left), share * (bottom - top)
    width, height = photo.size
    boxes = [(left + across, 0, width, height), (0, top + down, width, height), (0, 0, right - across, height), (0, 0, width, bottom - down)]
    box = boxes[side]
    return photo.crop((max(0, round(box[0])), max(0, round(box[1])), min(width, round(box[2])), min(height, round(box[3]))))


def covered(photo, face, draw):
    """A grey board before up to 60 % of the face, from one side."""
    left, top, right, bottom = face.box
    share, side = draw(0, 0.6), int(draw(0, 4))
    across, down = share * (right - left), share * (bottom - top)
    boards = [(left, top, left + across, bottom), (left, top, right, top + down), (right - across, top, right, bottom), (left, bottom - down, right, bottom)]
    photo = photo.copy()
    photo.paste((128, 128, 128), tuple(round(v) for v in boards[side]))
    return photo


FAULTS = [small, blurred, shaken, dark, bright, hazy, leaning, cut, covered]
NOISE = np.random.default_rng(20261125)
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
# What faces.tsv calls the sources that photos/train and photos/crops share with it.
SOURCES = {"celebaw", "pins", "vggface2"}


def noisy(pixels):
    return pixels + NOISE.normal(0, 2, pixels.shape)


def image(pixels):
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def chips(faces):
    """Record number, identity and the file's bytes of each chip of the sources."""
    with open(faces / "faces.tsv") as lines:
        rows = [line.split("\t") for line in lines][1:]
    places = dict(map(int, line.split()) for line in open(faces / "faces.idx"))
    with open(faces / "faces.rec", "rb") as records:
        for record, identity, source, *_ in rows:
            if source in SOURCES:
                records.seek(places[int(record)])
                _, length = struct.unpack("<II", records.read(8))
                body = records.read(length & 0x1FFFFFFF)
                (labels,) = struct.unpack_from("<I", body)
                yield int(record), int(identity), body[24 + 4 * labels :]


def fingerprint(chip):
    """The middle of the face at 20 x 20, of mean 0 and length 1: a product of two is their correlation."""
    grey = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY).astype(np.float32)[24:104, 16:96]
    grey = cv2.resize(grey, (20, 20), interpolation=cv2.INTER_AREA).ravel()
    grey -= grey.mean()
    return grey / (np.linalg.norm(grey) + 1e-6)


def aligned(photo, face):
    """The least-squares similarity to ArcFace's template."""
    middle, target = face.points.mean(0), TEMPLATE.mean(0)
    from_ = (face.points - middle) @ [1, 1j]
    to = (TEMPLATE - target) @ [1, 1j]
    ratio = from_.conj() @ to / (from_.conj() @ from_).real
    turn = np.array([[ratio.real, -ratio.imag], [ratio.imag, ratio.real]])
    return cv2.warpAffine(np.asarray(photo), np.c_[turn, target - turn @ middle], (112, 112))


def labelled(shared):
    """The photos whose person is known: photo, face, identity, and the chips of that identity but the photo's own."""
    known = list(chips(shared / "faces"))
    prints = np.array([fingerprint(np.asarray(Image.open(io.BytesIO(bytes_)).convert("RGB"))) for _, _, bytes_ in known])
    identities = np.array([identity for _, identity, _ in known])
    for folder in ("train", "crops"):
        for label in map(json.loads, open(shared / "photos" / f"{folder}.jsonl")):
            if len(label["faces"]) != 1 or label["ignore"]:
                continue
            photo, face = Image.open(shared / "photos" / folder / label["file"]).convert("RGB"), Face(label["faces"][0])
            likeness = prints @ fingerprint(aligned(photo, face))
            best = int(likeness.argmax())
            elsewhere = likeness[identities != identities[best]].max()
            others = [i for i in np.flatnonzero(identities == identities[best]) if likeness[i] < 0.95]
            # The same picture correlates at 0.95 and more; a second picture of the same sitting may, one of somebody else does not.
            if likeness[best] >= 0.95 and elsewhere < likeness[best] - 0.03 and others:
                yield Path(label["file"]).stem, photo, face, int(identities[best]), [known[i] for i in others]


def main():
    shared, out = (Path(argument) for argument in sys.argv[1:])
    generator = random.Random(20261125)
    genuine = []
    for name, photo, face, identity, others in labelled(shared):
        folder = out / f"{identity:05}"
        folder.mkdir(parents=True, exist_ok=True)
        for record, _, bytes_ in generator.sample(others, min(3, len(others))):
            (folder / f"{record}.webp").write_bytes(bytes_)
            fault = FAULTS[len(genuine) % len(FAULTS)]
            spoilt = f"{name}.{len(genuine)}.{fault.__name__}.jpg"
            fault(photo, face, generator.uniform).save(folder / spoilt, quality=95)
            genuine.append((identity, f"{folder.name}/{record}.webp", f"{folder.name}/{spoilt}", fault.__name__))
    with open(out / "pairs.tsv", "w") as pairs:
        for number, (identity, first, second, fault) in enumerate(genuine):
            pairs.write(f"{first}\t{second}\t1\t{fault}\n")
            stranger = next(one for one in genuine[number + 1 :] + genuine if one[0] != identity)
            pairs.write(f"{stranger[1]}\t{second}\t0\t{fault}\n")
    print(f"{len(genuine)} genuine pairs of {len({one[0] for one in genuine})} people")


main()
