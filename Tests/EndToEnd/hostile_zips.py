"""Zips that must be refused, each with the code that must be given, and zips that must be taken, each with what is in it.

HOSTILE: name -> (bytes, error_code). GOOD: name -> (bytes, {path: content}).
As a program: `hostile_zips.py FOLDER` writes them as files for tests that are not in Python: hostile/CODE/NAME.zip, good/NAME.zip
and good/NAME/ with the files that must come out.
"""
import functools
import io
import random
import struct
import sys
import zipfile
import zlib
from pathlib import Path

MAIN = b"print('hello')\n" * 5
FILE, FOLDER = 0o100644, 0o040755
STORED, DEFLATED = 0, 8


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


class Entry:
    """An entry that can lie: `central`, `local` and `descriptor` replace fields (name, flags, method, crc, packed, size, offset) there.
    `trailer`: None, or (signature?, 8-byte sizes?) of a data descriptor. `hidden`: not in the directory."""

    def __init__(self, name="main.py", data=MAIN, method=STORED, mode=FILE, flags=0x800, raw=None, central=None, local=None, trailer=None,
                 descriptor=None, extra=b"", local_extra=b"", hidden=False, gap=b"", host=3):
        self.raw = raw if raw is not None else deflate(data) if method == DEFLATED else data
        name = name if isinstance(name, bytes) else name.encode()
        flags |= 8 if trailer else 0
        truth = dict(name=name, flags=flags, method=method, crc=zlib.crc32(data), packed=len(self.raw), size=len(data))
        self.central = truth | (central or {})
        self.local = truth | (dict(crc=0, packed=0, size=0) if trailer else {}) | (local or {})
        self.descriptor = truth | (descriptor or {})
        self.trailer, self.extra, self.local_extra, self.hidden, self.gap = trailer, extra, local_extra, hidden, gap
        self.attributes, self.host = mode << 16, host

    def header(self):
        f = self.local
        return struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, f["flags"], f["method"], 0, 0x21, f["crc"], f["packed"], f["size"], len(f["name"]),
                           len(self.local_extra)) + f["name"] + self.local_extra

    def body(self):
        if not self.trailer:
            return self.raw
        signed, large = self.trailer
        f = self.descriptor
        return self.raw + (b"PK\7\10" if signed else b"") + struct.pack("<IQQ" if large else "<III", f["crc"], f["packed"], f["size"])

    def record(self, offset):
        f = self.central
        return struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20 | self.host << 8, 20, f["flags"], f["method"], 0, 0x21, f["crc"], f["packed"],
                           f["size"], len(f["name"]), len(self.extra), 0, f.get("disk", 0), 0, self.attributes,
                           f.get("offset", offset)) + f["name"] + self.extra


def end(count, length, offset, comment=b"", disk=0, count_here=None):
    return struct.pack("<IHHHHIIH", 0x06054B50, disk, disk, count if count_here is None else count_here, count, length, offset,
                       len(comment)) + comment


def build(*entries, prefix=b"", gap=b"", behind=b"", tail=b"", count=None, zip64=None, **fields):
    body, directory = bytearray(prefix), bytearray()
    for entry in entries:
        body += entry.gap
        if not entry.hidden:
            directory += entry.record(len(body))
        body += entry.header() + entry.body()
    body += gap
    shown = sum(not entry.hidden for entry in entries)
    numbers = dict(count=min(shown, 0xFFFF) if count is None else count, length=len(directory), offset=len(body))
    out = bytes(body + directory) + behind
    if zip64 is not None:
        large = numbers | {"count": shown} | zip64
        out += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, large["count"], large["count"], large["length"], large["offset"])
        out += struct.pack("<IIQI", 0x07064B50, 0, len(body) + len(directory) + len(behind), 1)
    return out + end(**(numbers | fields)) + tail


def one(**fields):
    return build(Entry(**fields))


def named(*names):
    return build(*(Entry(name, b"" if name.endswith("/") else MAIN, mode=FOLDER if name.endswith("/") else FILE) for name in names))


def mode(value, name="thing", data=b"main.py"):
    return build(Entry(), Entry(name, data, mode=value))


