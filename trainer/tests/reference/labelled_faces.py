#!/usr/bin/env python3
"""Recall, precision and error of the points of a detector in onnxruntime, by the rules of `trainer detector eval`.

    labelled_faces.py MODEL.onnx {scrfd,yunet,trained} SIDE SCORE FOLDER.jsonl

Needs numpy, opencv-python-headless, onnxruntime. Each picture is looked at once, letterboxed to SIDE × SIDE. `yunet` is fed BGR as it is,
the others (RGB − 127.5) / 128; `trained` is a file of `trainer detector export`.
"""
import json
import pathlib
import sys

import cv2
import numpy as np
import onnxruntime

cv2.setNumThreads(1)
LEAST_SCORE, LEAST_EYES, LEAST_IOU, SAME_FACE = 0.6, 12.0, 0.5, 0.4


def area(box):
    return np.prod(np.clip(box[..., 2:] - box[..., :2], 0, None), -1)


def common(a, b):
    return area(np.concatenate([np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])], -1))


def iou(a, b):
    shared = common(a, b)
    return shared / (area(a) + area(b) - shared)


def decode(kind, outputs, side):
    for stride in (8, 16, 32):
        count = side // stride
        cell = np.stack(np.meshgrid(np.arange(count), np.arange(count)), -1).reshape(-1, 2).astype(np.float32)
        if kind == "scrfd":
            cell = np.repeat(cell, 2, 0)
            level = {o.shape[-1]: o.reshape(-1, o.shape[-1]) for o in outputs.values() if o.shape[-2] == len(cell)}
            boxes = np.concatenate([cell - level[4][:, :2], cell + level[4][:, 2:]], 1) * stride
            yield level[1].ravel(), boxes, (cell[:, None] + level[10].reshape(-1, 5, 2)) * stride
        else:
            named = lambda name, size: outputs[f"{name}_{stride}"].reshape(-1, size)
            centre, half = cell + named("bbox", 4)[:, :2], np.exp(named("bbox", 4)[:, 2:]) / 2
            boxes = np.concatenate([centre - half, centre + half], 1) * stride
            score = np.sqrt(named("cls", 1) * named("obj", 1)).ravel()
            yield score, boxes, (cell[:, None] + named("kps", 10).reshape(-1, 5, 2)) * stride


def find(session, kind, side, least, picture):
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    shift = 0.5 * scale - 0.5
    canvas = cv2.warpAffine(picture, np.float32([[scale, 0, shift], [0, scale, shift]]), (side, side)).astype(np.float32)
    canvas = canvas if kind == "yunet" else (canvas[..., ::-1] - 127.5) / 128
    names = [output.name for output in session.get_outputs()]
    fed = {session.get_inputs()[0].name: np.ascontiguousarray(canvas.transpose(2, 0, 1)[None], np.float32)}
    scores, boxes, points = (np.concatenate(part) for part in zip(*decode(kind, dict(zip(names, session.run(None, fed))), side)))
    order = [i for i in np.argsort(-scores) if scores[i] >= least]
    kept = []
    for i in order:
        if all(iou(boxes[i], boxes[j]) <= SAME_FACE for j in kept):
            kept.append(i)
    back = lambda values: (values[kept] + 0.5) / scale - 0.5
    return back(boxes), back(points)


def main(model, kind, side, least, labels):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options)
    folder, faces, errors, eyes, wrong = pathlib.Path(labels).with_suffix(""), 0, [], [], 0
    for line in open(labels):
        label = json.loads(line)
        boxes, points = find(session, kind, int(side), float(least), cv2.imread(str(folder / label["file"])))
        sure = [face for face in label["faces"] if face["score"] >= LEAST_SCORE]
        apart = lambda face: np.hypot(*np.subtract(face["points"][1], face["points"][0]))
        counted = [face for face in sure if apart(face) >= LEAST_EYES]
        small = [np.float32(face["bbox"]) for face in sure if apart(face) < LEAST_EYES]
        unknown = [np.float32(face["bbox"]) for face in label["faces"] if face["score"] < LEAST_SCORE]
        unknown += [np.float32(box) for box in label["ignore"]]
        faces, free = faces + len(counted), list(range(len(counted)))
        for box, five in zip(boxes, points):
            fits = {i: iou(box, np.float32(counted[i]["bbox"])) for i in free}
            best = max(fits, key=fits.get, default=None)
            if best is not None and fits[best] >= LEAST_IOU:
                free.remove(best)
                eyes.append(apart(counted[best]))
                errors.append(np.hypot(*(five - np.float32(counted[best]["points"])).T).mean() / eyes[-1])
            elif not (
                any(iou(box, other) >= LEAST_IOU for other in small)
                or any(common(box, place) >= 0.5 * area(box) or iou(box, place) >= LEAST_IOU for place in unknown)
                or np.hypot(*(five[1] - five[0])) < LEAST_EYES
            ):
                wrong += 1
    errors, eyes = np.array(errors), np.array(eyes)
    print(f"{faces} faces, recall {100 * len(errors) / faces:.2f} %, points {100 * errors.mean():.2f} % of the eyes' distance")
    print(f"precision {100 * len(errors) / (len(errors) + wrong):.2f} %, {wrong} wrong")
    for low, high in ((12, 16), (16, 24), (24, 48), (48, 9999)):
        group = errors[(eyes >= low) & (eyes < high)]
        print(f"eyes {low} to {high} px apart: {len(group)} found, points {100 * group.mean():.2f} %")


if __name__ == "__main__":
    main(*sys.argv[1:])
