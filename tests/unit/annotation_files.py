"""Annotation files as the programs write them, made by code."""

from __future__ import annotations

from pathlib import Path

from corpus_data import settings
from stratavox.corpus.annotations.table import as_table

RAVEN = ["Selection", "View", "Channel", "Begin Time (s)", "End Time (s)"]
RAVEN += ["Low Freq (Hz)", "High Freq (Hz)"]


def annotated(form: str = "raven", **entry) -> dict:
    """Settings of annotations in the folder `data`, labels in the column Species."""
    entry = {"format": form, "label": "Species", "min_s": 0.02} | entry
    shared = {"path", "shards", "channel", "trim_zeros", "max_bad"}
    base = {key: value for key, value in settings().items() if key in shared}
    return base | {"annotations": entry} | as_table(entry)


def put_text(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def put_lines(folder: Path, name: str, lines: list[list]) -> Path:
    """Cells with tabs between them, CRLF at the ends as on the annotator's Windows."""
    return put_text(folder, name, "".join("\t".join(map(str, line)) + "\r\n" for line in lines))


def put_raven(folder: Path, name: str, boxes: list[tuple], further: list[str] | None = None):
    """A selection table with both views of each box (start, end, *further, Species)."""
    lines = [[*RAVEN, *(further or []), "Species"]]
    for number, (start, end, *cells) in enumerate(boxes, start=1):
        for view, low in (("Waveform 1", "0.000"), ("Spectrogram 1", "500.000")):
            lines.append([number, view, 1, start, end, low, "4000.000", *cells])
    return put_lines(folder, name, lines)


def textgrid(tiers: dict[str, list[tuple]], end: float, long: bool) -> str:
    """A TextGrid with interval tiers of (start, end, text), gaps filled as Praat does."""
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
    fields = [("xmin", 0), ("xmax", end), ("tiers?", "<exists>"), ("size", len(tiers))]
    for number, (name, boxes) in enumerate(tiers.items(), start=1):
        filled, before = [], 0
        for box in boxes:
            filled += [(before, box[0], "")] if float(box[0]) > float(before) else []
            filled.append(box)
            before = box[1]
        filled.append((before, end, ""))
        fields += [(f"item [{number}]:", None), ("class", '"IntervalTier"'), ("name", f'"{name}"')]
        fields += [("xmin", 0), ("xmax", end), ("intervals: size", len(filled))]
        for place, (start, stop, text) in enumerate(filled, start=1):
            quoted = text.replace('"', '""')
            fields += [(f"intervals [{place}]:", None), ("xmin", start), ("xmax", stop)]
            fields += [("text", f'"{quoted}"')]
    if long:
        return head + "".join(
            f"    {key}\n" if value is None else f"    {key} = {value} \n" for key, value in fields
        ).replace("tiers? =", "tiers?")
    return head + "".join(f"{value}\n" for _, value in fields if value is not None)
