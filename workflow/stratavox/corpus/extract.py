"""Stage: write the recordings that Parquet files hold, and their labels, and list the clips.

The files are read a few rows at a time, so that memory grows with the largest row group alone.
"""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from stratavox import tables
from stratavox.corpus import listing, shards, user_table
from stratavox.corpus.identity import check_unchanged
from stratavox.corpus.match import SUFFIXES
from stratavox.corpus.shards import EXTRACTED, Shard
from stratavox.errors import StratavoxError
from stratavox.progress import Progress
from stratavox.stage import Job

# Rows in memory at once: a soundscape of ten minutes is some 20 MB of FLAC.
BATCH = 4
# The first bytes of a file of sound, and the ending that its name gets.
MAGIC = {
    b"RIFF": ".wav",
    b"RF64": ".wav",
    b"fLaC": ".flac",
    b"OggS": ".ogg",
    b"ID3": ".mp3",
    b"\xff\xfb": ".mp3",
    b"\xff\xf3": ".mp3",
    b"FORM": ".aiff",
    b".snd": ".au",
}


def extract(settings: dict, raw: Path, out: Path, root: Path) -> dict[str, int]:
    """Write recordings and labels to ``raw`` (relative to ``root``), and the scan to ``out``.

    ``settings`` holds path, perhaps splits and file, sha256 (of each file, by name) and shards; to
    cut windows also what `windows.cut` takes. The labels then have a row for each box.
    Returns how many rows there are, and how many hold no recording, whose files are then missing.
    Raises `StratavoxError` where a file is not the one that was hashed, and where no row holds a
    recording.
    """
    read = shards.shards(Path(settings["path"]), settings.get("splits"))
    audio = shards.audio_column(read[0], settings.get("file"))
    boxes = shards.boxes_column(read[0]) if "windows" in settings else None
    columns = shards.label_columns(read[0], audio, boxes)
    of_boxes = (*shards.BOUNDS, *boxes.labels) if boxes else ()
    names = (EXTRACTED["file"], *columns, *of_boxes)
    rows: dict[str, list[str]] = {name: [] for name in names}
    recordings = 0
    without, taken = 0, set()
    progress = Progress("extract", sum(shard.rows for shard in read))
    with tables.atomic_path(root / raw, folder=True) as temporary:
        for shard in read:
            for number, sound, cells, boxed in _rows(shard, audio, columns, boxes):
                recordings += 1
                file = _file(shard, number, sound, taken)
                if sound.get("bytes"):
                    path = temporary / file
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(sound["bytes"])
                else:
                    without += 1
                for own in boxed:
                    for name, cell in zip(names, (file, *cells, *own), strict=True):
                        rows[name].append(cell)
                progress.add()
            check_unchanged(shard.path, settings["sha256"][shard.name])
        progress.close()
        if without == recordings:
            raise StratavoxError(
                f"{settings['path']}: no row holds a recording: column {audio!r} has "
                + (
                    "paths alone; save the data set with its sounds embedded"
                    if recordings
                    else "no row"
                )
            )
        table = pa.table({name: pa.array(cells, pa.string()) for name, cells in rows.items()})
        pq.write_table(table, temporary / EXTRACTED["table"])
    listed = EXTRACTED | {"path": raw.as_posix(), "shards": settings["shards"]}
    written = user_table.read(root / raw / EXTRACTED["table"])
    if boxes:
        listed |= {key: settings[key] for key in ("windows", "missing", *shards.BOUNDS)}
        # by name, so that its code is in the keys of only those data sets that need it
        windows = importlib.import_module("stratavox.corpus.windows")
        written = windows.cut(listed, written, root / raw)
    clips = listing.list_clips(listed, root / raw, written, {}, {})
    tables.write_table(clips, out, listing.provenance(listed, written))
    return {"rows": recordings, "without": without}


def _rows(
    shard: Shard, audio: str, columns: dict[str, str], boxes: shards.Boxes | None
) -> Iterator[tuple[int, dict, list[str], list[tuple[str, ...]]]]:
    """The number of each row from 0, its recording (bytes and path), its cells and its boxes."""
    own = [column for column in columns.values() if column]
    read = [audio, *own, *([boxes.column] if boxes else [])]
    number = 0
    with pq.ParquetFile(shard.path) as file:
        # one row group after the other: read together, earlier ones stay in memory
        groups = range(file.num_row_groups)
        batches = (file.iter_batches(BATCH, [group], read) for group in groups)
        for batch in itertools.chain.from_iterable(batches):
            sounds = batch.column(audio)
            cells = {}
            for column in own:
                cell = shards.cells_of(shard, column)
                cells[column] = [cell(value) for value in batch.column(column).to_pylist()]
            cells[""] = [shard.split] * len(sounds)
            for place, sound in enumerate(sounds):
                of_row = [cells[column][place] for column in columns.values()]
                boxed = boxes.of(batch.column(boxes.column)[place].as_py()) if boxes else [()]
                yield number + place, sound.as_py() or {}, of_row, boxed
            number += len(sounds)


def _file(shard: Shard, number: int, sound: dict, taken: set[str]) -> str:
    """Where a recording is written: its split as the folder, its own name, no path of its own."""
    own = PurePosixPath((sound.get("path") or "").replace("\\", "/"))
    data, suffix = sound.get("bytes") or b"", own.suffix.lower()
    known = (ending for magic, ending in MAGIC.items() if data.startswith(magic))
    ending = next(known, suffix if suffix in SUFFIXES else "")
    stem = own.stem if suffix in SUFFIXES else own.name
    stem = re.sub(r"[^\w-]+", "_", stem).strip("_")[:100]
    folder = re.sub(r"[^\w-]+", "_", shard.split) or "clips"
    shard_number = re.sub(r"[^\w-]+", "_", shard.name.removesuffix(".parquet"))
    file = f"{folder}/{stem or f'{shard_number}_{number}'}{ending}"
    if file.casefold() in taken:
        file = f"{folder}/{stem}_{shard_number}_{number}{ending}"
    taken.add(file.casefold())
    return file


def run(job: Job) -> None:
    counts = extract(job.settings, Path(job.output.raw), Path(job.output.scan), Path())
    print(f"{job.wildcards.dataset}: {counts['rows']} rows of its Parquet files", flush=True)
    if counts["without"]:
        print(f"{job.wildcards.dataset}: {counts['without']} of them hold no recording", flush=True)
