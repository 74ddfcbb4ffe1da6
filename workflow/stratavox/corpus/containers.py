"""Where the audio of a recording begins and ends: what its header says, and what its file holds.

A recorder writes the length last. If it loses power, the header says too little, or nothing. A WAV
file's sizes have 32 bits: past 4 GB they begin again at 0. libsndfile then reads what the header
says, without an error. Read are the chunks of WAV (RIFF, RF64; EBU Tech 3306), Wave64, AIFF and
CAF, and AU's header.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

# Chunks whose bodies `layout` returns.
KEPT = (b"fmt ", b"ds64", b"guan", b"wamd", b"LIST")
# Chunks that stand behind the audio: enough to know them by name, should their sizes be wrong.
BEHIND = (*KEPT[2:], b"id3 ", b"ID3 ", b"bext", b"iXML", b"cue ")
EXTENSIBLE = b"\xfe\xff"
# Limits for broken files; fewer bytes than a chunk's head, and less padding, are no audio.
MOST_CHUNKS, MOST_BYTES, MOST_PADDING, SLACK = 64, 1 << 20, 1 << 20, 8
# Wave64's names of 16 bytes: four letters, then one of two endings.
GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")
GUID_RIFF = bytes.fromhex("2e91cf11a5d628db04c10000")


@dataclass(frozen=True)
class Family:
    """How a format's chunks are written.

    ``head`` is a chunk's name and size, ``start`` where the first begins, ``pad`` what sizes are
    padded to, ``audio`` the chunk of samples, of which the first ``skip`` bytes are none. With
    ``whole`` a size includes the head.
    """

    head: struct.Struct
    start: int = 12
    pad: int = 2
    audio: bytes = b"data"
    skip: int = 0
    whole: bool = False


WAV = Family(struct.Struct("<4sI"))
W64 = Family(struct.Struct("<16sQ"), start=40, pad=8, audio=b"data" + GUID, whole=True)
AIFF = Family(struct.Struct(">4sI"), audio=b"SSND", skip=8)
CAF = Family(struct.Struct(">4sQ"), start=8, pad=1, skip=4)


@dataclass(frozen=True)
class Layout:
    """Bytes of audio by the header (``stated``) and in the file (``present``), from ``data`` on.

    ``stated`` is 0 where the header tells no length. ``rest``: other chunks, or padding, stand
    behind the audio. ``chunks`` are the bodies of `KEPT`; of LIST, the entries of the kind INFO.
    """

    family: Family | None
    data: int
    stated: int
    present: int
    rest: bool
    chunks: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def misread(self) -> bool:
        """Whether libsndfile would read it wrongly, and `Whole` mends that.

        It reads as much as the header says; of Wave64, floats of an extensible form as integers,
        and ``rest`` as audio.
        """
        form = self.chunks.get(b"fmt ")
        if not form:
            return False
        as_w64 = self.family is W64 and (self.rest or form.startswith(EXTENSIBLE))
        return as_w64 or self.stated < self.present

    @property
    def tag(self) -> int | None:
        """WAV's number of the format of the samples, such as 1 for PCM."""
        form = self.form
        return struct.unpack("<H", form[:2])[0] if len(form) >= 2 else None

    @property
    def form(self) -> bytes:
        """WAV's chunk ``fmt``; the extensible one (0xFFFE) as the plain one that it extends."""
        form = self.chunks.get(b"fmt ", b"")
        return form[24:26] + form[2:16] if form.startswith(EXTENSIBLE) else form


def layout(path: Path) -> Layout | None:
    """The layout of a recording; None for other formats and for a file without a chunk of audio."""
    with open(path, "rb") as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(0)
        head = file.read(40)
        if head[:4] == b".snd" and len(head) >= 12:
            data, stated = struct.unpack(">II", head[4:12])
            present = max(0, end - data)
            return Layout(None, data, 0 if stated == 0xFFFFFFFF else stated, present, False)
        family = _family(head)
        return family and _layout(file, end, family)


def chunks(path: Path) -> dict[bytes, bytes]:
    """The bodies of a recording's chunks of the names in `KEPT`."""
    parts = layout(path)
    return parts.chunks if parts else {}


def _family(head: bytes) -> Family | None:
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return WAV
    if head[:16] == b"riff" + GUID_RIFF and head[24:] == b"wave" + GUID:
        return W64
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    return CAF if head[:4] == b"caff" else None


