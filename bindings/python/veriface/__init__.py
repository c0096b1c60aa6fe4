"""Face verification on the device: the quickest way to try veriface.

>>> import veriface
>>> verifier = veriface.Verifier()
>>> verifier.verify("a.jpg", "b.jpg").same
True

A picture is a path, a file's bytes, a Pillow image, or a NumPy array of uint8: height x width x 3 (RGB), x 4 (RGBA), or height x width (grey).
OpenCV's arrays are BGR: wrap them, `veriface.bgr(array)`. For a camera's planes there is `veriface.frame`. Where another detector has found
the face, its points come along: `veriface.at(picture, landmarks)`.
"""

from __future__ import annotations

import copy
import os
from typing import Any, Iterable, Optional, Sequence, Union

from . import _native
from ._native import Decision, Enrolment, ErrorNumber, Face, FaceRule, Guidance, Landmarks, Liveness, YuvMatrix, PixelLayout, Point
from ._native import Progress, Purpose, YuvRange, Reason

__all__ = [
    "Decision", "Enrolment", "Error", "ErrorNumber", "Face", "FaceRule", "Guidance", "Landmarks", "Liveness", "YuvMatrix", "PixelLayout",
    "Point", "Progress", "Purpose", "YuvRange", "Reason", "Session", "Template", "Verifier", "at", "bgr", "error_advice", "frame", "guidance_sentence",
    "latency", "reason_sentence", "version",
]

error_advice = _native.error_advice
guidance_sentence = _native.guidance_sentence
reason_sentence = _native.reason_sentence
version = _native.version


class Error(Exception):
    """What went wrong. It never holds pixels or values of an embedding."""

    def __init__(self, number: ErrorNumber, sentence: str, picture: Any, reasons: Sequence[Reason]):
        super().__init__(sentence)
        #: The number by name, the same in every language: docs/errors.md.
        self.number = number
        #: "reference", "probe", the picture's place in a list from 0, or None.
        self.picture = picture
        #: Why a face was refused, for ErrorNumber.POOR_QUALITY.
        self.reasons = list(reasons)

    @property
    def advice(self) -> str:
        """What to do about it, in one sentence."""
        return error_advice(self.number)


def _call(function, *arguments):
    try:
        return function(*arguments)
    except _native.VerifaceError.Failed as failed:
        raise Error(failed.number, failed.sentence, _picture_of_call(failed.picture), failed.reasons) from None


def _picture_of_call(picture):
    if picture is None:
        return None
    if picture.is_REFERENCE():
        return "reference"
    if picture.is_PROBE():
        return "probe"
    return picture.place


class bgr:
    """An array of height x width x 3 (BGR) or x 4 (BGRA), as OpenCV has it."""

    def __init__(self, array):
        self.array = array


class frame:
    """A camera's frame: its planes as bytes-like objects, in the format's order, with their strides.

    >>> veriface.frame(veriface.PixelLayout.NV12, 1280, 720, [buffer], row_strides=[1280])
    """

    def __init__(
        self,
        layout: PixelLayout,
        width: int,
        height: int,
        planes: Sequence[Any],
        row_strides: Sequence[int] = (),
        pixel_strides: Sequence[int] = (),
        rotation: int = 0,
        mirrored: bool = False,
        matrix: Optional[YuvMatrix] = None,
        range: Optional[YuvRange] = None,
    ):
        if not 1 <= len(planes) <= 3:
            raise ValueError(f"a frame has 1 to 3 planes, not {len(planes)}")
        self._layout = _native.FrameLayout(
            format=layout, width=width, height=height, row_strides=list(row_strides), pixel_strides=list(pixel_strides),
            rotation=rotation, mirrored=mirrored, matrix=matrix, range=range,
        )
        # `bytes` of `bytes` is the same object: only other buffers are copied, once.
        self._planes = [bytes(plane) for plane in planes] + [b""] * (3 - len(planes))


