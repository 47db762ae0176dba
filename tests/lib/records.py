"""Records as batchd and its workers write them (common/record.h)."""
import struct

HEADER = struct.Struct("<4sHHII")  # magic, version, type, payload bytes, CRC-32C
ATTEMPT = struct.Struct("<QQIB")  # job, index, attempt, whether it is a task's


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def record(kind, payload):
    body = struct.pack("<HHI", 1, kind, len(payload))
    return b"BATR" + body + struct.pack("<I", crc32c(body + payload)) + payload


def each(data):
    """(offset, type, payload) of the whole records of a log."""
    at = 0
    while at + HEADER.size <= len(data):
        magic, _, kind, size, _ = HEADER.unpack_from(data, at)
        if magic != b"BATR" or at + HEADER.size + size > len(data):
            return
        yield at, kind, data[at + HEADER.size:at + HEADER.size + size]
        at += HEADER.size + size
