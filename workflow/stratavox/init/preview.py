"""The first clips of a new config, to look at and to listen to."""

from __future__ import annotations

import re
from pathlib import Path

import soundfile as sf

from stratavox import audio, tables
from stratavox.corpus import sound
from stratavox.corpus.identity import good
from stratavox.corpus.labels import labels_of
from stratavox.plan import Plan
from stratavox.probe.regimes import columns_of
from stratavox.settings import Settings

SHOWN = 3
HEADER = ("file", "start", "end", "label", "group", "channel")


def clips(plan: Plan, dataset: str, task: str) -> list[dict]:
    """The first `SHOWN` clips that have a label, by the table's order: `HEADER` and their bounds.

    Start and end are in seconds, None for a whole file.
    """
    scan = plan.root / f"results/corpus/{dataset}/scan.parquet"
    kept = good(tables.read_table(scan))
    rows, entry = kept.to_pylist(), plan.datasets[dataset]["tasks"][task]
    labels = labels_of(Settings(plan).tables(dataset), scan, kept, plan.root)
    targets = labels[entry["target"]].to_pylist()
    groups = [labels[name].to_pylist() for name in columns_of(entry["group"])]
    policy = plan.datasets[dataset]["channel"]
    first = policy["first"] if isinstance(policy, dict) else 0
    shown = []
    for place, (row, target) in enumerate(zip(rows, targets, strict=True)):
        if target and len(shown) < SHOWN:
            channel = row.get("channel")
            shown.append(
                {
                    **{"file": row["file"], "start": row["start_s"], "end": row["end_s"]},
                    "label": target,
                    "group": " + ".join(cells[place] for cells in groups) or "unknown",
                    "channel": policy if channel is None else channel,
                    "shown": policy if channel is None else channel + first,
                }
            )
    return shown


def describe(shown: list[dict]) -> list[str]:
    """The clips as an aligned table; channels are counted as the config or its column does."""
    cells = [clip | {"channel": clip["shown"]} for clip in shown]
    rows = [HEADER, *([_cell(name, clip[name]) for name in HEADER] for clip in cells)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _cell(name: str, value: object) -> str:
    if name in ("start", "end"):
        whole = "whole file" if name == "start" else ""
        return whole if value is None else f"{value:.3f} s"
    return str(value)


def listen(shown: list[dict], path: Path, trim_zeros: bool, folder: Path) -> list[str]:
    """Write the clips of recordings below ``path`` to ``folder`` as WAV, and say where they are."""
    messages = [f"clips to listen to: {folder}"]
    with tables.atomic_path(folder, folder=True) as temporary:
        for number, clip in enumerate(shown, start=1):
            label = re.sub(r"[^\w-]+", "_", clip["label"])
            name = f"{number}_{Path(clip['file']).stem}_{label}.wav"
            try:
                heard = sound.read(path / clip["file"], clip["start"], clip["end"], trim_zeros)
                samples = audio.mono(heard.samples, clip["channel"])
            except audio.AudioError as error:
                messages.append(f"  look: clip {number}: {clip['file']}: {error}")
                continue
            sf.write(temporary / name, samples, heard.rate, subtype="PCM_24")
            messages.append(f"  {name}")
    return messages
