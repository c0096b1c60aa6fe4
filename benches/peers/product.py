"""Times whole tasks against the libraries that people put together for them: a camera frame against OpenCV and onnxruntime, a search
against FAISS, and the load of a pack against onnxruntime's and OpenVINO's load of its recogniser.

    python product.py --programs target/release --models FOLDER --load-onnx FILE.onnx [--rounds 15]

It needs faiss-cpu, numpy, onnxruntime, opencv-python-headless and, for its row, openvino. FOLDER holds YuNet and a recogniser of
1x3x112x112. What is compared is CPU time on one thread, rounds interleaved, so that other work on the machine adds noise and not time.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ONE_THREAD = {name: "1" for name in ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]}
HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent.parent / "tests"
YUNET, RECOGNISER = "face_detection_yunet_2026may.onnx", "mobilefacenet_y1_128d.onnx"


def clock(pid):
    """Seconds of CPU that another process has used: Linux's clock number for a process."""
    return time.clock_gettime((~pid << 3) | 2)


def interleaved(rounds, **runs):
    times = {name: [] for name in runs}
    for number in range(rounds + 2):
        for name, run in runs.items():
            spent = run()
            if number >= 2:
                times[name].append(spent * 1e3)
    return {name: statistics.median(spent) for name, spent in times.items()}


def timed(work):
    def run():
        start = time.process_time()
        work()
        return time.process_time() - start

    return run


def row(name, found):
    peers = {peer: spent for peer, spent in found.items() if peer != "ours"}
    fastest = min(peers, key=peers.get)
    cells = ", ".join(f"{peer} {spent:.2f}" for peer, spent in found.items())
    print(f"{name}: {cells} ms; ours over {fastest} {found['ours'] / peers[fastest]:.2f}", flush=True)


def frame_row(options, folder):
    import cv2
    import numpy
    import onnxruntime

    portrait = cv2.imread(str(TESTS / "fixtures" / "collins.jpg"))
    portrait = cv2.resize(portrait, (480, 480), interpolation=cv2.INTER_AREA)
    picture = cv2.copyMakeBorder(portrait, 0, 0, 80, 80, cv2.BORDER_REPLICATE)
    i420 = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420)
    luma, u, v = i420[:480].ravel(), i420[480:600].ravel(), i420[600:].ravel()
    nv21 = numpy.concatenate([luma, numpy.stack([v, u], 1).ravel()])
    file = folder / "frame.nv21"
    nv21.tofile(file)
    pack = folder / "frame.vfpack"
    models = options.models
    subprocess.run([options.programs / "veriface", "pack", "make", "--detector", models / YUNET, "--recogniser", models / RECOGNISER,
                    "--manifest", TESTS / "packs" / "mobilefacenet-yunet.json", "-o", pack], check=True, stdout=subprocess.DEVNULL)
    program = [options.programs / "examples" / "time_frame", pack, file, "640", "480"]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()

    def ours():
        start = clock(process.pid)
        process.stdin.write("2\n")
        process.stdin.flush()
        process.stdout.readline()
        return (clock(process.pid) - start) / 2

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(models / RECOGNISER), settings, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    cv2.setNumThreads(1)
    template = numpy.float32([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])
    frame = nv21.reshape(720, 640)

    def peer(width, height):
        detector = cv2.FaceDetectorYN.create(str(models / YUNET), "", (width, height), 0.7)

        def run():
            bgr = cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_NV21)
            small = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA) if width < 640 else bgr
            faces = detector.detect(small)[1]
            points = faces[0, 4:14].reshape(5, 2) * (640 / width)
            turn, _ = cv2.estimateAffinePartial2D(points, template, method=cv2.LMEDS)
            chip = cv2.cvtColor(cv2.warpAffine(bgr, turn, (112, 112)), cv2.COLOR_BGR2RGB)
            tensor = (chip.transpose(2, 0, 1)[None].astype(numpy.float32) - 127.5) / 127.5
            session.run(None, {name: tensor})

        return timed(run)

    found = interleaved(options.rounds, ours=ours, **{"OpenCV at 320x240 + onnxruntime": peer(320, 240)})
    row("640x480 NV21 frame, detect + align + embed", found)
    process.kill()


