#!/usr/bin/env python3
"""Measures what several photos a side do to the error rates: the figures of docs/fusion.md.

    python3 tests/reference/fusion.py RECOGNISER.onnx DIVISOR CHIPS

CHIPS holds a folder a person, with at least eight chips 112x112 in its folder `frontal`; DIVISOR is the recogniser's (127.5 or 128).
Needs numpy, Pillow and onnxruntime.
"""
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

PHOTOS = 10


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def to_the_others(samples):
    """Each sample's cosine to the mean direction of the others."""
    return (samples * unit(samples.sum(0) - samples)).sum(1)


def embeddings(model, divisor, chips):
    """[person, photo, value], unit vectors; people with fewer photos are left out."""
    session = onnxruntime.InferenceSession(model)
    name = session.get_inputs()[0].name
    people = []
    for person in sorted(path for path in Path(chips).iterdir() if path.is_dir()):
        photos = sorted((person / "frontal").glob("*.jpg"))[:PHOTOS]
        if len(photos) == PHOTOS:
            pixels = [np.asarray(Image.open(photo).convert("RGB"), np.float32).transpose(2, 0, 1)[None] for photo in photos]
            people.append([session.run(None, {name: (x - 127.5) / divisor})[0][0] for x in pixels])
    return unit(np.array(people))


def main():
    model, divisor, chips = sys.argv[1:]
    e = embeddings(model, float(divisor), chips)
    people = len(e)
    impostor = ~np.eye(people, dtype=bool)
    one, three = e[:, 0], unit(e[:, :3].sum(1))
    frame, frames = e[:, 5], e[:, 5:8]
    scores = np.einsum("rd,pkd->rpk", one, frames)
    scores_of_three = np.einsum("rd,pkd->rpk", three, frames)
    rows = {
        "one photo, one frame": one @ frame.T,
        "one photo, mean score of three frames": scores.mean(-1),
        "one photo, direction of three frames": one @ unit(frames.sum(1)).T,
        "one photo, best score of three frames": scores.max(-1),
        "template of three photos, one frame": three @ frame.T,
        "template of three photos, mean score of three frames": scores_of_three.mean(-1),
    }
    base = rows["one photo, one frame"]
    print(f"{people} people, {impostor.sum()} impostor comparisons")
    for name, matrix in rows.items():
        cells = []
        for rate in (1e-2, 1e-3, 1e-4):
            threshold = np.quantile(base[impostor], 1 - rate)
            cells.append(f"{np.mean(matrix[impostor] >= threshold):.1e} / {100 * np.mean(np.diag(matrix) < threshold):.1f} %")
        print(f"{name:55}", *cells, sep=" | ")

    random = np.random.default_rng(0)
    for count in (3, 5):
        own, foreign, beside = [], [], []
        for person in range(people):
            other = (person + random.integers(1, people)) % people
            own.extend(to_the_others(e[person, :count]))
            cosines = to_the_others(np.concatenate([e[person, : count - 1], e[other, :1]]))
            foreign.append(cosines[-1])
            beside.extend(cosines[:-1])
        below = [100 * np.mean(np.array(values) < 0.3) for values in (own, foreign, beside)]
        print(f"{count} samples, below 0.3: own {below[0]:.1f} %, foreign {below[1]:.1f} %, own beside a foreign one {below[2]:.1f} %")


if __name__ == "__main__":
    main()