def at(picture: Source, landmarks: Union[Landmarks, Sequence[Sequence[float]]]) -> Any:
    """The picture with its face's points, as another detector found them; then nothing is detected in it.

    `landmarks` are those of a `Face`, or five pairs of x and y in pixels of the upright picture: the eye on the picture's left, the one on its
    right, the nose's tip, the mouth's left and right corner. Another order is an error, `ErrorNumber.INVALID_LANDMARKS`.
    """
    if not isinstance(landmarks, Landmarks):
        if len(landmarks) != 5:
            raise ValueError(f"landmarks are five points, not {len(landmarks)}")
        eye_left, eye_right, nose, mouth_left, mouth_right = (Point(x=float(x), y=float(y)) for x, y in landmarks)
        landmarks = Landmarks(eye_left=eye_left, eye_right=eye_right, nose=nose, mouth_left=mouth_left, mouth_right=mouth_right)
    if isinstance(picture, frame):
        located = copy.copy(picture)
        located._layout = copy.copy(picture._layout)
        located._layout.landmarks = landmarks
        return located
    return _Located(picture, landmarks)


class _Located:
    def __init__(self, picture: Source, landmarks: Landmarks):
        self.picture = picture
        self.landmarks = landmarks


def latency(picture: Union[str, os.PathLike], device: str, runs: int = 50, pack: Optional[Union[str, os.PathLike]] = None) -> str:
    """Times every stage in this process on a picture file, and gives the JSON of `veriface bench --json`."""
    settings = _native.Settings(pack_file=None if pack is None else os.fspath(pack))
    with open(picture, "rb") as file:
        return _call(_native.latency, settings, file.read(), runs, device)


Source = Union[str, os.PathLike, bytes, bytearray, memoryview, frame, bgr, Any]


def _array(array, reversed_channels: bool) -> frame:
    if str(array.dtype) != "uint8" or array.ndim not in (2, 3) or 0 in array.shape:
        raise TypeError(f"an array of uint8 with height x width x channels is wanted, not {array.dtype} of shape {array.shape}")
    channels = 1 if array.ndim == 2 else array.shape[2]
    layouts = {
        (1, False): PixelLayout.GRAY8, (1, True): PixelLayout.GRAY8,
        (3, False): PixelLayout.RGB8, (3, True): PixelLayout.BGR8,
        (4, False): PixelLayout.RGBA8, (4, True): PixelLayout.BGRA8,
    }
    layout = layouts.get((channels, reversed_channels))
    if layout is None:
        raise TypeError(f"1, 3 or 4 channels are wanted, not {channels}")
    # Rows are made adjacent and copied by the same step.
    return frame(layout, array.shape[1], array.shape[0], [array.tobytes()])


