"""What onnx and onnxruntime say of a file that `trainer export` or `trainer quantize` wrote.

    python onnx_parity.py NET.onnx INPUT.f32 [OUTPUT.f32]

INPUT.f32 holds the network's input, f32 little-endian, chips of 3*112*112 one after the other; OUTPUT.f32 what the trainer computes of them.
Prints one JSON object: opset, ir version, metadata, and the least cosine and the largest difference between onnxruntime's embeddings and
OUTPUT.f32, computed with every optimisation (a quantised file then runs in integers) and with none (then in float).
Needs numpy, onnx and onnxruntime.
"""

import json
import sys

import numpy as np
import onnx
import onnxruntime


def outputs(path, chips, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    at_once = taken.shape[0] if isinstance(taken.shape[0], int) else len(chips)
    blocks = [session.run(None, {taken.name: chips[i : i + at_once]})[0] for i in range(0, len(chips), at_once)]
    return np.concatenate(blocks)


def main():
    path = sys.argv[1]
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    said = {
        "opset": model.opset_import[0].version,
        "ir_version": model.ir_version,
        "input": [d.dim_param or d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim],
        "operators": sorted({node.op_type for node in model.graph.node}),
        "metadata": {property.key: property.value for property in model.metadata_props},
    }
    chips = np.fromfile(sys.argv[2], "<f4").reshape(-1, 3, 112, 112)
    levels = onnxruntime.GraphOptimizationLevel
    found = {name: outputs(path, chips, level) for name, level in [("all", levels.ORT_ENABLE_ALL), ("none", levels.ORT_DISABLE_ALL)]}
    if len(sys.argv) > 3:
        expected = np.fromfile(sys.argv[3], "<f4").reshape(len(chips), -1)
        for name, values in found.items():
            dots = (values * expected).sum(1) / np.linalg.norm(values, axis=1) / np.linalg.norm(expected, axis=1)
            said[name] = {"cosine": float(dots.min()), "difference": float(np.abs(values - expected).max())}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
