"""Archives that would write elsewhere, fill the disk or fool the reader are refused by name."""

import os
import stat
import struct
import zipfile

import pytest

from archive_data import zipped
from stratavox.corpus.unpack import Bound, unzip
from stratavox.errors import StratavoxError


def plenty() -> Bound:
    return Bound(10_000_000, 100)


def refused(archive, target, bound=None) -> str:
    """The message; nothing may be left at the target or beside it."""
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(StratavoxError) as error:
        unzip(archive, target, bound or plenty())
    assert sorted(archive.parent.rglob("*")) == before
    assert str(archive) in str(error.value)
    return str(error.value)


def member(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def with_members(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in members:
            archive.writestr(info, content)
    return path


def test_files_come_out_whole_and_what_macos_adds_does_not(tmp_path):
    content = {"a/b.wav": os.urandom(3_000_000), "c.txt": b"", "a/Möwe.wav": b"x"}
    added = {"__MACOSX/a/._b.wav": b"1", "a/.DS_Store": b"2", "a/._b.wav": b"3"}
    archive = zipped(tmp_path / "calls.zip", content | added)
    unzip(archive, tmp_path / "out", plenty())
    files = {p for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in files} == content
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o777 & ~umask


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../out.wav", "leads out of the folder"),
        ("a/../../out.wav", "leads out of the folder"),
        ("/etc/passwd", "absolute path"),
        ("C:/out.wav", "absolute path"),
        ("..\\out.wav", "backslash"),
        ("__MACOSX/../../out.wav", "leads out of the folder"),
    ],
)
def test_a_path_out_of_the_folder(tmp_path, name, why):
    archive = with_members(tmp_path / "x.zip", (member("good.wav"), b"1"), (member(name), b"2"))
    message = refused(archive, tmp_path / "out")
    assert repr(name) in message and why in message


@pytest.mark.parametrize(
    ("mode", "why"),
    [(stat.S_IFLNK | 0o777, "is a link"), (stat.S_IFIFO | 0o644, "neither file nor folder")],
)
def test_a_link_or_device(tmp_path, mode, why):
    archive = with_members(tmp_path / "x.zip", (member("song.wav", mode), b"/etc/passwd"))
    message = refused(archive, tmp_path / "out")
    assert "'song.wav'" in message and why in message


def test_a_member_twice(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = with_members(tmp_path / "x.zip", (member("a.wav"), b"1"), (member("a.wav"), b"2"))
    assert "'a.wav' is there twice" in refused(archive, tmp_path / "out")
    same = with_members(tmp_path / "y.zip", (member("b/a.wav"), b"1"), (member("b/./a.wav"), b"2"))
    assert "'b/./a.wav' is there twice" in refused(same, tmp_path / "out")


def test_a_file_that_is_a_folder_too(tmp_path):
    archive = zipped(tmp_path / "x.zip", {"a": b"1", "a/b.wav": b"2"})
    assert "'a' is both" in refused(archive, tmp_path / "out")


def test_an_encrypted_member(tmp_path):
    archive = zipped(tmp_path / "x.zip", {"secret.wav": b"1"})
    data = bytearray(archive.read_bytes())
    # bit 0 of the general purpose flags, in the central directory (APPNOTE 4.3.12)
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    message = refused(archive, tmp_path / "out")
    assert "'secret.wav' is encrypted" in message


def test_a_bomb_is_stopped_at_the_bound(tmp_path):
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros.wav", bytes(5_000_000))
    assert archive.stat().st_size < 10_000
    message = refused(archive, tmp_path / "out", Bound(1_000_000, 10))
    assert "'zeros.wav'" in message and "unpacked_bytes" in message
    unzip(archive, tmp_path / "out", Bound(5_000_000, 1))


def test_a_bomb_that_understates_its_size(tmp_path):
    """The header says one byte; what is written counts, and the checksum then does not fit."""
    archive = tmp_path / "bomb.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros.wav", bytes(5_000_000))
    data = bytearray(archive.read_bytes())
    for start, offset in ((data.index(b"PK\x03\x04"), 22), (data.index(b"PK\x01\x02"), 24)):
        data[start + offset : start + offset + 4] = struct.pack("<I", 1)
    archive.write_bytes(data)
    assert "'zeros.wav'" in refused(archive, tmp_path / "out", Bound(1_000_000, 10))


def test_too_many_files(tmp_path):
    archive = zipped(tmp_path / "x.zip", {f"{n}.wav": b"" for n in range(11)})
    assert "unpacked_files" in refused(archive, tmp_path / "out", Bound(1_000, 10))


def test_the_bound_holds_for_all_archives_together(tmp_path):
    bound = Bound(150, 10)
    for name in ("a", "b"):
        zipped(tmp_path / f"{name}.zip", {"x.wav": bytes(100)})
    unzip(tmp_path / "a.zip", tmp_path / "a", bound)
    refused(tmp_path / "b.zip", tmp_path / "b", bound)


def test_a_name_that_the_disk_cannot_hold(tmp_path):
    name = "x" * 300 + ".wav"
    archive = zipped(tmp_path / "x.zip", {name: b"1"})
    assert "cannot be written: File name too long" in refused(archive, tmp_path / "out")


@pytest.mark.parametrize("spoil", ["cut", "byte", "none"])
def test_a_broken_archive(tmp_path, spoil):
    archive = zipped(tmp_path / "x.zip", {"a.wav": bytes(1000), "b.wav": bytes(1000)})
    data = bytearray(archive.read_bytes())
    if spoil == "cut":
        del data[len(data) // 2 :]
    elif spoil == "byte":
        data[500] ^= 1
    else:
        data = b"<html>not an archive</html>"
    archive.write_bytes(data)
    message = refused(archive, tmp_path / "out")
    assert "fetch it again" in message and ("'a.wav'" in message) == (spoil == "byte")


def test_a_version_of_zip_that_is_not_read_is_one_sentence(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a.txt": b"x"})
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 99  # version needed
    archive.write_bytes(data)
    assert "not a whole zip archive (zip file version 9.9)" in refused(archive, tmp_path / "out")


def test_a_name_that_says_utf_8_and_is_not(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"Möwe.wav": b"x"})
    archive.write_bytes(archive.read_bytes().replace("ö".encode(), b"\xff\xfe"))
    assert "not a whole zip archive" in refused(archive, tmp_path / "out")


@pytest.mark.parametrize("depth", [100, 500, 30_000])
def test_folders_deeper_than_a_path_may_be(tmp_path, depth):
    archive = zipped(tmp_path / "a.zip", {"a/" * depth + "b": b"x"})
    assert "more than 64 folders deep" in refused(archive, tmp_path / "out")


def test_a_folder_that_the_disk_cannot_hold(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"Ä" * 128 + "/b.wav": b"x"})
    assert "cannot be written: File name too long" in refused(archive, tmp_path / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_content_that_cannot_be_expanded(tmp_path, method):
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", method) as opened:
        opened.writestr("a.txt", bytes(range(256)) * 40)
    data = bytearray(archive.read_bytes())
    data[60:90] = bytes(30)
    archive.write_bytes(data)
    assert "'a.txt' cannot be unpacked (" in refused(archive, tmp_path / "out")
