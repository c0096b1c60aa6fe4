"""The Python package over the real native library. The tests of the rooms behind it are Rust's."""

import json
import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import veriface

ROOT = Path(__file__).resolve().parents[3]


def portrait(name):
    return ROOT / "tests/fixtures" / f"{name}.jpg"


@pytest.fixture(scope="module")
def verifier():
    return veriface.Verifier()


@pytest.fixture(scope="module")
def rust_template():
    """What the command `veriface enrol` wrote for obama-smiling.jpg."""
    return Path(os.environ["VERIFACE_TEMPLATE"]).read_bytes()


def test_the_quickest_way(verifier):
    decision = verifier.verify(str(portrait("obama-smiling")), portrait("obama-standing"))
    assert decision.same and decision.score >= decision.threshold and decision.false_match_rate > 0
    assert decision.liveness == veriface.Liveness.NOT_ASSESSED and "liveness not assessed" in decision.sentence
    assert not verifier.verify(portrait("obama-smiling"), portrait("biden")).same


def test_a_template_is_rust_s_to_the_bit(verifier, rust_template):
    template = verifier.enrol([portrait("obama-smiling")])
    assert template.to_bytes() == rust_template
    again = veriface.Template.from_bytes(rust_template)
    assert again.model_id == verifier.model_id and again.samples == 1 and again.compare(template) == pytest.approx(1, abs=1e-6)
    assert math.sqrt(sum(value * value for value in again.embedding())) == pytest.approx(1, abs=1e-5)


def test_every_kind_of_picture_gives_the_same_score(verifier, rust_template):
    numpy = pytest.importorskip("numpy")
    image = pytest.importorskip("PIL.Image")
    template = veriface.Template.from_bytes(rust_template)
    pillow = image.open(portrait("obama-standing"))
    rgb = numpy.asarray(pillow.convert("RGB"))
    expected = verifier.verify(template, rgb).score
    assert expected > 0.5
    assert verifier.verify(template, pillow).score == expected
    assert verifier.verify(template, veriface.bgr(rgb[:, :, ::-1])).score == expected
    assert verifier.verify(template, numpy.dstack([rgb, numpy.full(rgb.shape[:2], 9, numpy.uint8)])).score == expected
    height, width = rgb.shape[:2]
    padded = numpy.zeros((height, width * 3 + 40), numpy.uint8)
    padded[:, : width * 3] = rgb.reshape(height, width * 3)
    strided = veriface.frame(veriface.PixelLayout.RGB8, width, height, [padded], row_strides=[width * 3 + 40])
    assert verifier.verify(template, strided).score == expected
    # A view with other strides is a picture like any other.
    turned = veriface.frame(veriface.PixelLayout.RGB8, height, width, [numpy.rot90(rgb).tobytes()], rotation=90)
    assert verifier.verify(template, turned).score == expected
    # Another decoder: Java's, Pillow's and ours differ by a code value here and there.
    assert verifier.verify(template, portrait("obama-standing")).score == pytest.approx(expected, abs=0.02)
    assert verifier.verify(template, portrait("obama-standing").read_bytes()).score == verifier.verify(
        template, portrait("obama-standing")
    ).score


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pillow_s_exif_orientation_is_applied(verifier, orientation, tmp_path):
    image = pytest.importorskip("PIL.Image")
    turn = image.Transpose
    # What is stored so that this orientation makes it upright again.
    stored = {
        1: [], 2: [turn.FLIP_LEFT_RIGHT], 3: [turn.ROTATE_180], 4: [turn.FLIP_TOP_BOTTOM], 5: [turn.TRANSPOSE],
        6: [turn.ROTATE_90], 7: [turn.TRANSVERSE], 8: [turn.ROTATE_270],
    }
    upright = image.open(portrait("collins")).convert("RGB")
    picture = upright
    for step in stored[orientation]:
        picture = picture.transpose(step)
    picture.getexif()[0x0112] = orientation
    (found,), (expected,) = verifier.detect(picture), verifier.detect(upright)
    assert found.landmarks == expected.landmarks


