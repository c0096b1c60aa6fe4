"""Writes tests/golden/embedding/collins.{png,json}: a chip and the embedding that onnxruntime gives it.

Usage: embedding.py FOLDER_OF_REFERENCE_MODELS. Needs numpy, opencv-python-headless, scikit-image, onnxruntime, pillow.
The landmarks are those that SCRFD-500M finds at 320 (letterboxed top left, as insightface does), the similarity is scikit-image's
estimate, the warp OpenCV's, so that nothing here shares code with the SDK.
"""
import json
import pathlib
import sys

import cv2
import numpy as np
import onnxruntime
from PIL import Image
from skimage.transform import SimilarityTransform

models = pathlib.Path(sys.argv[1])
here = pathlib.Path(__file__).parent.parent
TEMPLATE = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def scrfd(rgb):
    """The best face's points: strides 8, 16, 32, two anchors a cell."""
    session = onnxruntime.InferenceSession(models / "scrfd_500m_bnkps_320.onnx", providers=["CPUExecutionProvider"])
    scale = 320 / max(rgb.shape[:2])
    canvas = np.zeros((320, 320, 3), np.uint8)
    small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    canvas[: small.shape[0], : small.shape[1]] = small
    tensor = ((canvas.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
    outputs = session.run(None, {"input.1": tensor})
    best = (0.0, None)
    for level, stride in enumerate((8, 16, 32)):
        scores, points = outputs[level][:, 0], outputs[6 + level]
        at = int(scores.argmax())
        if scores[at] > best[0]:
            cell = at // 2
            corner = np.array([cell % (320 // stride), cell // (320 // stride)]) * stride
            # Pixel centres at integers on both sides of the resize, as cv2.resize has them.
            best = (float(scores[at]), (corner + points[at].reshape(5, 2) * stride + 0.5) / scale - 0.5)
    return best[1]


rgb = np.array(Image.open(here / "fixtures" / "collins.jpg").convert("RGB"))
points = scrfd(rgb)
warp = SimilarityTransform.from_estimate(points, TEMPLATE)
chip = cv2.warpAffine(rgb, warp.params[:2], (112, 112), flags=cv2.INTER_LINEAR, borderValue=0)
session = onnxruntime.InferenceSession(models / "edgeface_xs_512d.onnx", providers=["CPUExecutionProvider"])
tensor = ((chip.astype(np.float32) - 127.5) / 127.5).transpose(2, 0, 1)[None]
embedding = session.run(None, {session.get_inputs()[0].name: tensor})[0][0].astype(np.float64)
embedding /= np.linalg.norm(embedding)

out = here / "golden" / "embedding"
Image.fromarray(chip).save(out / "collins.png")
record = {
    "recogniser": "edgeface_xs_512d",
    "detector": "scrfd_500m_bnkps_320",
    "versions": {m.__name__: m.__version__ for m in (np, cv2, onnxruntime)},
    "landmarks": points.round(3).tolist(),
    "embedding": embedding.round(7).tolist(),
}
(out / "collins.json").write_text(json.dumps(record) + "\n")
