"""Parquet files that hold recordings and labels, as Hugging Face's data sets write them.

Their names tell the split: train-00000-of-00002.parquet, or train/0000.parquet. The schema's
metadata `huggingface` names the classes of columns of numbers. This runs whenever the Snakefile is
parsed: only footers are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stratavox import tables
from stratavox.corpus import files, recorder
from stratavox.corpus.table_formats.parquet import is_audio
from stratavox.corpus.walk import files_below
from stratavox.errors import StratavoxError

# The table that the stage `corpus.extract` writes beside the recordings.
EXTRACTED = {"table": "labels.parquet", "file": "file"}
SPLIT = "split"
# With windows it has a row for each box, with these columns.
BOUNDS = {"start": "start", "end": "end"}
# How the fields of boxes are called: BEANS has st and ed.
STARTS = ("start", "st", "start_time", "onset", "begin")
ENDS = ("end", "ed", "end_time", "offset")
# Columns that the workflow's tables have; one of the data set gets another name.
TAKEN = {EXTRACTED["file"], "row", "clip_id"}
OF = re.compile(r"(?P<split>.+?)-(?P<number>\d{5})-of-(?P<count>\d{5})(-[0-9a-f]+)?")
NAMED = re.compile(r"(train|test|val|valid|validation|dev|eval)([_-]\w+)?")


@dataclass(frozen=True)
class Shard:
    """A file below the data set's folder, its split ("" if its name tells none) and its rows."""

    name: str
    path: Path
    split: str
    rows: int
    schema: pa.Schema


@dataclass(frozen=True)
class Boxes:
    """The column with the boxes of a recording, lists of structs, and the fields of these."""

    column: str
    start: str
    end: str
    labels: tuple[str, ...]

    def of(self, value: list[dict] | None) -> list[tuple[str, ...]]:
        """The cells of each box of one recording: start, end and labels; empty ones if none."""
        names = (self.start, self.end, *self.labels)
        rows = [tuple(_text(box[name]) for name in names) for box in value or []]
        return rows or [("",) * len(names)]


def boxes_column(shard: Shard) -> Boxes:
    """The column that holds the boxes; raises `StratavoxError` where there is not one alone."""
    found = []
    for field in shard.schema:
        kind = field.type
        if not _is_list(kind) or not pa.types.is_struct(kind.value_type):
            continue
        names = [one.name for one in kind.value_type]
        start, end = (next((n for n in of if n in names), None) for of in (STARTS, ENDS))
        if start and end:
            labels = tuple(one.name for one in kind.value_type if _is_text(one.type))
            found.append(Boxes(field.name, start, end, labels))
    if len(found) == 1:
        return found[0]
    named = ", ".join(boxes.column for boxes in found) or "none"
    raise StratavoxError(
        f"{shard.path}: with windows one column must hold the boxes of each recording, as a list "
        f"of structs with a start ({', '.join(STARTS)}) and an end ({', '.join(ENDS)}); such "
        f"columns: {named}; remove the key windows"
    )


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)


def split_of(name: str) -> str:
    """The split that the name of a file tells, with the folders that it lies in."""
    *folders, file = name.split("/")
    stem = file.rpartition(".")[0]
    if match := OF.fullmatch(stem):
        return match["split"]
    if stem.isdigit() and folders:  # {config}/{split}/0000.parquet
        return folders[-1].removeprefix("partial-")
    return stem if NAMED.fullmatch(stem) else ""


def lacking(names: list[str]) -> list[str]:
    """The files that the others' names count (-of-00003) and that are not there."""
    missing = []
    for name in names:
        folder, _, file = name.rpartition("/")
        match = OF.fullmatch(file.removesuffix(".parquet"))
        present = {other for other in names if other.rpartition("/")[0] == folder}
        for number in range(int(match["count"]) if match else 0):
            stem = f"{match['split']}-{number:05d}-of-{match['count']}"
            stem = f"{folder}/{stem}" if folder else stem
            if not any(other.startswith(stem) for other in present):
                missing.append(f"{stem}.parquet")
    return sorted(set(missing))


def shards(path: Path, splits: list[str] | None = None) -> list[Shard]:
    """The files at or below ``path``, of ``splits`` or of all, sorted by name.

    Raises `StratavoxError` where there are none, one is not whole, a split is not there, and where
    their columns differ.
    """
    if path.is_file():
        names, folder = [path.name], path.parent
    elif path.is_dir():
        names, folder = [n for n in files_below(path) if n.endswith(".parquet")], path
    else:
        raise StratavoxError(
            f"{path}: no such file or folder; the config's key 'path' names the Parquet files of "
            "the data set, or the folder that holds them"
        )
    if not names:
        raise StratavoxError(f"{path}: no .parquet file below it; correct the config's key 'path'")
    there = sorted({split_of(name) for name in names})
    if splits:
        for split in splits:
            if split not in there:
                raise StratavoxError(
                    f"{path}: no file of the split {split!r} (config key 'splits'); there are: "
                    f"{', '.join(filter(None, there)) or 'none, by the names of the files'}"
                )
        names = [name for name in names if split_of(name) in splits]
    read = [_shard(folder, name) for name in names]
    for other in read[1:]:
        if differ := sorted(set(read[0].schema.names) ^ set(other.schema.names)):
            has, lacks = read[0], other
            if differ[0] not in has.schema.names:
                has, lacks = other, read[0]
            raise StratavoxError(
                f"{lacks.path}: there is no column {differ[0]!r}, which {has.path} has; files that "
                "are read together need the same columns: name one subset by the keys path and "
                "splits"
            )
    return read


