#!/usr/bin/env python3
"""Compares the command's faces and chips with onnxruntime and OpenCV.

    detection.py VERIFACE PACK MODEL {scrfd,yunet} PICTURE...

Needs numpy, opencv-python-headless, scikit-image, onnxruntime. MODEL is the detector in PACK, an ONNX file with an input of 320 × 320 or
a free one. Two tables are printed:

- Faces of `detect --search glance`, one look at the whole picture: the reference letterboxes with cv2.resize (top left, black), decodes
  the head's outputs and suppresses at an IoU of 0.4. Given are the largest differences of a box's side and a point's coordinate, in
  pixels, for the face of each picture that is large and central, and for all faces.
- Chips of `align`: against cv2.warpAffine with scikit-image's similarity for the points that `detect --search nearest` gives.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import cv2
import numpy as np
import onnxruntime
from skimage.transform import SimilarityTransform

SIDE, SCORE, SAME_FACE = 320, 0.5, 0.4
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
# On two cores one thread leaves the other to whoever else is there.
cv2.setNumThreads(1)


def cells(stride):
    side = SIDE // stride
    return np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)


def yunet(run, canvas):
    out = run(canvas.astype(np.float32))
    boxes, points, scores = [], [], []
    for stride in (8, 16, 32):
        cell = cells(stride)
        cls, obj, box, kps = (out[f"{kind}_{stride}"][0] for kind in ("cls", "obj", "bbox", "kps"))
        centre, size = (cell + box[:, :2]) * stride, np.exp(box[:, 2:]) * stride
        boxes.append(np.hstack([centre - size / 2, centre + size / 2]))
        points.append((cell[:, None] + kps.reshape(-1, 5, 2)) * stride)
        scores.append(np.sqrt(cls.clip(0, 1) * obj.clip(0, 1))[:, 0])
    return map(np.concatenate, (boxes, points, scores))


def scrfd(run, canvas):
    out = list(run((canvas[..., ::-1].astype(np.float32) - 127.5) / 128).values())
    boxes, points, scores = [], [], []
    for level, stride in enumerate((8, 16, 32)):
        anchor = np.repeat(cells(stride) * stride, 2, axis=0)
        distance = out[3 + level] * stride
        boxes.append(np.hstack([anchor - distance[:, :2], anchor + distance[:, 2:]]))
        points.append(anchor[:, None] + out[6 + level].reshape(-1, 5, 2) * stride)
        scores.append(out[level][:, 0])
    return map(np.concatenate, (boxes, points, scores))


def suppress(boxes, scores):
    kept = []
    for i in np.argsort(-scores, kind="stable"):
        def iou(j):
            low, high = np.maximum(boxes[i, :2], boxes[j, :2]), np.minimum(boxes[i, 2:], boxes[j, 2:])
            common = np.prod((high - low).clip(0))
            return common / (np.prod(boxes[i, 2:] - boxes[i, :2]) + np.prod(boxes[j, 2:] - boxes[j, :2]) - common)
        if all(iou(j) <= SAME_FACE for j in kept):
            kept.append(i)
    return kept


class Reference:
    def __init__(self, model, head):
        self.session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        self.head = {"scrfd": scrfd, "yunet": yunet}[head]

    def run(self, picture):
        outputs = self.session.run(None, {self.session.get_inputs()[0].name: picture.transpose(2, 0, 1)[None]})
        return dict(zip((o.name for o in self.session.get_outputs()), outputs))

    def faces(self, bgr):
        scale = SIDE / max(bgr.shape[:2])
        height, width = (max(1, round(n * scale)) for n in bgr.shape[:2])
        canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
        canvas[:height, :width] = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_LINEAR)
        boxes, points, scores = self.head(self.run, canvas)
        sure = scores >= SCORE
        boxes, points, scores = boxes[sure], points[sure], scores[sure]
        kept = suppress(boxes, scores)
        # Pixel centres at integers before and after cv2.resize.
        return (boxes[kept] + 0.5) / scale - 0.5, (points[kept] + 0.5) / scale - 0.5


def command(veriface, *arguments):
    out = subprocess.run([veriface, *arguments], capture_output=True, text=True, check=False).stdout
    return {record["file"]: record for record in map(json.loads, out.splitlines())}


def sides(face):
    return np.array([face["bounding_box"][side] for side in ("left", "top", "right", "bottom")])


def coordinates(face):
    return np.array([[p["x"], p["y"]] for p in face["landmarks"]])


def central(boxes, shape):
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 - (np.array(shape[1::-1]) - 1) / 2
    return int(np.argmax(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - 2 * (centre**2).sum(1)))


def compare_faces(veriface, pack, listed, reference):
    main, every, missing, extra, total = [], [], 0, 0, 0
    for path, record in command(veriface, "detect", "--pack", pack, "--search", "glance", "--json", "--from", listed).items():
        bgr = cv2.imread(path)
        boxes, points = reference.faces(bgr)
        ours = [found["face"] for found in record["faces"] if found["face"]["score"] >= SCORE]
        total += len(boxes)
        taken = set()
        for i, (box, five) in enumerate(zip(boxes, points)):
            apart = [np.abs(sides(face) - box).max() for face in ours]
            if not apart or min(apart) > 20:
                missing += 1
                continue
            j = int(np.argmin(apart))
            taken.add(j)
            off = (apart[j], np.abs(coordinates(ours[j]) - five).max())
            every.append(off)
            if i == central(boxes, bgr.shape):
                main.append(off)
        extra += len(ours) - len(taken)
    print(f"faces: {total} in the reference, {missing} missing, {extra} more")
    for name, offs in (("large and central", np.array(main)), ("all", np.array(every))):
        within = (offs.max(1) <= 0.5).mean()
        print(f"  {name}: {len(offs)} faces, {within:.2%} within 0.5 px; box at most {offs[:, 0].max():.2f}, mean {offs[:, 0].mean():.3f};"
              f" points at most {offs[:, 1].max():.2f}, mean {offs[:, 1].mean():.3f}")


def compare_chips(veriface, pack, listed):
    faces = command(veriface, "detect", "--pack", pack, "--search", "nearest", "--json", "--from", listed)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([veriface, "align", "--pack", pack, "--face", "largest", "-o", folder, "--from", listed], capture_output=True, check=False)
        means, near = [], []
        for path, record in faces.items():
            chip = cv2.imread(str(pathlib.Path(folder, pathlib.Path(path).stem + ".png")))
            if chip is None or not record["faces"]:
                continue
            face = max((found["face"] for found in record["faces"]), key=lambda f: np.prod(sides(f)[2:] - sides(f)[:2]))
            warp = SimilarityTransform.from_estimate(coordinates(face), TEMPLATE).params[:2]
            off = np.abs(chip.astype(int) - cv2.warpAffine(cv2.imread(path), warp, (112, 112), flags=cv2.INTER_LINEAR))
            means.append(off.mean())
            near.append((off <= 1).mean())
    print(f"chips: {len(means)}, mean difference {np.mean(means):.3f} levels, at most {np.max(means):.3f}; {np.mean(near):.2%} of values within 1")


if __name__ == "__main__":
    veriface, pack, model, head, *pictures = sys.argv[1:]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(pictures))
        listed.flush()
        compare_faces(veriface, pack, listed.name, Reference(model, head))
        compare_chips(veriface, pack, listed.name)
