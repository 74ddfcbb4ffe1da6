"""Predictions as CSV and Parquet, and as selection tables of Raven and label tracks of Audacity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa

from stratavox import tables
from stratavox.apply.predict import Predictions
from stratavox.apply.recordings import LeftOut, Segment
from stratavox.corpus.annotations.formats import raven

VIEW = "Spectrogram 1"
# What a label gets in Audacity where its clip is unlike the training clips.
UNLIKE = "unlike training"


@dataclass(frozen=True)
class Outputs:
    """The files of one command: ``out`` with an ending, and two folders beside it."""

    out: Path

    def file(self, ending: str) -> Path:
        return self.out.with_name(f"{self.out.name}{ending}")

    @property
    def csv(self) -> Path:
        return self.file(".csv")

    @property
    def parquet(self) -> Path:
        return self.file(".parquet")

    @property
    def left_out(self) -> Path:
        return self.file(".left_out.csv")

    @property
    def raven(self) -> Path:
        return self.file("_raven")

    @property
    def audacity(self) -> Path:
        return self.file("_audacity")

    @property
    def all(self) -> list[Path]:
        return [self.csv, self.parquet, self.left_out, self.raven, self.audacity]


def table(of: Predictions, classes: list[str], far: float, target: str) -> pa.Table:
    """A row for each clip: file, start_s, end_s, predicted, probability, distance ...

    ``unlike_training`` is whether the distance is above ``far``; ``p: CLASS`` the calibrated
    probability of each class; where a clip has a label, ``label: TARGET`` is that label.
    """
    p = np.exp(of.log_p)
    best = p.argmax(axis=1)
    columns = {
        "file": [segment.file for segment in of.segments],
        "start_s": [segment.start_s for segment in of.segments],
        "end_s": [segment.end_s for segment in of.segments],
        "predicted": [classes[place] for place in best],
        "probability": p[np.arange(len(p)), best],
        "distance": of.distance,
        "unlike_training": of.distance > far,
    }
    if any(segment.label for segment in of.segments):
        columns[f"label: {target}"] = [segment.label for segment in of.segments]
    return pa.table(columns | {f"p: {name}": p[:, place] for place, name in enumerate(classes)})


def write(
    rows: pa.Table, of: Predictions, left_out: list[LeftOut], to: Outputs, target: str, about: dict
) -> None:
    """Write all files; ``about`` is the provenance in the Parquet file's metadata."""
    tables.write_table(rows, to.parquet, about)
    cells = [
        {
            name: _time(value) if name in ("start_s", "end_s") else _cell(value)
            for name, value in row.items()
        }
        for row in rows.to_pylist()
    ]
    tables.write_csv(cells, rows.column_names, to.csv)
    to.left_out.unlink(missing_ok=True)
    if left_out:
        tables.write_csv(map(vars, left_out), vars(left_out[0]), to.left_out)
    selections = list(zip(rows.to_pylist(), of.segments, of.rates, strict=True))
    for folder, ending, lines in (
        (to.raven, ".Table.1.selections.txt", _raven),
        (to.audacity, ".txt", _audacity),
    ):
        with tables.atomic_path(folder, folder=True) as temporary:
            for file, of_file in groupby(selections, key=lambda row: row[0]["file"]):
                path = temporary / f"{file}{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                text = "".join("\t".join(line) + "\n" for line in lines(list(of_file), target))
                path.write_text(text, encoding="utf-8")


def _time(seconds: float) -> str:
    return f"{seconds:.6f}"


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else value


def _raven(selections: list[tuple], target: str) -> Iterator[list[str]]:
    """The lines of a recording's selection table; frequencies are its whole range if unknown."""
    yield [
        *("Selection", "View", "Channel", raven.BEGIN, raven.END, raven.LOW, raven.HIGH),
        *(raven.BEGIN_FILE[1], target, "Score", "Distance", "Unlike training"),
    ]
    for number, (row, segment, rate) in enumerate(selections, start=1):
        yield [
            *(str(number), VIEW, _channel(segment), _time(row["start_s"]), _time(row["end_s"])),
            *(segment.low_hz or "0.000", segment.high_hz or f"{rate / 2:.3f}"),
            *(PurePosixPath(row["file"]).name, _plain(row["predicted"])),
            *(f"{row['probability']:.4f}", f"{row['distance']:.3f}"),
            _cell(row["unlike_training"]),
        ]


def _channel(segment: Segment) -> str:
    """Its number, counted from 1 as Raven does."""
    return str(1 if segment.channel is None else segment.channel + 1)


def _audacity(selections: list[tuple], target: str) -> Iterator[list[str]]:
    """The lines of a recording's label track: the class, its probability, and the flag."""
    for row, _, _ in selections:
        text = f"{_plain(row['predicted'])} {row['probability']:.2f}"
        if row["unlike_training"]:
            text += f" {UNLIKE}"
        yield [_time(row["start_s"]), _time(row["end_s"]), text]


def _plain(label: str) -> str:
    """A label without the tabs and line ends that part cells and rows."""
    return " ".join(label.split())