def test_errors_have_a_number_a_picture_and_advice(verifier):
    numpy = pytest.importorskip("numpy")
    nobody = numpy.zeros((48, 64), numpy.uint8)
    with pytest.raises(veriface.Error) as caught:
        verifier.verify(portrait("biden"), nobody)
    assert caught.value.number == veriface.ErrorNumber.NO_FACE and caught.value.number.value == 301
    assert caught.value.picture == "probe" and caught.value.advice and str(caught.value).startswith("E301, the probe picture")
    with pytest.raises(veriface.Error) as caught:
        verifier.enrol([portrait("biden"), "no/such.jpg"])
    assert caught.value.number == veriface.ErrorNumber.CANNOT_READ and caught.value.picture == 1
    with pytest.raises(veriface.Error) as caught:
        verifier.enrol([])
    assert caught.value.number == veriface.ErrorNumber.NOTHING_TO_ENROL
    with pytest.raises(veriface.Error) as caught:
        veriface.Template.from_bytes(b"no template")
    assert caught.value.number == veriface.ErrorNumber.NOT_A_TEMPLATE
    with pytest.raises(veriface.Error) as caught:
        verifier.detect(veriface.frame(veriface.PixelLayout.NV12, 640, 480, [b"short"]))
    assert caught.value.number == veriface.ErrorNumber.INVALID_FRAME
    for wrong in (nobody.astype(numpy.float32), numpy.zeros((4, 4, 2), numpy.uint8), 7):
        with pytest.raises(TypeError):
            verifier.detect(wrong)


def test_points_of_another_detector_are_taken_in_their_order(verifier, rust_template):
    """For want of another detector, ours stands for it."""
    image = pytest.importorskip("PIL.Image")
    (face,) = verifier.detect(portrait("obama-smiling"))
    given = veriface.at(portrait("obama-smiling"), face.landmarks)
    assert verifier.enrol([given]).to_bytes() == rust_template
    eye_left, eye_right, nose, mouth_left, mouth_right = [
        (point.x, point.y) for point in (
            face.landmarks.eye_left, face.landmarks.eye_right, face.landmarks.nose, face.landmarks.mouth_left, face.landmarks.mouth_right,
        )
    ]
    pairs = veriface.at(portrait("obama-smiling"), [eye_left, eye_right, nose, mouth_left, mouth_right])
    assert verifier.verify(veriface.Template.from_bytes(rust_template), pairs).score == pytest.approx(1, abs=1e-5)
    # The person's left first, as ML Kit names its points.
    mirrored = [eye_right, eye_left, nose, mouth_right, mouth_left]
    with pytest.raises(veriface.Error) as caught:
        verifier.verify(portrait("obama-smiling"), veriface.at(portrait("obama-smiling"), mirrored))
    assert caught.value.number.value == 304 and caught.value.picture == "probe"
    with pytest.raises(ValueError):
        veriface.at(portrait("obama-smiling"), [eye_left])
    picture = image.open(portrait("obama-smiling")).convert("RGB")
    frame = veriface.frame(veriface.PixelLayout.RGB8, picture.width, picture.height, [picture.tobytes()])
    template = veriface.Template.from_bytes(rust_template)
    assert verifier.verify(template, veriface.at(frame, face.landmarks)).score == verifier.verify(
        template, veriface.at(picture, face.landmarks)
    ).score
    with pytest.raises(veriface.Error) as caught:
        verifier.verify(template, veriface.at(frame, mirrored))
    assert caught.value.number.value == 304 and caught.value.picture == "probe"
    session = veriface.Session(verifier)
    assert any(session.frame(veriface.at(frame, face.landmarks), second / 10).ready for second in range(1, 60))
    assert session.decide(template).same


