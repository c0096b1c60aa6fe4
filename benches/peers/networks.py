"""The networks that are timed, with random weights, as fp32 ONNX and as int8 ONNX in QDQ form.

    python networks.py FOLDER            LMobileNetE, MobileFaceNet and a MobileNet of half width
    python networks.py --golden FOLDER   small networks with an input and onnxruntime's output, for the tests of sdk/src/net

The speed of random weights is the speed of trained ones. Quantisation follows the form that `trainer quantize` writes: activations u8 a
tensor, weights i8 a channel in -127...127, biases i32, no quantisation between a convolution and its PRelu, input scale 1/128 around 128.
"""

import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SESSION = onnxruntime.SessionOptions()
SESSION.log_severity_level = 3


class Network:
    """Operators in order; each value has a number."""

    def __init__(self, name, size, activation, seed=1):
        self.name, self.size, self.activation = name, size, activation
        self.random = np.random.default_rng(seed)
        self.steps, self.channels, self.sides = [], [3], [size]

    def add_step(self, step, channels, side):
        self.steps.append(step)
        self.channels.append(channels)
        self.sides.append(side)
        return len(self.steps)

    def convolution(self, source, outputs, kernel=1, stride=1, depthwise=False, linear=False, pad=None):
        inputs, pad = self.channels[source], kernel // 2 if pad is None else pad
        fan_in = kernel * kernel * (1 if depthwise else inputs)
        weights = self.random.normal(0, np.sqrt(1.7 / fan_in), (outputs, 1 if depthwise else inputs, kernel, kernel))
        step = dict(
            kind="conv", inputs=[source], weights=weights.astype(np.float32), stride=stride, pad=pad,
            bias=self.random.normal(0, 0.1, outputs).astype(np.float32), group=inputs if depthwise else 1,
            slope=None if linear else self.random.uniform(-0.1, 0.4, (outputs, 1, 1)).astype(np.float32))
        return self.add_step(step, outputs, (self.sides[source] + 2 * pad - kernel) // stride + 1)

    def add(self, one, two):
        return self.add_step(dict(kind="add", inputs=[one, two]), self.channels[one], self.sides[one])

    def fully_connected(self, source, outputs):
        length = self.channels[source] * self.sides[source] ** 2
        weights = self.random.normal(0, np.sqrt(1 / length), (outputs, length)).astype(np.float32)
        bias = self.random.normal(0, 0.1, outputs).astype(np.float32)
        return self.add_step(dict(kind="fc", inputs=[source], weights=weights, bias=bias), outputs, 1)

    def model(self, scales=None):
        """fp32, or int8 with the (scale, zero point) of each value."""
        nodes, constants = [], []

        def constant(name, value):
            constants.append(numpy_helper.from_array(np.asarray(value), name))
            return name

        def node(kind, inputs, output, **attributes):
            nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
            return output

        def quantised(name, value):
            scale, zero = scales[value]
            numbers = [constant(f"{name}_scale", np.float32(scale)), constant(f"{name}_zero", np.uint8(zero))]
            return node("QuantizeLinear", [name] + numbers, f"{name}_q")

        def read(value):
            name = f"v{value}"
            if scales is None:
                return name
            reads[value] = reads.get(value, 0) + 1
            return node("DequantizeLinear", [f"{name}_q", f"{name}_scale", f"{name}_zero"], f"{name}_dq{reads[value]}")

        def weights(number, step):
            if scales is None:
                return constant(f"w{number}", step["weights"]), constant(f"b{number}", step["bias"])
            rows = step["weights"].reshape(step["weights"].shape[0], -1)
            scale = (np.abs(rows).max(1) / 127).astype(np.float32)
            shape = (-1,) + (1,) * (step["weights"].ndim - 1)
            whole = np.clip(np.round(step["weights"] / scale.reshape(shape)), -127, 127).astype(np.int8)
            products = (np.float32(scales[step["inputs"][0]][0]) * scale).astype(np.float32)
            bias = np.round(step["bias"] / products).astype(np.int32)
            names = []
            for letter, numbers, scale in [("w", whole, scale), ("b", bias, products)]:
                key = f"{letter}{number}"
                zero = constant(f"{key}_zero", np.zeros(len(scale), numbers.dtype))
                inputs = [constant(f"{key}_q", numbers), constant(f"{key}_scale", scale), zero]
                names.append(node("DequantizeLinear", inputs, key, axis=0))
            return names

        reads = {}
        if scales is not None:
            quantised("v0", 0)
        for number, step in enumerate(self.steps, 1):
            last = number == len(self.steps)
            output = f"v{number}"
            inputs = [read(source) for source in step["inputs"]]
            if step["kind"] == "conv":
                attributes = dict(kernel_shape=step["weights"].shape[2:], strides=[step["stride"]] * 2, pads=[step["pad"]] * 4,
                                  group=step["group"])
                linear = step["slope"] is None
                node("Conv", [inputs[0], *weights(number, step)], output if linear else f"{output}_linear", **attributes)
                if not linear and self.activation == "relu":
                    node("Relu", [f"{output}_linear"], output)
                elif not linear and self.activation == "prelu":
                    node("PRelu", [f"{output}_linear", constant(f"a{number}", step["slope"])], output)
                elif not linear:  # PRelu as other operators, which onnxruntime runs faster
                    node("Relu", [f"{output}_linear"], f"{output}_above")
                    node("Mul", [f"{output}_linear", constant(f"a{number}", step["slope"])], f"{output}_scaled")
                    node("Mul", [f"{output}_above", constant(f"c{number}", 1 - step["slope"])], f"{output}_rest")
                    node("Add", [f"{output}_rest", f"{output}_scaled"], output)
            elif step["kind"] == "add":
                node("Add", inputs, output)
            else:
                node("Flatten", [inputs[0]], f"{output}_flat", axis=1)
                node("Gemm", [f"{output}_flat", *weights(number, step)], output, transB=1)
            if scales is not None and not last:
                quantised(output, number)
        if self.steps[-1]["kind"] == "conv":
            node("Flatten", [f"v{len(self.steps)}"], "output", axis=1)
        nodes[-1].output[0] = "output"
        source = helper.make_tensor_value_info("v0", TensorProto.FLOAT, [1, 3, self.size, self.size])
        target = helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, self.channels[-1] * self.sides[-1] ** 2])
        graph = helper.make_graph(nodes, self.name, [source], [target], constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        return model

    def scales(self):
        """Ranges of every value over a few random pictures."""
        model = self.model()
        names = [f"v{number}" for number in range(1, len(self.steps))]
        for name in names:
            model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        session = onnxruntime.InferenceSession(model.SerializeToString(), SESSION, providers=["CPUExecutionProvider"])
        scales = [(1 / 128, 128)]
        runs = [session.run(names, {"v0": picture(self.size, seed)}) for seed in range(3)]
        for values in zip(*runs):
            low, high = min(0.0, *(v.min() for v in values)), max(0.0, *(v.max() for v in values))
            scale = np.float32((high - low) / 255)
            scales.append((scale, int(round(-low / scale))))
        return scales + [None]


def picture(size, seed):
    """Bytes as numbers around 128."""
    bytes_ = np.random.default_rng(seed).integers(0, 256, (1, 3, size, size))
    return ((bytes_ - 128) / 128).astype(np.float32)


def mobilenet(name, activation, width=1.0, head="e", outputs=512):
    net = Network(name, 112, activation)
    wide = lambda channels: int(channels * width)
    x = net.convolution(0, wide(32), 3)
    layers = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
    for channels, stride in layers:
        x = net.convolution(x, net.channels[x], 3, stride, depthwise=True)
        x = net.convolution(x, wide(channels))
    if head == "e":
        net.fully_connected(x, outputs)
    else:
        x = net.convolution(x, net.channels[x], 7, depthwise=True, linear=True, pad=0)
        net.convolution(x, outputs, linear=True)
    return net


def mobilefacenet(name, activation, outputs=512):
    net = Network(name, 112, activation)
    x = net.convolution(0, 64, 3, 2)
    x = net.convolution(x, 64, 3, depthwise=True)
    for expansion, channels, repeats, stride in [(2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1)]:
        for repeat in range(repeats):
            before, step = x, stride if repeat == 0 else 1
            x = net.convolution(x, net.channels[before] * expansion)
            x = net.convolution(x, net.channels[x], 3, step, depthwise=True)
            x = net.convolution(x, channels, linear=True)
            if step == 1 and net.channels[before] == channels:
                x = net.add(x, before)
    x = net.convolution(x, 512)
    x = net.convolution(x, 512, 7, depthwise=True, linear=True, pad=0)
    net.convolution(x, outputs, linear=True)
    return net


def small(activation):
    """Every operator once, at 24 × 24."""
    net = Network(f"small_{activation}", 24, activation, seed=5)
    x = net.convolution(0, 24, 3, 2)
    y = net.convolution(x, 24, 3, depthwise=True)
    y = net.convolution(y, 24, linear=True)
    x = net.add(y, x)
    x = net.convolution(x, 24, 5, 2, depthwise=True)
    x = net.convolution(x, 40)
    x = net.convolution(x, 40, 7, depthwise=True)
    y = net.convolution(x, 40, 3)
    x = net.add(x, y)
    net.fully_connected(x, 19)
    return net


def main():
    golden = sys.argv[1] == "--golden"
    folder = sys.argv[-1]
    if golden:
        for activation in ["relu", "prelu"]:
            net = small(activation)
            model = net.model(net.scales())
            onnx.save(model, f"{folder}/{net.name}_int8.onnx")
            session = onnxruntime.InferenceSession(model.SerializeToString(), SESSION, providers=["CPUExecutionProvider"])
            source = picture(net.size, 9)
            ((source * 128 + 128).astype(np.uint8)).tofile(f"{folder}/{net.name}.input")
            session.run(None, {"v0": source})[0].astype("<f4").tofile(f"{folder}/{net.name}.output")
        return
    for activation in ["relu", "prelu", "rewritten"]:
        nets = [mobilenet("lmobilenete", activation), mobilefacenet("mobilefacenet", activation),
                mobilenet("half", activation, 0.5, "g")]
        for net in nets:
            onnx.save(net.model(), f"{folder}/{net.name}_{activation}.onnx")
            if activation != "rewritten":
                onnx.save(net.model(net.scales()), f"{folder}/{net.name}_{activation}_int8.onnx")


main()