def _picture(source: Source) -> _native.Picture:
    if isinstance(source, _Located):
        return _call(_picture(source.picture).at, source.landmarks)
    if isinstance(source, (str, os.PathLike)):
        return _call(_native.Picture.open, os.fspath(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _call(_native.Picture.decode, bytes(source))
    if isinstance(source, bgr):
        source = _array(source.array, True)
    elif hasattr(source, "dtype") and hasattr(source, "tobytes"):
        source = _array(source, False)
    elif hasattr(source, "convert") and hasattr(source, "getexif"):
        # A Pillow image: its EXIF orientation has not been applied.
        degrees, mirrored = _UPRIGHT.get(source.getexif().get(0x0112, 1), (0, False))
        image = source.convert("RGB")
        source = frame(PixelLayout.RGB8, image.width, image.height, [image.tobytes()], rotation=degrees, mirrored=mirrored)
    if isinstance(source, frame):
        return _call(_native.Picture.pixels, source._layout, *source._planes)
    raise TypeError(f"a picture is a path, a file's bytes, an array, a Pillow image or a frame, not {type(source).__name__}")


#: EXIF 2.32, tag 0x0112: degrees clockwise to upright, and whether the upright picture is then mirrored.
_UPRIGHT = {
    1: (0, False), 2: (0, True), 3: (180, False), 4: (180, True), 5: (90, True), 6: (90, False), 7: (270, True), 8: (270, False),
}


def _named(source: Source, name) -> _native.Picture:
    try:
        return _picture(source)
    except Error as error:
        error.picture = name
        raise


class Template:
    """One person, enrolled. Biometric data: keep its bytes sealed."""

    def __init__(self, inner: _native.Template):
        self._inner = inner

    @staticmethod
    def from_bytes(data: bytes) -> "Template":
        """Reads what `to_bytes` wrote, in any language."""
        return Template(_call(_native.Template.from_bytes, bytes(data)))

    def to_bytes(self) -> bytes:
        """The portable bytes."""
        return self._inner.to_bytes()

    def embedding(self) -> list[float]:
        """The unit vector, for storage in another engine."""
        return self._inner.embedding()

    @property
    def samples(self) -> int:
        """How many pictures it was made of."""
        return self._inner.samples()

    @property
    def model_id(self) -> str:
        """The model that it belongs to; a verifier of another model refuses it."""
        return self._inner.model_id()

    def compare(self, other: "Template") -> float:
        """The comparison score, -1 to 1: a cosine, and no percentage."""
        return _call(self._inner.compare, other._inner)

    def __repr__(self) -> str:
        return f"<veriface.Template of {self.samples} pictures>"


class Verifier:
    """Answers whether two pictures show the same person. Make one and share it between threads: calls let go of Python's lock."""

    def __init__(
        self,
        pack: Optional[Union[str, os.PathLike]] = None,
        *,
        false_match_rate: Optional[float] = None,
        stated_threshold: Optional[float] = None,
        face_rule: Optional[FaceRule] = None,
        pack_key: Optional[str] = None,
    ):
        settings = _native.Settings(
            pack_file=None if pack is None else os.fspath(pack),
            pack_bytes=None,
            pack_key=pack_key,
            false_match_rate=false_match_rate,
            stated_threshold=stated_threshold,
            face_rule=face_rule,
        )
        self._inner = _call(_native.Verifier, settings)

    def verify(self, reference: Union[Source, Template], probe: Source) -> Decision:
        """Decides whether both show the same person. `reference` may be a template."""
        if isinstance(reference, Template):
            if isinstance(probe, frame):
                return _call(self._inner.verify_frame, reference._inner, probe._layout, *probe._planes)
            return _call(self._inner.verify_template, reference._inner, _named(probe, "probe"))
        return _call(self._inner.verify, _named(reference, "reference"), _named(probe, "probe"))

    def enrol(self, pictures: Iterable[Source]) -> Template:
        """A template of one person's pictures."""
        return Template(self.enrolment(pictures).template)

    def enrolment(self, pictures: Iterable[Source]) -> Enrolment:
        """The same, with how well the pictures agree: `scores` and `outliers`."""
        return _call(self._inner.enrol, [_named(picture, place) for place, picture in enumerate(pictures)])

    def detect(self, picture: Source) -> list[Face]:
        """The faces of a picture, the surest first."""
        return _call(self._inner.detect, _picture(picture))

    @property
    def model_id(self) -> str:
        """What every template of this verifier carries."""
        return self._inner.model_id()


class Session:
    """One person before a camera: feed it frames until `ready`, then decide or enrol."""

    def __init__(self, verifier: Verifier, purpose: Purpose = Purpose.VERIFY):
        self._inner = _call(_native.Session, verifier._inner, purpose)

    def frame(self, picture: Source, seconds: float) -> Progress:
        """Takes the next frame; `seconds` is its time since any fixed moment."""
        milliseconds = round(seconds * 1000)
        if isinstance(picture, frame):
            return _call(self._inner.frame, picture._layout, *picture._planes, milliseconds)
        return _call(self._inner.picture, _picture(picture), milliseconds)

    def decide(self, reference: Template) -> Decision:
        """Whether the person followed is that of the template, by the best frames. Once, when ready."""
        return _call(self._inner.decide, reference._inner)

    def enrol(self) -> Template:
        """A template of the best frames."""
        return Template(_call(self._inner.enrol).template)

    def reset(self) -> None:
        """Forgets the person, for the next one."""
        self._inner.reset()