def digests(read: list[Shard], seen: Path, look: bool) -> dict[str, str]:
    """The SHA-256 of each file by name; ``seen`` keeps them, with the files' sizes and times.

    Only changed files are hashed, and without ``look`` (in jobs) none that is known.
    """
    kept = tables.read_json(seen) if seen.exists() else {}
    if not look and kept.keys() >= {shard.name for shard in read}:
        return {shard.name: kept[shard.name]["sha256"] for shard in read}
    unknown = dict.fromkeys(recorder.COLUMNS)
    known = {
        (name, *(facts[key] for key in files.STATUS)): unknown | {"sha256": facts["sha256"]}
        for name, facts in kept.items()
    }
    folder = Path(str(read[0].path).removesuffix(read[0].name))
    contents = files.look(folder, [shard.name for shard in read], known)
    for shard in read:
        if "reason" in contents[shard.name]:
            raise StratavoxError(f"{shard.path}: {contents[shard.name]['reason']}")
    facts = {
        name: {key: found[key] for key in (*files.STATUS, "sha256")}
        for name, found in contents.items()
    }
    if facts != kept:
        seen.parent.mkdir(parents=True, exist_ok=True)
        tables.write_json(facts, seen)
    return {name: found["sha256"] for name, found in facts.items()}


def _shard(folder: Path, name: str) -> Shard:
    path = folder / name
    try:
        with pq.ParquetFile(path) as file:
            return Shard(name, path, split_of(name), file.metadata.num_rows, file.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise StratavoxError(
            f"{path}: not a whole Parquet file ({error}); download it again"
        ) from None


def audio_column(shard: Shard, named: str | None) -> str:
    """The column of recordings; ``named`` by the config's key file where there are several."""
    features = features_of(shard.schema)
    sounds = [
        field.name
        for field in shard.schema
        if is_audio(field) and _kind(features.get(field.name)) in (None, "Audio")
    ]
    if named in sounds or (named is None and len(sounds) == 1):
        return named or sounds[0]
    if not sounds:
        raise StratavoxError(
            f"{shard.path}: no column holds recordings (a struct of bytes and path); its columns "
            f"are: {', '.join(shard.schema.names)}"
        )
    raise StratavoxError(
        f"{shard.path}: the columns {', '.join(sounds)} hold recordings; name one of them by the "
        "config's key 'file'" + (f", which is {named!r}" if named else "")
    )


def features_of(schema: pa.Schema) -> dict:
    """What the metadata `huggingface` says of each column; {} without it."""
    try:
        stated = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        return dict(stated.get("info", {}).get("features") or {})
    except (ValueError, AttributeError, TypeError):
        return {}


def label_columns(shard: Shard, audio: str, boxes: Boxes | None = None) -> dict[str, str]:
    """The columns that can be labels, by their names in the table that is written.

    Without those of ``boxes``, whose names no other column gets.
    """
    taken = TAKEN | ({*BOUNDS, *boxes.labels} if boxes else set())
    own = [
        field.name
        for field in shard.schema
        if field.name != audio and _holds_labels(field.type, of_feature(shard, field.name))
    ]
    named = {f"{name}_" if name in taken else name: name for name in own}
    if shard.split and SPLIT not in named:
        named[SPLIT] = ""
    return named


def of_feature(shard: Shard, column: str) -> list[str] | None:
    """The names of the classes of a column of numbers, or of lists of them."""
    feature = features_of(shard.schema).get(column)
    while feature is not None and _kind(feature) != "ClassLabel":
        inner = feature[0] if isinstance(feature, list) and feature else None
        feature = feature.get("feature") if isinstance(feature, dict) else inner
    return feature and feature.get("names")


def _kind(feature: object) -> str | None:
    return feature.get("_type") if isinstance(feature, dict) else None


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_list(kind: pa.DataType) -> bool:
    return (
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _holds_labels(kind: pa.DataType, classes: list[str] | None) -> bool:
    """Texts and numbers, and lists of texts or of classes; no embeddings, boxes or pictures."""
    if _is_list(kind):
        inner = kind.value_type
        return _is_text(inner) or (classes is not None and pa.types.is_integer(inner))
    nested = pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return not nested


def cells_of(shard: Shard, column: str) -> Callable[[object], str]:
    """How a value of a column becomes a cell: a class by its name, a list as JSON, nothing as "".

    The function raises `StratavoxError` for a class that has no name.
    """
    classes = of_feature(shard, column)

    def name(value: object) -> object:
        if classes is None or value is None or isinstance(value, str):
            return value
        if value == -1:  # Hugging Face's mark of no label, in test sets
            return None
        if not 0 <= value < len(classes):
            raise StratavoxError(
                f"{shard.path}: column {column!r}: found the class {value}, but there are "
                f"{len(classes)} names of classes; download the file again"
            )
        return classes[value]

    def cell(value: object) -> str:
        if isinstance(value, list):
            kept = [one for one in map(name, value) if one is not None]
            return json.dumps(kept, ensure_ascii=False)
        value = name(value)
        if value is None or value != value:
            return ""
        return str(value)

    return cell
