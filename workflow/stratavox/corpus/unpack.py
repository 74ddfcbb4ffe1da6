"""Unpack zip archives without trusting their names and sizes."""

from __future__ import annotations

import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stratavox.errors import StratavoxError
from stratavox.tables import atomic_path

CHUNK = 1 << 20
ENCRYPTED = 0x1
# No one's folders are deeper; removing thousands would end Python's recursion.
DEEPEST = 64
# What zipfile and its decompressors raise for a broken archive (UnicodeError is a ValueError).
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError),
)
DRIVE = re.compile(r"[A-Za-z]:")


@dataclass
class Bound:
    """How many bytes and files may still be unpacked."""

    bytes: int
    files: int

    def take(self, what: str, bytes: int = 0, files: int = 0) -> None:
        """Count; raise `StratavoxError` past the bound, ``what`` first."""
        self.bytes -= bytes
        self.files -= files
        if self.bytes < 0 or self.files < 0:
            kind = "bytes" if self.bytes < 0 else "files"
            raise StratavoxError(
                f"{what}: unpacks to more than its entry in the table of archives allows "
                f"(unpacked_{kind}); nothing of it was kept. If the archive really is that large, "
                "raise the bound there"
            )


def unzip(archive: Path, target: Path, bound: Bound) -> None:
    """Unpack ``archive`` to the new folder ``target``, without the files that macOS adds.

    All names are checked before anything is written. Raises `StratavoxError` naming archive and
    member: for a path that leads out of the folder, a link, an encrypted or broken member, two of
    one name, or more than ``bound`` allows. ``target`` is then not written.
    """
    if target.exists():
        raise StratavoxError(f"{archive}: {target.name!r} already exists beside it")
    try:
        with zipfile.ZipFile(archive) as opened, atomic_path(target, folder=True) as temporary:
            for path, member in _members(archive, opened.infolist()).items():
                where = f"{archive}: {member.orig_filename!r}"
                bound.take(where, files=1)
                _copy(opened, member, temporary / path, where, bound)
    except BROKEN as error:
        raise StratavoxError(
            f"{archive}: not a whole zip archive ({error}); remove it and fetch it again"
        ) from None


def _members(archive: Path, infos: list[zipfile.ZipInfo]) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """The files to unpack by their paths; raises for the first that cannot be allowed."""
    members: dict[PurePosixPath, zipfile.ZipInfo] = {}
    for info in infos:
        path = PurePosixPath(info.orig_filename)
        why = _refused(info, path) or ("is there twice" if path in members else None)
        if why:
            raise StratavoxError(
                f"{archive}: {info.orig_filename!r} {why}; nothing was unpacked. This is not the "
                "published archive, or not a safe one"
            )
        if not info.is_dir() and not _of_macos(path):
            members[path] = info
    for path in members:
        for folder in path.parents:
            if folder in members:
                raise StratavoxError(
                    f"{archive}: {str(folder)!r} is both a file and a folder; nothing was unpacked"
                )
    return members


def _refused(info: zipfile.ZipInfo, path: PurePosixPath) -> str | None:
    name = info.orig_filename
    if "\\" in name or "\0" in name:
        return "has a backslash or a null byte in its name"
    if path.is_absolute() or DRIVE.match(name):
        return "has an absolute path"
    if ".." in path.parts:
        return "leads out of the folder"
    if not path.parts:
        return "has no name"
    if len(path.parts) > DEEPEST:
        return f"is more than {DEEPEST} folders deep"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link" if kind == stat.S_IFLNK else "is neither file nor folder"
    return "is encrypted" if info.flag_bits & ENCRYPTED else None


def _of_macos(path: PurePosixPath) -> bool:
    return path.parts[0] == "__MACOSX" or path.name == ".DS_Store" or path.name.startswith("._")


def _copy(
    opened: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, where: str, bound: Bound
) -> None:
    chunks = _content(opened, member, where)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as target:
            for chunk in chunks:
                bound.take(where, bytes=len(chunk))
                target.write(chunk)
    except OSError as error:
        raise StratavoxError(f"{where} cannot be written: {error.strerror}") from None


def _content(opened: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> Iterator[bytes]:
    try:
        with opened.open(member) as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except (*BROKEN, OSError) as error:  # bz2's is an OSError
        raise StratavoxError(
            f"{where} cannot be unpacked ({error}); remove the archive and fetch it again"
        ) from None