def quoting_bomb():
    """Fifield's construction: each file's stream quotes the next file's header in a stored block and then runs into its data."""
    kernel = deflate(bytes(100_000))
    last = Entry("b", bytes(100_000), method=DEFLATED)
    quoted = last.header()
    stream = b"\0" + struct.pack("<HH", len(quoted), 0xFFFF ^ len(quoted)) + quoted + kernel
    data = quoted + bytes(100_000)
    first = Entry("a", data, method=DEFLATED, raw=stream)
    body = first.header() + stream
    directory = first.record(0) + last.record(len(first.header()) + 5)
    return body + directory + end(2, len(directory), len(body))


def same_header_twice():
    first, second = Entry("a"), Entry("a", central={"name": b"b"})
    body = first.header() + first.body()
    directory = first.record(0) + second.record(0)
    return body + directory + end(2, len(directory), len(body))


def many(count):
    return build(*(Entry(f"{index:06d}.py", b"") for index in range(count)), zip64={})


def packed_noise(name, size, packed):
    """Says that much comes out of that little; nobody should try."""
    return Entry(name, method=DEFLATED, raw=random.Random(1).randbytes(packed), central={"size": size}, local={"size": size})


def hostile():
    zeros = bytes(50 << 20)
    noise = random.Random(2).randbytes(900)
    lie = lambda **fields: dict(central=fields, local=fields)
    yield from {
        # names
        "traversal": (named("main.py", "../evil.py"), "zip_traversal"),
        "traversal-inside": (named("main.py", "a/../../evil.py"), "zip_traversal"),
        "traversal-folder": (named("main.py", "a/../"), "zip_traversal"),
        "absolute": (named("main.py", "/etc/evil"), "zip_absolute_path"),
        "drive": (named("main.py", "C:/evil.py"), "zip_absolute_path"),
        "drive-relative": (named("main.py", "c:evil.py"), "zip_absolute_path"),
        "backslash": (named("main.py", "..\\evil.py"), "zip_backslash"),
        "newline": (named("main.py", "a\nb.py"), "zip_control_character"),
        "nul": (named("main.py", "evil.py\0.txt"), "zip_control_character"),
        "escape": (named("main.py", "\x1b[2J"), "zip_control_character"),
        "delete": (named("main.py", "a\x7f"), "zip_control_character"),
        "c1-control": (named("main.py", "a\x85b"), "zip_control_character"),
        "line-separator": (named("main.py", "a\u2028b"), "zip_control_character"),
        "no-name": (build(Entry(), Entry("")), "zip_name"),
        "empty-part": (named("main.py", "a//b.py"), "zip_name"),
        "only-slash": (named("main.py", "a", "//"), "zip_absolute_path"),
        "dot": (named("./main.py"), "zip_name"),
        "bad-utf8": (one(name=b"\xff\xfe.py"), "zip_name_encoding"),
        "bad-utf8-unflagged": (one(name=b"m\x81in.py", flags=0), "zip_name_encoding"),
        "overlong-utf8": (one(name=b"a\xc0\xaf..\xc0\xafb"), "zip_name_encoding"),
        "long-name": (named("main.py", "a" * 256), "zip_name_length"),
        "long-path": (named("main.py", "/".join(["a" * 60] * 9)), "zip_name_length"),
        "deep": (named("main.py", "/".join("a" * 21)), "zip_depth"),
        # kinds
        "symlink": (mode(0o120777), "zip_symlink"),
        "symlink-folder": (mode(0o120777, "link/", b""), "zip_symlink"),
        "character-device": (mode(0o020666), "zip_special_file"),
        "block-device": (mode(0o060666), "zip_special_file"),
        "fifo": (mode(0o010666), "zip_special_file"),
        "socket": (mode(0o140666), "zip_special_file"),
        "setuid": (mode(0o104755), "zip_setuid"),
        "setgid": (mode(0o102755), "zip_setuid"),
        "setuid-folder": (mode(0o044755, "x/", b""), "zip_setuid"),
        "symlink-from-dos": (build(Entry(), Entry("x", mode=0o120777, host=0)), "zip_symlink"),
        "folder-by-mode": (mode(FOLDER), "zip_header_mismatch"),
        "file-by-mode": (mode(FILE, "x/", b""), "zip_header_mismatch"),
        "folder-with-data": (build(Entry(), Entry("x/", b"data", mode=FOLDER)), "zip_size"),
        # duplicates
        "same-name": (named("main.py", "main.py"), "zip_duplicate"),
        "same-by-case": (named("main.py", "Main.PY"), "zip_duplicate"),
        "same-by-composition": (named("main.py", "caf\u00e9.py", "cafe\u0301.py"), "zip_duplicate"),
        "same-by-sharp-s": (named("main.py", "stra\u00dfe", "STRASSE"), "zip_duplicate"),
        "same-by-kelvin": (named("main.py", "k", "\u212a"), "zip_duplicate"),
        "same-folder-by-case": (named("lib/a.py", "Lib/b.py"), "zip_duplicate"),
        "same-folder": (named("lib/", "lib/a.py", "lib/"), "zip_duplicate"),
        "file-and-folder": (named("lib", "lib/a.py"), "zip_duplicate"),
        "folder-and-file": (named("lib/a.py", "lib"), "zip_duplicate"),
        "folder-entry-and-file": (named("main.py", "lib/", "LIB"), "zip_duplicate"),
        # sizes
        "bomb-ratio": (one(data=zeros, method=DEFLATED), "zip_bomb_ratio"),
        "bomb-ratio-sum": (build(*(Entry(f"{i}", zeros[:10 << 20], method=DEFLATED) for i in range(4))), "zip_bomb_ratio"),
        "bomb-total": (build(*(packed_noise(f"{i}", 200 << 20, 11 << 17) for i in range(3))), "zip_total_size"),
        "bomb-file": (build(packed_noise("big", 300 << 20, 2 << 20)), "zip_file_size"),
        "bomb-quoting": (quoting_bomb(), "zip_overlap"),
        "same-header-twice": (same_header_twice(), "zip_overlap"),
        "bomb-that-says-10": (one(data=zeros, method=DEFLATED, **lie(size=10)), "zip_size"),
        "larger-than-said": (one(method=DEFLATED, **lie(size=10)), "zip_size"),
        "smaller-than-said": (one(method=DEFLATED, **lie(size=5000)), "zip_size"),
        "stored-sizes-differ": (one(**lie(size=10)), "zip_size"),
        "packed-too-small": (one(method=DEFLATED, **lie(packed=5)), "zip_hidden_data"),
        "packed-too-large": (one(method=DEFLATED, **lie(packed=5000)), "zip_overlap"),
        "packed-into-the-directory": (one(method=DEFLATED, **lie(packed=len(deflate(MAIN)) + 9)), "zip_overlap"),
        "packed-4-gib": (one(method=DEFLATED, **lie(packed=0xFFFFFFFE)), "zip_overlap"),
        "behind-the-stream": (one(method=DEFLATED, raw=deflate(MAIN) + b"hidden"), "zip_size"),
        "size-of-local": (one(method=DEFLATED, local={"size": 7}), "zip_header_mismatch"),
        "size-of-central": (one(method=DEFLATED, central={"size": 7}), "zip_header_mismatch"),
        "packed-of-local": (one(method=DEFLATED, local={"packed": 7}), "zip_header_mismatch"),
        "size-of-descriptor": (one(method=DEFLATED, trailer=(True, False), descriptor={"size": 7}), "zip_header_mismatch"),
        "packed-of-descriptor": (one(method=DEFLATED, trailer=(False, True), descriptor={"packed": 7}), "zip_header_mismatch"),
        "checksum-of-descriptor": (one(method=DEFLATED, trailer=(False, False), descriptor={"crc": 7}), "zip_header_mismatch"),
        "size-of-local-before-descriptor": (one(method=DEFLATED, trailer=(True, True), local={"size": 7}), "zip_header_mismatch"),
        "no-descriptor": (one(method=DEFLATED, flags=0x808, local={"size": 0, "crc": 0, "packed": 0}), "zip_header_mismatch"),
        "half-a-descriptor": (build(Entry(flags=0x808, local={"size": 0}), gap=b"1234567"), "zip_header_mismatch"),
        "long-descriptor": (build(Entry(flags=0x808, local={"size": 0}), gap=b"1234567" * 9), "zip_hidden_data"),
        "zip64-size-without-field": (one(**lie(size=0xFFFFFFFF)), "zip_damaged"),
        "zip64-size-huge": (one(**lie(size=0xFFFFFFFF), extra=struct.pack("<HHQ", 1, 8, 2**64 - 1)), "zip_damaged"),
        "zip64-size-large": (one(method=DEFLATED, **lie(size=0xFFFFFFFF), extra=struct.pack("<HHQ", 1, 8, 2**63 - 1)), "zip_file_size"),
        "checksum": (one(**lie(crc=7)), "zip_checksum"),
        "checksum-deflated": (one(method=DEFLATED, **lie(crc=7)), "zip_checksum"),
        "no-deflate": (one(method=DEFLATED, raw=b"\xff" * 40), "zip_damaged"),
        "half-a-stream": (one(data=noise, method=DEFLATED, raw=deflate(noise)[:500]), "zip_damaged"),
        "empty-stream": (one(method=DEFLATED, raw=b""), "zip_damaged"),
        # entries
        "entries-100000": (many(100_000), "zip_entries"),
        "entries-100000-says-3": (build(*(Entry(f"{i}", b"") for i in range(100_000)), count=3), "zip_header_mismatch"),
        "count-too-small": (build(Entry("a"), Entry("b"), count=1), "zip_header_mismatch"),
        "count-too-large": (build(Entry("a"), Entry("b"), count=3), "zip_damaged"),
        "count-zero": (build(Entry("a"), count=0), "zip_header_mismatch"),
        "counts-differ": (build(Entry("a"), count_here=2), "zip_multi_disk"),
        "hidden-entry": (build(Entry("a"), Entry("evil", hidden=True), Entry("b")), "zip_hidden_data"),
        "hidden-last-entry": (build(Entry("a"), Entry("evil", hidden=True)), "zip_hidden_data"),
        "bytes-before": (build(Entry("a"), prefix=b"#!/bin/sh\n"), "zip_hidden_data"),
        "bytes-between": (build(Entry("a"), Entry("b", gap=b"??")), "zip_hidden_data"),
        "bytes-before-directory": (build(Entry("a"), gap=b"??"), "zip_hidden_data"),
        "bytes-behind-directory": (build(Entry("a"), behind=b"??"), "zip_hidden_data"),
        "offset-beyond": (one(central={"offset": 0xFFFFFFF0}), "zip_hidden_data"),
        "offset-of-other": (build(Entry("a"), Entry("b", central={"offset": 0})), "zip_overlap"),
        "offset-in-data": (one(central={"offset": 3}), "zip_hidden_data"),
        # headers
        "other-name": (one(local={"name": b"other.p"}), "zip_header_mismatch"),
        "other-method": (one(local={"method": DEFLATED}), "zip_header_mismatch"),
        "other-flags": (one(local={"flags": 0}), "zip_header_mismatch"),
        "encrypted": (one(flags=0x801), "zip_encrypted"),
        "encrypted-strongly": (one(flags=0x840), "zip_encrypted"),
        "encrypted-directory": (one(flags=0x2800), "zip_encrypted"),
        "patch": (one(flags=0x820), "zip_method"),
        **{f"method-{number}": (one(method=number, raw=MAIN), "zip_method") for number in (1, 6, 9, 12, 14, 93, 95, 98, 99, 65535)},
        # the whole
        "nothing": (b"", "zip_not_a_zip"),
        "text": (b"this is no zip\n" * 100, "zip_not_a_zip"),
        "a-gzip": (zlib.compress(MAIN, wbits=31), "zip_not_a_zip"),
        "only-signature": (b"PK\5\6", "zip_not_a_zip"),
        "trailing": (build(Entry(), tail=b"trailing"), "zip_not_a_zip"),
        "empty": (build(), "zip_empty"),
        "only-folders": (named("a/", "a/b/", "c/"), "zip_empty"),
        "only-macos": (named("__MACOSX/._main.py", ".DS_Store"), "zip_empty"),
        "end-in-comment": (build(Entry("a"), comment=b"hello " + end(0, 0, 0)), "zip_ambiguous"),
        "end-in-comment-unfinished": (build(Entry("a"), comment=b"hello " + end(0, 0, 0) + b"more"), "zip_ambiguous"),
        "disk-of-end": (build(Entry("a"), disk=1), "zip_multi_disk"),
        "disk-of-entry": (one(central={"disk": 1}), "zip_multi_disk"),
        "directory-beyond": (build(Entry("a"), offset=0x7FFFFFFF), "zip_damaged"),
        "directory-long": (build(Entry("a"), length=0x7FFFFFFF), "zip_damaged"),
        "directory-short": (build(Entry("a"), length=10), "zip_hidden_data"),
        "zip64-disagrees": (build(Entry("a"), zip64={"count": 2}), "zip_header_mismatch"),
        "zip64-huge": (build(Entry("a"), zip64={"count": 2**64 - 1, "length": 2**64 - 1, "offset": 2**64 - 1}, length=0xFFFFFFFF,
                             offset=0xFFFFFFFF, count=0xFFFF), "zip_damaged"),
        "zip64-many": (build(Entry("a"), count=0xFFFF, zip64={"count": 2**40}), "zip_entries"),
    }.items()