def search_row(options, _folder):
    import faiss
    import numpy

    faiss.omp_set_num_threads(1)
    entries = numpy.random.default_rng(1).standard_normal((100_000, 512)).astype(numpy.float32)
    faiss.normalize_L2(entries)
    index = faiss.IndexFlatIP(512)
    index.add(entries)
    probe = entries[:1] + 0.01

    def ours():
        arguments = ["--json", "bench", TESTS / "fixtures" / "collins.jpg", "--runs", "60", "--growth"]
        done = subprocess.run([options.programs / "veriface", *arguments], check=True, capture_output=True, text=True)
        rows = json.loads(done.stdout)["growth"]
        return next(r["cpu_ms"] for r in rows if r["stage"] == "search, entries" and r["size"] == 100_000) / 1e3

    # Ours is sixty searches at once, FAISS's rounds lie around it.
    def peer():
        start = time.process_time()
        for _ in range(60):
            index.search(probe, 5)
        return (time.process_time() - start) / 60

    row("top 5 of 100,000 x 512", interleaved(3, ours=ours, **{"FAISS flat": peer}))


def load_row(options, folder):
    pack = folder / "load.vfpack"
    manifest = json.loads((TESTS / "packs" / "edgeface-scrfd.json").read_text())
    manifest["detector"] = json.loads((TESTS / "packs" / "mobilefacenet-yunet.json").read_text())["detector"]
    manifest["recogniser"]["embedding_size"] = 512
    described = folder / "load.json"
    described.write_text(json.dumps(manifest))
    subprocess.run([options.programs / "veriface", "pack", "make", "--detector", options.models / YUNET, "--recogniser",
                    options.load_onnx, "--manifest", described, "-o", pack], check=True, stdout=subprocess.DEVNULL)

    def ours():
        arguments = ["--json", "--pack", pack, "bench", TESTS / "fixtures" / "collins.jpg", "--runs", "1"]
        done = subprocess.run([options.programs / "veriface", *arguments], check=True, capture_output=True, text=True)
        report = json.loads(done.stdout)
        return (report["open"]["cpu_ms"] + report["load"]["cpu_ms"]) / 1e3

    def fresh(load):
        code = f"import time\n{load[0]}\nstart = time.process_time()\n{load[1]}\nprint(time.process_time() - start)"

        def run():
            done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
            return float(done.stdout)

        return run

    file = str(options.load_onnx)
    peers = {"onnxruntime": ("import onnxruntime\ns = onnxruntime.SessionOptions()\ns.intra_op_num_threads = s.inter_op_num_threads = 1",
                             f"onnxruntime.InferenceSession({file!r}, s, providers=['CPUExecutionProvider'])"),
             "OpenVINO": ("import openvino\ncore = openvino.Core()\nsettings = {'INFERENCE_NUM_THREADS': 1, 'NUM_STREAMS': 1}",
                          f"core.compile_model({file!r}, 'CPU', settings).create_infer_request()")}
    runs = {"ours": ours}
    for name, load in peers.items():
        try:
            run = fresh(load)
            run()
            runs[name] = run
        except subprocess.CalledProcessError:
            print(f"{name} is not there", file=sys.stderr)
    row("load of a pack, both networks, hashes and self-test, against the recogniser alone", interleaved(options.rounds, **runs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--models", type=pathlib.Path, required=True)
    parser.add_argument("--load-onnx", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--rows", default="frame,search,load")
    options = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        os.execve(sys.executable, [sys.executable, __file__, *sys.argv[1:]], {**os.environ, **ONE_THREAD})
    rows = {"frame": frame_row, "search": search_row, "load": load_row}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.rows.split(","):
            rows[name](options, pathlib.Path(folder))


main()
