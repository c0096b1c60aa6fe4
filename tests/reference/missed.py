#!/usr/bin/env python3
"""Which labelled faces of 40 pixels and more `veriface detect` did not find, and what they are like: a table of docs/detection.md.

    python3 tests/reference/trials.py ../shared/photos/valid trials
    veriface detect --json trials/groups > found.json
    python3 tests/reference/missed.py ../shared/photos/valid.jsonl found.json

A face is found where a box overlaps its label by half (intersection over union). A label below the score of 0.6 is to be ignored, says the
set; such a face is counted apart.
"""
import json
import math
import sys
from pathlib import Path

labels, found = (Path(argument) for argument in sys.argv[1:])
records = {Path(record["file"]).stem: record for record in map(json.loads, labels.open())}


def overlap(label, box):
    wide = min(label[2], box["right"]) - max(label[0], box["left"])
    high = min(label[3], box["bottom"]) - max(label[1], box["top"])
    if wide <= 0 or high <= 0:
        return 0
    both = (label[2] - label[0]) * (label[3] - label[1]) + (box["right"] - box["left"]) * (box["bottom"] - box["top"])
    return wide * high / (both - wide * high)


counts = {"sure": [0, 0], "score below 0.6": [0, 0]}
for line in found.open():
    picture = json.loads(line)
    name = Path(picture["file"]).stem
    for face in records[name]["faces"]:
        left, top, right, bottom = face["bbox"]
        if bottom - top < 40:
            continue
        kind = counts["sure" if face["score"] >= 0.6 else "score below 0.6"]
        kind[1] += 1
        if max((overlap(face["bbox"], one["face"]["bounding_box"]) for one in picture["faces"]), default=0) >= 0.5:
            kind[0] += 1
            continue
        eyes, down = math.dist(*face["points"][:2]), math.dist(face["points"][2], face["points"][0])
        print(f"{name}: {bottom - top:.0f} pixels high, score {face['score']}, {face.get('label', 'no label')}, eyes {eyes / down:.2f} of eye to nose")
for kind, (hit, total) in counts.items():
    print(f"{kind}: {hit} of {total} found")
