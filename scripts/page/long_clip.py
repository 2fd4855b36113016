"""A long clip made of a short one, as a camera writes it: its pictures again and again, the table of them at the end.

Usage: long_clip.py SHORT.mp4 LONG.mp4 BYTES        (prints its seconds)
"""
import struct
import sys

OPEN = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts")


def boxes(data):
    at = 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8:at + size]
        at += size


def box(kind, body):
    return struct.pack(">I4s", len(body) + 8, kind) + body


def words(body, skip, each):
    """The entries of a table, behind its version, flags and count."""
    return [body[at:at + each] for at in range(skip, len(body), each)]


def table(entries, head=b""):
    return bytes(4) + head + struct.pack(">I", len(entries)) + b"".join(entries)


def longer(body, at, times):
    """A box with a 32-bit duration at a place."""
    duration = struct.unpack_from(">I", body, at)[0] * times
    return body[:at] + struct.pack(">I", duration) + body[at + 4:]


def stretch(kind, body, facts):
    times, samples, size, start = facts
    if kind in OPEN:
        return b"".join(box(inner, stretch(inner, content, facts)) for inner, content in boxes(body))
    if kind in (b"mvhd", b"mdhd"):
        return longer(body, 16, times)
    if kind == b"tkhd":
        return longer(body, 20, times)
    if kind == b"elst":
        return longer(body, 8, times)
    if kind in (b"stts", b"ctts"):
        return table(words(body, 8, 8) * times)
    if kind == b"stss":
        keys = [struct.unpack(">I", entry)[0] for entry in words(body, 8, 4)]
        return table([struct.pack(">I", key + turn * samples) for turn in range(times) for key in keys])
    if kind == b"stsz":
        return table(words(body, 12, 4) * times, bytes(4))
    if kind == b"stsc":
        return table([struct.pack(">III", 1, samples, 1)])
    if kind == b"stco":
        return table([struct.pack(">I", start + turn * size) for turn in range(times)])
    return body


short, long, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(short, "rb") as file:
    parts = dict(boxes(file.read()))
pictures = parts[b"mdat"]
header = box(b"ftyp", parts[b"ftyp"])
samples = struct.unpack_from(">I", parts[b"moov"], parts[b"moov"].index(b"stsz") + 12)[0]
seconds = struct.unpack_from(">I", parts[b"moov"], parts[b"moov"].index(b"mvhd") + 20)[0] / 1000
times = wanted // len(pictures) + 1
with open(long, "wb") as file:
    file.write(header + struct.pack(">I4s", len(pictures) * times + 8, b"mdat"))
    start = file.tell()
    for _ in range(times):
        file.write(pictures)
    file.write(box(b"moov", stretch(b"moov", parts[b"moov"], (times, samples, len(pictures), start))))
print(seconds * times)