def _layout(file: BinaryIO, end: int, family: Family) -> Layout | None:
    kept, sizes = {}, struct.Struct("<Q")
    for name, body, size in _walk(file, family.start, end, family):
        if name == family.audio:
            if name == b"data" and size == 0xFFFFFFFF and len(kept.get(b"ds64", b"")) >= 16:
                (size,) = sizes.unpack_from(kept[b"ds64"], 8)
            data, stated = body + family.skip, max(0, size - family.skip)
            stated = 0 if _unknown(stated, end - data, family) else stated
            present, rest = _extent(file, data, stated, end, family)
            for name, body, size in _walk(file, rest, end, family) if rest is not None else ():
                _keep(file, name, body, size, kept)
            return Layout(family, data, stated, present, rest is not None, kept)
        _keep(file, name, body, size, kept)
    return None


def _keep(file: BinaryIO, name: bytes, body: int, size: int, kept: dict[bytes, bytes]) -> None:
    name = name[:4]
    if name in KEPT and size <= MOST_BYTES:
        file.seek(body)
        text = file.read(size)
        if name != b"LIST":
            kept[name] = text
        elif text.startswith(b"INFO"):  # other lists have no texts
            kept[name] = kept.get(name, b"") + text[4:]


def _unknown(stated: int, present: int, family: Family) -> bool:
    """Whether ``stated`` is what programs write that stream: about the largest possible length."""
    if stated <= present:
        return False
    if family is WAV:
        return stated >= 0xFFFF0000 or 0x7FFF0000 <= stated <= 0x80010000
    return stated >= 1 << 62


def _extent(
    file: BinaryIO, data: int, stated: int, end: int, family: Family
) -> tuple[int, int | None]:
    """How many bytes of audio follow ``data``, and where other chunks begin, if any."""
    if stated > end - data:
        return end - data, None
    wrap = 1 << 32 if family is WAV else end + 1
    for stop in range(data + stated, end + 1, wrap):
        if end - stop < SLACK:
            return stop - data, None
        # some programs forget to pad
        for rest in (stop + -stop % family.pad, stop):
            if _no_audio(file, rest, end, family):
                return stop - data, rest
    return end - data, None


def _no_audio(file: BinaryIO, start: int, end: int, family: Family) -> bool:
    """Whether chunks or padding fill the file from ``start``."""
    reached = start
    for name, body, size in _walk(file, start, end, family):
        if name[:4] in BEHIND:
            return True
        reached = body + size
    if reached > start and abs(end - reached) <= SLACK:
        return True
    if not 0 < end - reached <= MOST_PADDING:
        return False
    file.seek(reached)
    return not any(file.read(end - reached))


def _walk(file: BinaryIO, start: int, end: int, family: Family) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and size of each chunk from ``start`` on, until bytes that are no chunk."""
    at, length = start, family.head.size
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        head = file.read(length)
        if len(head) < length:
            return
        name, size = family.head.unpack(head)
        size -= length if family.whole else 0
        if size < 0 or not all(32 <= byte < 127 for byte in name[:4]):
            return
        yield name, at + length, size
        at += length + size
        at += -at % family.pad
        if at > end + SLACK:
            return


class Whole(io.RawIOBase):
    """The audio of a WAV or Wave64 file behind a header that says its length.

    Wave64, as its sizes have 64 bits, and its form is WAV's chunk ``fmt``.
    """

    def __init__(self, path: Path, layout: Layout):
        super().__init__()
        self._file = open(path, "rb")  # noqa: SIM115
        form = layout.form
        padding = bytes(-len(form) % 8)
        parts = [(b"fmt ", len(form), form + padding), (b"data", layout.present, b"")]
        head = b"".join(n + GUID + struct.pack("<Q", 24 + size) + body for n, size, body in parts)
        total = 40 + len(head) + layout.present
        self._head = b"riff" + GUID_RIFF + struct.pack("<Q", total) + b"wave" + GUID + head
        self._data, self._size, self._at = layout.data, total, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer) -> int:
        wanted = min(len(buffer), max(0, self._size - self._at))
        part = self._head[self._at : self._at + wanted]
        if len(part) < wanted:
            self._file.seek(self._data + self._at + len(part) - len(self._head))
            part += self._file.read(wanted - len(part))
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()