class Unseekable(io.RawIOBase):
    """What a pipe is to a zip's writer: it must put the sizes behind the data."""

    def __init__(self):
        self.bytes = bytearray()

    def writable(self):
        return True

    def write(self, data):
        self.bytes += data
        return len(data)


def by_zipfile(files, target=None, **arguments):
    out = target or io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_STORED if name.endswith(".bin") else zipfile.ZIP_DEFLATED
            with archive.open(info, "w", **arguments) as file:
                file.write(data)
    return bytes(out.bytes) if isinstance(out, Unseekable) else out.getvalue()


def good():
    noise = random.Random(4).randbytes(300_000)
    project = {"main.py": MAIN, "robot/legs.py": b"x = 1\n" * 20_000, "robot/noise.bin": noise, "empty.txt": b""}
    inside = {f"dog/{name}": data for name, data in project.items()}
    inner = by_zipfile({"../evil": MAIN})
    descriptors = {f"{int(signed)}{int(large)}": (signed, large) for signed in (0, 1) for large in (0, 1)}
    macos = [Entry("dog/", b"", mode=0o040755, flags=0), *(Entry(name, data, DEFLATED, flags=0, trailer=(True, False), mode=0o100644)
             for name, data in inside.items()), Entry("dog/.DS_Store", b"\0\0\0\1Bud1", DEFLATED, flags=0, trailer=(True, False)),
             Entry("__MACOSX/dog/._main.py", b"\0\5\26\7", DEFLATED, flags=0, trailer=(True, False)),
             Entry("dog/scho\u0308n.py", MAIN, DEFLATED, flags=0, trailer=(True, False))]
    yield from {
        "zipfile": (by_zipfile(project), project),
        "zipfile-streamed": (by_zipfile(project, Unseekable()), project),
        "zipfile-zip64": (by_zipfile(project, force_zip64=True), project),
        "zipfile-streamed-zip64": (by_zipfile(project, Unseekable(), force_zip64=True), project),
        "lone-folder": (by_zipfile(inside), project),
        "macos": (build(*macos), project | {"scho\u0308n.py": MAIN}),
        "nested": (by_zipfile({"main.py": MAIN, "inner.zip": inner}), {"main.py": MAIN, "inner.zip": inner}),
        "nested-stored-last": (build(Entry(), Entry("inner.zip", inner)), {"main.py": MAIN, "inner.zip": inner}),
        "comment": (build(Entry(), comment=b"made by hand " * 300), {"main.py": MAIN}),
        "zip64-end": (build(Entry(), zip64={}, count=0xFFFF, length=0xFFFFFFFF, offset=0xFFFFFFFF), {"main.py": MAIN}),
        "zip64-end-besides": (build(Entry(), zip64={}), {"main.py": MAIN}),
        "dos": (build(Entry(mode=0, host=0, flags=0)), {"main.py": MAIN}),
        "java-folder": (build(Entry("a/", b"", DEFLATED, mode=0, host=0), Entry("a/main.py"), Entry("b.py")), {"a/main.py": MAIN, "b.py": MAIN}),
        "empty-map": (one(name="map.pgm", data=bytes(4096 * 4096), method=DEFLATED), {"map.pgm": bytes(4096 * 4096)}),
        **{f"descriptor-{name}": (one(method=DEFLATED, trailer=trailer), {"main.py": MAIN}) for name, trailer in descriptors.items()},
    }.items()


@functools.cache
def tables():
    return dict(hostile()), dict(good())


def __getattr__(name):
    if name in ("HOSTILE", "GOOD"):
        return tables()[name == "GOOD"]
    raise AttributeError(name)


if __name__ == "__main__":
    root = Path(sys.argv[1])
    for name, (data, code) in tables()[0].items():
        (root / "hostile" / code).mkdir(parents=True, exist_ok=True)
        (root / "hostile" / code / f"{name}.zip").write_bytes(data)
    for name, (data, files) in tables()[1].items():
        for path, content in files.items():
            (root / "good" / name / path).parent.mkdir(parents=True, exist_ok=True)
            (root / "good" / name / path).write_bytes(content)
        (root / "good" / f"{name}.zip").write_bytes(data)
