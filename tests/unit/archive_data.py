"""Archives as the published ones are laid out, in miniature, and a server on loopback for them."""

from __future__ import annotations

import csv
import hashlib
import http.server
import io
import wave
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

import numpy as np
import yaml

from loopback import listening

# Labels of the 441 adult calls and how many there are, as written in the published names.
OTTER_CALLS = {
    "Ascending scream": 25,
    "bark": 21,
    "begging call": 21,
    "begging scream": 32,
    "begging scream gradation": 30,
    "close call": 10,
    "contact call": 32,
    "contact call gradation": 25,
    "growl": 29,
    "hah": 17,
    "hum": 30,
    "hum gradation": 29,
    "hum short": 9,
    "isolation call": 16,
    "snort": 32,
    "suckling call": 12,
    "underwater call": 9,
    "wavering scream": 11,
    "whine": 20,
    "whistle": 18,
    "whistle double": 13,
}
# Names that are in both of the zebra finches' folders; their number is published, which they are
# is not.
IN_BOTH = 28


def wav(number: int, rate: int, channels: int, bits: int, seconds: float = 0.02) -> bytes:
    """A WAV file of noise that depends on ``number``; of two channels, the second differs."""
    generator = np.random.default_rng(number)
    width = bits // 8
    samples = generator.integers(-(1 << 12), 1 << 12, (round(seconds * rate), channels))
    frames = (samples << (bits - 16)).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width]
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(frames.tobytes())
    return written.getvalue()


def otter_names(most: int | None = None) -> list[str]:
    """The 441 names of Audio_S1, or the first ``most`` of each label."""
    labels = [
        label
        for label, count in OTTER_CALLS.items()
        for _ in range(count if most is None else min(count, most))
    ]
    return [f"Audio S{number:03d}_{label}.wav" for number, label in enumerate(labels, start=1)]


def otter_archive(path: Path, most: int | None = None) -> Path:
    """giant_otters.zip: 24-bit mono at 96 or 48 kHz, and the other material beside."""
    members = {
        f"giant_otters/Audio_S1/{name}": wav(number, (96000, 48000)[number % 2], 1, 24)
        for number, name in enumerate(otter_names(most))
    }
    members["giant_otters/Audio_S2/Audio S500_cub contact call.wav"] = wav(500, 48000, 1, 24)
    members["giant_otters/Table_S1.docx"] = b"not read"
    members["giant_otters/Table_S2.xlsx"] = b"not read"
    members["__MACOSX/giant_otters/Audio_S1/._Audio S001_bark.wav"] = b"of macOS"
    members["giant_otters/.DS_Store"] = b"of macOS"
    return zipped(path, members)


def finch_table(shared: Path) -> list[dict[str, str]]:
    """The independent parse of all 3,405 real names."""
    with open(shared / "data/zebra_finch_filenames.csv", newline="") as file:
        return list(csv.DictReader(file))


def finch_folders(
    table: Iterable[dict[str, str]], both: int = IN_BOTH
) -> tuple[list[str], list[str]]:
    """Names among the adults and among the chicks, the first ``both`` chicks' in both."""
    table = list(table)
    adults = [row["fn"] for row in table if row["age_folder"] == "adult"]
    chicks = [row["fn"] for row in table if row["age_folder"] == "chick"]
    return adults + chicks[:both], chicks


def finch_archives(
    folder: Path, table: Iterable[dict[str, str]], both: int = IN_BOTH, differing: int = 0
) -> list[Path]:
    """AdultVocalizations.zip and ChickVocalizations.zip: 16-bit stereo at 44.1 kHz.

    Of the names in both, the first ``differing`` have other audio among the adults.
    """
    adults, chicks = finch_folders(table, both)
    sound = {name: wav(number, 44100, 2, 16) for number, name in enumerate(adults + chicks)}
    other = {name: wav(1_000_000 + n, 44100, 2, 16) for n, name in enumerate(chicks[:differing])}
    return [
        zipped(
            folder / "AdultVocalizations.zip",
            {f"AdultVocalizations/{name}": other.get(name, sound[name]) for name in adults},
        ),
        zipped(
            folder / "ChickVocalizations.zip",
            {f"ChickVocalizations/{name}": sound[name] for name in chicks},
        ),
    ]


def finch_article(path: Path, inner: list[Path]) -> Path:
    """What figshare hands out for the whole article: the two zips and the notes in one."""
    members = {file.name: file.read_bytes() for file in inner}
    return zipped(path, members | {"Library_notes.pdf": b"%PDF not read"})


def cat_archive(path: Path, names: Iterable[str]) -> Path:
    """dataset.zip of CatMeows: 16-bit mono at 8 kHz."""
    sound = {f"dataset/{name}": wav(n, 8000, 1, 16) for n, name in enumerate(names)}
    return zipped(path, sound)


