"""Writes golden verification sets as Python 2, Python 3 and numpy pickle them, and the form that the trainer writes.

    python verification_bin.py ../golden/verification_bin            # once with numpy 1 and once with numpy 2

Python 2's files are assembled from the operations that its cPickle writes under protocol 2 (insightface's own files are such), and
read back as insightface reads them: `pickle.load(file, encoding="bytes")`.
"""

import pickle
import struct
import sys
from pathlib import Path

LENGTHS = [1, 2, 255, 256, 300, 700]
PICTURES = [bytes((i * i + length) % 256 for i in range(length)) for length in LENGTHS]
SAME = [True, False, True]


class Python2:
    """The operations of Python 2's cPickle, protocol 2, for lists, strings, booleans and numpy arrays."""

    def __init__(self):
        self.out = [b"\x80\x02"]
        self.memo = 0

    def put(self):
        place, self.memo = self.memo, self.memo + 1
        self.out.append(b"q" + bytes([place]) if place < 256 else b"r" + struct.pack("<I", place))
        return place

    def string(self, value):
        short = len(value) < 256
        self.out.append((b"U" + bytes([len(value)]) if short else b"T" + struct.pack("<I", len(value))) + value)
        return self.put()

    def array(self, value, known):
        """numpy's `__reduce__` under Python 2: `_reconstruct(ndarray, (0,), 'b')`, then the state."""
        if known:
            self.out.append(b"h" + bytes([known["reconstruct"]]) + b"h" + bytes([known["ndarray"]]))
        else:
            self.out.append(b"cnumpy.core.multiarray\n_reconstruct\n")
            known["reconstruct"] = self.put()
            self.out.append(b"cnumpy\nndarray\n")
            known["ndarray"] = self.put()
        self.out.append(b"K\x00\x85")
        self.put()
        if "b" in known:
            self.out.append(b"h" + bytes([known["b"]]))
        else:
            known["b"] = self.string(b"b")
        self.out.append(b"\x87")
        self.put()
        self.out.append(b"R")
        self.put()
        self.out.append(b"(K\x01")
        size = len(value)
        self.out.append((b"K" + bytes([size]) if size < 256 else b"M" + struct.pack("<H", size) if size < 65536 else b"J" + struct.pack("<i", size)) + b"K\x01\x86")
        self.put()
        if "dtype" in known:
            self.out.append(b"h" + bytes([known["dtype"]]))
        else:
            self.out.append(b"cnumpy\ndtype\n")
            self.put()
            self.string(b"u1")
            self.out.append(b"K\x00K\x01\x87")
            self.put()
            self.out.append(b"R")
            known["dtype"] = self.put()
            self.out.append(b"(K\x03")
            self.string(b"|")
            self.out.append(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t")
            self.put()
            self.out.append(b"b")
        self.out.append(b"\x89")
        self.string(value)
        self.out.append(b"t")
        self.put()
        self.out.append(b"b")

    def set(self, arrays):
        known = {}
        self.out.append(b"]")
        self.put()
        self.out.append(b"(")
        for picture in PICTURES:
            self.array(picture, known) if arrays else self.string(picture)
        self.out.append(b"e]")
        self.put()
        self.out.append(b"(" + b"".join(b"\x88" if same else b"\x89" for same in SAME) + b"e\x86")
        self.put()
        self.out.append(b".")
        return b"".join(self.out)


def loaded(file):
    pictures, same = pickle.loads(file.read_bytes(), encoding="bytes")
    return [bytes(bytearray(picture)) if isinstance(picture, (bytes, bytearray)) else picture.tobytes() for picture in pictures], list(same)


def write(folder):
    import numpy

    generation = "numpy" + numpy.__version__.split(".")[0]
    arrays = [numpy.frombuffer(picture, numpy.uint8).reshape(-1, 1).copy() for picture in PICTURES]
    files = {
        "python2-bytes": Python2().set(arrays=False),
        "python2-arrays": Python2().set(arrays=True),
        "protocol4-numpy-labels": pickle.dumps((PICTURES, [numpy.bool_(same) for same in SAME]), 4),
    }
    pictures = b"".join(b"B" + struct.pack("<I", len(picture)) + picture for picture in PICTURES)
    same = b"".join(b"\x88" if same else b"\x89" for same in SAME)
    files["written"] = b"\x80\x03](" + pictures + b"e](" + same + b"e\x86."
    assert pickle.loads(files["written"]) == (PICTURES, SAME)
    files |= {f"protocol{n}-bytes": pickle.dumps((PICTURES, SAME), n) for n in (2, 3, 4, 5)}
    files |= {f"protocol{n}-arrays-{generation}": pickle.dumps((arrays, SAME), n) for n in (2, 4, 5)}
    for name, data in files.items():
        file = folder / f"{name}.bin"
        file.write_bytes(data)
        assert loaded(file) == (PICTURES, SAME), name


folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
write(folder)