def test_latency_is_the_command_s():
    def keys(value):
        if isinstance(value, dict):
            return {key: keys(inner) for key, inner in value.items()}
        return [keys(inner) for inner in value] if isinstance(value, list) and value and isinstance(value[0], dict) else None

    command = ROOT / "target/release/veriface"
    printed = subprocess.run(
        [command, "bench", portrait("collins"), "--runs", "3", "--json"], check=True, capture_output=True, text=True
    ).stdout
    report = veriface.latency(portrait("collins"), "here", runs=3)
    assert keys(json.loads(report)) == keys(json.loads(printed)) and json.loads(report)["device"] == "here"
    assert [stage["stage"] for stage in json.loads(report)["stages"]] == [stage["stage"] for stage in json.loads(printed)["stages"]]


def test_no_text_shows_values(rust_template):
    template = veriface.Template.from_bytes(rust_template)
    assert repr(template) == "<veriface.Template of 1 pictures>"


def test_a_session_guides_and_decides(verifier, rust_template):
    numpy = pytest.importorskip("numpy")
    session = veriface.Session(verifier)
    first = session.frame(numpy.zeros((48, 64), numpy.uint8), 0.0)
    assert first.guidance == veriface.Guidance.NO_FACE and veriface.guidance_sentence(first.guidance) == "Look into the camera."
    session.reset()
    picture = pytest.importorskip("PIL.Image").open(portrait("obama-smiling")).convert("RGB")
    frame = veriface.frame(veriface.PixelLayout.RGB8, picture.width, picture.height, [picture.tobytes()])
    states = [session.frame(frame, second / 10) for second in range(1, 60)]
    assert any(state.ready for state in states)
    assert session.decide(veriface.Template.from_bytes(rust_template)).same
    assert session.enrol().samples > 1


def test_threads_give_the_same(verifier, rust_template):
    template = veriface.Template.from_bytes(rust_template)
    names = ["obama-smiling", "obama-standing", "biden", "collins"]
    expected = {name: verifier.verify(template, portrait(name)).score for name in names}
    wrong = []

    def work():
        for name in names:
            if verifier.verify(template, portrait(name)).score != expected[name]:
                wrong.append(name)

    threads = [threading.Thread(target=work) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not wrong


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_is_dropped_leaves_nothing(rust_template):
    def resident():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    file = portrait("biden").read_bytes()

    def round():
        for _ in range(200):
            veriface.Template.from_bytes(rust_template)
        for _ in range(20):
            veriface._native.Picture.decode(file)
        veriface.Verifier()

    round()
    before = resident()
    for _ in range(5):
        round()
    assert resident() - before < 32_000


def test_a_frame_of_1280_by_720_crosses_without_a_copy(verifier, rust_template):
    """mozilla/uniffi-rs 1586. A frame that is refused at the border shows what crossing costs: no time that grows with its bytes."""
    import time

    template = veriface.Template.from_bytes(rust_template)

    def median(layout):
        def once():
            start = time.perf_counter()
            with pytest.raises(veriface.Error):
                verifier.verify(template, layout)
            return time.perf_counter() - start

        return sorted(once() for _ in range(201))[100] * 1e6

    # One byte short each.
    large = median(veriface.frame(veriface.PixelLayout.NV21, 1280, 720, [bytes(1280 * 720 * 3 // 2 - 1)]))
    small = median(veriface.frame(veriface.PixelLayout.NV21, 16, 16, [bytes(16 * 16 * 3 // 2 - 1)]))
    print(f"border: a 1280×720 NV21 frame {large:.0f} µs with its exception, a 16×16 one {small:.0f} µs")
    assert large < small + 500


def test_error_numbers_are_the_page_s():
    """docs/errors.md is held to what Rust has; `bindings/native/tests/lists.rs` compares the other languages."""
    rows = [line.split("|") for line in (ROOT / "docs/errors.md").read_text().splitlines() if line.startswith("| E")]
    page = {row[2].strip(" `").lower(): int(row[1].strip(" E")) for row in rows}
    assert {number.name.replace("_", "").lower(): number.value for number in veriface.ErrorNumber} == page