def digit_archive(path: Path, names: Iterable[str]) -> Path:
    """GitHub's zip of the spoken digits' release, with code beside the recordings."""
    top = "free-spoken-digit-dataset-1.0.10"
    sound = {f"{top}/recordings/{name}": wav(n, 8000, 1, 16) for n, name in enumerate(names)}
    return zipped(path, sound | {f"{top}/README.md": b"not read", f"{top}/metadata.py": b""})


# A sequence: the song, its first sample there, and its notes (first sample in it, length, label).
Sequence = tuple[str, int, list[tuple[int, int, str]]]


def annotation(sequences: list[Sequence]) -> bytes:
    """Annotation.xml of a bird of Koumura & Okanoya, element for element as published."""
    written = [
        f"<Sequence><WaveFileName>{song}</WaveFileName><Position>{first}</Position>"
        f"<Length>99999</Length><NumNote>{len(notes)}</NumNote>"
        + "".join(
            f"<Note><Position>{at}</Position><Length>{length}</Length><Label>{label}</Label></Note>"
            for at, length, label in notes
        )
        + "</Sequence>"
        for song, first, notes in sequences
    ]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<Sequences>'
    count = f"<NumSequence>{len(sequences)}</NumSequence>"
    return (head + count + "".join(written) + "</Sequences>").encode()


def bengalese_archive(path: Path, birds: dict[str, list[Sequence]], seconds: float = 0.5) -> Path:
    """figshare's zip of a zip for each bird: the annotation and its songs, 16 bits at 32 kHz."""
    inner = {}
    for bird, sequences in birds.items():
        songs = dict.fromkeys(song for song, *_ in sequences)
        members = {f"{bird}/Annotation.xml": annotation(sequences)}
        members |= {
            f"{bird}/Wave/{song}": wav(n, 32000, 1, 16, seconds) for n, song in enumerate(songs)
        }
        inner[f"{bird}.zip"] = zipped(path.parent / f"{bird}.zip", members).read_bytes()
    return zipped(path, inner)


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    """A zip archive of ``members``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def checksum(path: Path, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, path.read_bytes()).hexdigest()}"


def entry(layout: str, files: list[dict], **more) -> dict:
    """An entry of a table of archives."""
    return {
        "layout": layout,
        "licence": "CC BY 4.0",
        "citation": "A Person (2014) Calls",
        "files": files,
        "unpacked_bytes": 100_000_000,
        "unpacked_files": 10_000,
    } | more


def write_table(path: Path, **archives: dict) -> Path:
    """A table of archives, for the config's key downloads.archives."""
    path.write_text(yaml.safe_dump(archives, sort_keys=False), encoding="utf-8")
    return path


@dataclass
class Server:
    """A server of the files of a folder, and its faults.

    ``cut`` ends each answer after so many bytes; ``serve`` maps names to other bytes; ``status``
    answers every request with this. ``requests`` keeps each request's name and range.
    """

    folder: Path
    port: int = 0
    ranges: bool = True
    etag: bool = True
    cut: int | None = None
    status: int | None = None
    serve: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def address(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    def file(self, name: str, **more) -> dict:
        """The file's entry in a table of archives, with its checksum unless ``more`` has one."""
        path = self.folder / name
        known = {"bytes": path.stat().st_size, "checksum": checksum(path)}
        return {"name": name, "address": self.address(name)} | known | more


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve the folder's files on loopback; the server's switches may be turned meanwhile."""
    server = Server(folder)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self, server)

        def log_message(self, *args):
            pass

    with listening(Handler) as server.port:
        yield server


def answer(request: http.server.BaseHTTPRequestHandler, server: Server) -> None:
    """Answer a GET as RFC 9110 has it, or as the server's switches say."""
    name, wanted = request.path.lstrip("/"), request.headers.get("Range")
    server.requests.append((name, wanted))
    path = server.folder / name
    if server.status or not (path.exists() or name in server.serve):
        request.send_error(server.status or 404)
        return
    content = server.serve.get(name) or path.read_bytes()
    etag = f'"{hashlib.md5(content).hexdigest()}"'
    start = 0
    if wanted and server.ranges and request.headers.get("If-Range") == etag:
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
    if start and start >= len(content):
        request.send_response(416)
        request.send_header("Content-Range", f"bytes */{len(content)}")
        request.send_header("Content-Length", "0")
        request.end_headers()
        return
    request.send_response(206 if start else 200)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    request.send_header("Content-Length", str(len(content) - start))
    if server.etag:
        request.send_header("ETag", etag)
        request.send_header("Last-Modified", formatdate(0, usegmt=True))
    request.end_headers()
    rest = content[start:]
    request.wfile.write(rest[: server.cut] if server.cut else rest)
    request.close_connection = True
