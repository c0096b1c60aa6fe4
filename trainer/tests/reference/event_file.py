"""Reads an event file that `trainer train` wrote, by the formats' own descriptions, and prints a line for each point.

python3 tests/reference/event_file.py runs/small/events.out.tfevents.* needs nothing but Python. Every checksum is verified. Where the
package `tensorboard` is installed, its own reader must find the same points.
"""

import struct
import sys

TABLE = []
for value in range(256):
    for _ in range(8):
        value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    TABLE.append(value)


def masked_crc(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    """TFRecord: length, its CRC, record, its CRC."""
    place = 0
    while place < len(data):
        length, crc = struct.unpack_from("<QI", data, place)
        assert masked_crc(data[place : place + 8]) == crc, f"the length's checksum at byte {place}"
        record = data[place + 12 : place + 12 + length]
        assert len(record) == length, "the last record is cut off"
        assert masked_crc(record) == struct.unpack_from("<I", data, place + 12 + length)[0], f"the checksum at byte {place}"
        yield record
        place += length + 16


def varint(data, place):
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place


def fields(message):
    """Protocol buffers' wire format: number and value of each field."""
    place = 0
    while place < len(message):
        key, place = varint(message, place)
        if key & 7 == 0:
            value, place = varint(message, place)
        else:
            size = {1: 8, 5: 4}.get(key & 7)
            if size is None:
                size, place = varint(message, place)
            value = message[place : place + size]
            place += size
        yield key >> 3, value


def points(path):
    with open(path, "rb") as file:
        events = [dict(fields(record)) for record in records(file.read())]
    assert events[0][3] == b"brain.Event:2", events[0]
    for event in events[1:]:
        for _, value in fields(event[5]):
            value = dict(fields(value))
            yield event.get(2, 0), value[1].decode(), struct.unpack("<f", value[2])[0]


def main():
    for path in sys.argv[1:]:
        ours = list(points(path))
        for step, tag, value in ours:
            print(step, tag, value)
        try:
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        except ImportError:
            continue
        reader = EventAccumulator(path, size_guidance={"scalars": 0}).Reload()
        theirs = [(e.step, tag, e.value) for tag in reader.Tags()["scalars"] for e in reader.Scalars(tag)]
        assert sorted(theirs) == sorted(ours), f"{path}: tensorboard finds {len(theirs)} points, not {len(ours)}"
        print(f"{path}: tensorboard finds the same {len(ours)} points")


main()
