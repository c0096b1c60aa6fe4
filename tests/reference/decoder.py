#!/usr/bin/env python3
"""What the JPEG decoder changes in an accuracy: the same network in onnxruntime, on libjpeg-turbo's pixels and on the SDK's.

    cargo run --release -p veriface --example decode -- ../shared/cfpfp decoded
    python3 tests/reference/decoder.py ../shared/cfpfp/pairs.tsv decoded ../shared/models/mobilefacenet_y1_128d.onnx 128
    python3 tests/reference/decoder.py ../shared/cfpfp/pairs.tsv decoded ../shared/models/edgeface_xs_512d.onnx 127.5

The last number is what a pixel less 127.5 is divided by. The list's pictures are chips; the ten folds are its tenths. The threshold of a fold
gets most of the other nine right; where several do, the lowest, the middle one (the SDK's rule) and the highest of them are taken in turn, and
the same of a grid of scores 0.0002 apart (the reference's rule: the middle one). Needs numpy, onnxruntime and Pillow.
"""
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image

listed, decoded, model = (Path(argument) for argument in sys.argv[1:4])
divisor = float(sys.argv[4])
rows = [line.split("\t") for line in listed.read_text().splitlines() if line.strip() and not line.startswith("#")]
pictures = sorted({path for row in rows for path in row[:2]})
same = np.array([row[2].strip() == "1" for row in rows])

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
name, batch_size = session.get_inputs()[0].name, session.get_inputs()[0].shape[0]
batch_size = batch_size if isinstance(batch_size, int) else 50


def libjpeg(path):
    return np.asarray(Image.open(listed.parent / path).convert("RGB"))


def ours(path):
    return np.asarray(Image.open((decoded / path).with_suffix(".png")))


def scores(read):
    embedding = {}
    for start in range(0, len(pictures), batch_size):
        batch = pictures[start : start + batch_size]
        pixels = np.stack([read(path) for path in batch]).astype(np.float32)
        output = session.run(None, {name: ((pixels - 127.5) / divisor).transpose(0, 3, 1, 2)})[0]
        embedding.update(zip(batch, output / np.linalg.norm(output, axis=1, keepdims=True)))
    return np.array([embedding[a] @ embedding[b] for a, b, *_ in rows])


def right(score, truth, thresholds):
    genuine, impostor = np.sort(score[truth]), np.sort(score[~truth])
    return len(genuine) - np.searchsorted(genuine, thresholds) + np.searchsorted(impostor, thresholds)


def accuracy(score, candidates, which):
    fold, folds = np.arange(len(score)) * 10 // len(score), []
    for left_out in range(10):
        train, test = fold != left_out, fold == left_out
        thresholds = candidates(score[train])
        best = right(score[train], same[train], thresholds)
        best = np.flatnonzero(best == best.max())
        threshold = thresholds[which(best)]
        folds.append(np.mean((score[test] >= threshold) == same[test]))
    return f"{100 * np.mean(folds):.3f} ± {100 * np.std(folds):.3f}"


def cuts(score):
    values = np.unique(score)
    return np.concatenate([[-1], (values[:-1] + values[1:]) / 2, [2]])


def grid(score):
    return np.linspace(-1, 1, 10001)


OF_THE_BEST = {"lowest": lambda best: best[0], "middle": lambda best: best[(len(best) - 1) // 2], "highest": lambda best: best[-1]}

differences = np.zeros(256, int)
for path in pictures:
    difference = np.abs(libjpeg(path).astype(int) - ours(path).astype(int))
    differences += np.bincount(difference.ravel(), minlength=256)
share = differences / differences.sum()
print("values that differ by 0, 1, 2, … levels:", *(f"{100 * s:.4f} %" for s in share[: np.flatnonzero(share)[-1] + 1]))

scored = {"libjpeg-turbo": scores(libjpeg), "the SDK": scores(ours)}
moved = scored["the SDK"] - scored["libjpeg-turbo"]
print(f"scores: mean difference {moved.mean():+.5f}, standard deviation {moved.std():.5f}, largest {np.abs(moved).max():.4f}")
for decoder, score in scored.items():
    print(f"{decoder}: best of all pairs {100 * right(score, same, cuts(score)).max() / len(score):.3f} %")
    for kind, candidates in {"between scores": cuts, "grid of 0.0002": grid}.items():
        print(f"    {kind}:", ", ".join(f"{which} {accuracy(score, candidates, pick)}" for which, pick in OF_THE_BEST.items()))
