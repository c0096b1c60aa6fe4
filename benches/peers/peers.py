"""Times our kernels against onnxruntime, ncnn, MNN and OpenVINO on the same networks, one thread, interleaved.

    python peers.py --work FOLDER --ours target/release/examples/time_network [--rounds 40] [--document docs/performance.md]

FOLDER gets a virtual environment with the peers from PyPI, the networks and their conversions; a second run uses them again. What is
timed is CPU time of the process (of ours, read from outside), so that other work on the machine adds noise and not time; each round
runs every engine once, and the table holds medians over rounds. The document's part between the two `peers` marks is replaced.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import time
import venv

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ["numpy", "onnx", "onnxruntime==1.32.0",
         "openvino==2026.4.1", "ncnn==1.0.20261020", "pnnx", "MNN==3.6.1"]
ONE_THREAD = {name: "1" for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]}
NETWORKS = ["lmobilenete", "mobilefacenet", "half"]


def clock(pid):
    """Seconds of CPU that another process has used: Linux's clock number for a process."""
    return time.clock_gettime((~pid << 3) | 2)


class Ours:
    def __init__(self, program, file):
        self.process = subprocess.Popen([program, file, "112"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def time(self):
        start = clock(self.process.pid)
        self.process.stdin.write("1\n")
        self.process.stdin.flush()
        self.process.stdout.readline()
        return clock(self.process.pid) - start


class Peer:
    def __init__(self, run):
        self.run = run

    def time(self):
        start = time.process_time()
        self.run()
        return time.process_time() - start


def onnxruntime_peer(file, picture):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return Peer(lambda: session.run(None, {"v0": picture}))


def openvino_peer(file, picture):
    import openvino

    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(file, "CPU", settings).create_infer_request()
    return Peer(lambda: request.infer({0: picture}))


def ncnn_peer(file, picture):
    import ncnn

    stem = pathlib.Path(file).with_suffix("")
    if not stem.with_suffix(".ncnn.param").exists():
        pnnx = pathlib.Path(sys.executable).with_name("pnnx")
        arguments = [pnnx, file, "inputshape=[1,3,112,112]", "fp16=0"]
        subprocess.run(arguments, check=True, cwd=stem.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.use_bf16_storage = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_fp16_packed = False
    net.load_param(str(stem.with_suffix(".ncnn.param")))
    net.load_model(str(stem.with_suffix(".ncnn.bin")))
    source = ncnn.Mat(picture[0])

    def run():
        extractor = net.create_extractor()
        extractor.input("in0", source)
        return extractor.extract("out0")

    return Peer(run)


def mnn_peer(file, picture):
    import MNN

    target = pathlib.Path(file).with_suffix(".mnn")
    if not target.exists():
        convert = pathlib.Path(sys.executable).with_name("mnnconvert")
        arguments = [convert, "-f", "ONNX", "--modelFile", file, "--MNNModel", target]
        subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    net = MNN.Interpreter(str(target))
    session = net.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
    shape = (1, 3, 112, 112)
    net.getSessionInput(session).copyFrom(MNN.Tensor(shape, MNN.Halide_Type_Float, picture, MNN.Tensor_DimensionType_Caffe))
    return Peer(lambda: net.runSession(session))


def engines(folder, ours, name, activation, int8):
    import numpy

    picture = numpy.random.default_rng(1).uniform(-1, 1, (1, 3, 112, 112)).astype(numpy.float32)
    file = str(folder / f"{name}_{activation}{'_int8' if int8 else ''}.onnx")
    made = {"ours": lambda: Ours(ours, file), "OpenVINO": lambda: openvino_peer(file, picture),
            "onnxruntime": lambda: onnxruntime_peer(file, picture)}
    if not int8:
        made["ncnn"] = lambda: ncnn_peer(file, picture)
        made["MNN"] = lambda: mnn_peer(file, picture)
        if activation == "prelu":
            made["onnxruntime, PReLU rewritten"] = lambda: onnxruntime_peer(file.replace("prelu", "rewritten"), picture)
    ready = {}
    for engine, make in made.items():
        try:
            ready[engine] = make()
        except Exception as error:  # A peer that does not take a network leaves its cell empty.
            print(f"{engine} does not run {file}: {error}", file=sys.stderr)
    return ready


def measure(folder, ours, rounds):
    columns, rows = [], {}
    for int8 in [False, True]:
        for name in NETWORKS:
            for activation in ["prelu", "relu"]:
                column = f"{name} {activation}{' int8' if int8 else ''}"
                columns.append(column)
                ready = engines(folder, ours, name, activation, int8)
                times = {engine: [] for engine in ready}
                for number in range(rounds + 3):
                    for engine, runner in ready.items():
                        spent = runner.time() * 1e3
                        if number >= 3:
                            times[engine].append(spent)
                for engine, spent in times.items():
                    rows.setdefault(engine, {})[column] = statistics.median(spent)
                print(column, {engine: round(rows[engine][column], 2) for engine in times}, flush=True)
                if "ours" in ready:
                    ready["ours"].process.kill()
    return columns, rows


def table(columns, rows):
    def cell(engine, column):
        return f"{rows[engine][column]:.2f}" if column in rows[engine] else "-"

    lines = ["| network | " + " | ".join(rows) + " | ours over the fastest peer |", "|---" * (len(rows) + 2) + "|"]
    for column in columns:
        peers = [rows[engine][column] for engine in rows if engine != "ours" and column in rows[engine]]
        ratio = f"**{rows['ours'][column] / min(peers):.2f}**" if peers and column in rows.get("ours", {}) else "-"
        lines.append(f"| {column} | " + " | ".join(cell(engine, column) for engine in rows) + f" | {ratio} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--document", type=pathlib.Path)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    python = options.work.resolve() / "venv" / "bin" / "python"
    if pathlib.Path(sys.prefix).resolve() != python.parent.parent:
        if not python.exists():
            venv.create(python.parent.parent, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
        os.execve(python, [str(python), __file__, *sys.argv[1:]], {**os.environ, **ONE_THREAD})
    nets = options.work.resolve() / "nets"
    if not nets.exists():
        nets.mkdir()
        subprocess.run([python, HERE / "networks.py", nets], check=True)
    columns, rows = measure(nets, str(pathlib.Path(options.ours).resolve()), options.rounds)
    text = table(columns, rows)
    print(text)
    if options.document:
        document = options.document.read_text()
        start, end = "<!-- peers -->", "<!-- /peers -->"
        before, rest = document.split(start)
        options.document.write_text(before + start + "\n" + text + "\n" + end + rest.split(end)[1])


main()
