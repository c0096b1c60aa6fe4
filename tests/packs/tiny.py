"""Writes tiny-detector.onnx and tiny-recogniser.onnx: networks that let the rooms be tested without data. Needs onnx, numpy.

The detector has YuNet's outputs and sees one face, whatever the picture: its centre in cell (5, 5) of stride 32 of a 320 × 320 input.
The recogniser is an average pool to 7 × 7 and a fixed random projection to 16 numbers.
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

here = pathlib.Path(__file__).parent


def constant(name, values):
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def save(name, nodes, inputs, outputs, weights):
    graph = helper.make_graph(nodes, name, inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], producer_name="veriface tests")
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, here / f"{name}.onnx")


def detector():
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    weights, outputs = [constant("zero", 0.0)], []
    for stride in (8, 16, 32):
        cells = (320 // stride) ** 2
        for output, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            values = np.zeros((1, cells, width), np.float32)
            if stride == 32:
                cell = 5 * 10 + 5
                # A box of 128 × 160 pixels around the cell's corner, and the five points of an upright face.
                values[0, cell] = {
                    "cls": [0.9],
                    "obj": [0.9],
                    "bbox": [0.0, 0.0, np.log(4.0), np.log(5.0)],
                    "kps": [-0.9, -0.7, 0.9, -0.7, 0.0, 0.2, -0.7, 1.2, 0.7, 1.2],
                }[output]
            name = f"{output}_{stride}"
            weights.append(constant(f"{name}_values", values))
            nodes.append(helper.make_node("Add", [f"{name}_values", "nothing"], [name]))
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, cells, width]))
    save("tiny-detector", nodes, [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 320, 320])], outputs, weights)


def recogniser():
    random = np.random.default_rng(1801_07698)
    weights = [constant("projection", random.standard_normal((3 * 7 * 7, 16)))]
    nodes = [
        helper.make_node("AveragePool", ["input"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "projection"], ["embedding"]),
    ]
    save(
        "tiny-recogniser",
        nodes,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 112, 112])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 16])],
        weights,
    )


detector()
recogniser()
