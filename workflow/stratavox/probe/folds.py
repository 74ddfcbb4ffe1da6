"""Stage: the clips of a task, and the folds that all readouts, encoders and probes share.

Reads the inspected clips and the table of one dataset; writes one row per (regime, repeat, clip)
with the fold in which the clip is tested, and a JSON of what was kept and what was left out. In
each regime one unit is never on both sides of a split: the task's group (grouped), the recording
that a clip was cut from (recording), or the clip itself (random).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox import columns, sampling, tables
from stratavox.corpus.identity import usable
from stratavox.corpus.labels import check_columns, inspected, labels_of
from stratavox.errors import StratavoxError
from stratavox.probe import splits
from stratavox.stage import Job

SCHEMA = columns.schema("folds/{dataset}/{task}.parquet")


def run(job: Job) -> None:
    scanned = tables.read_table(job.input.scan)
    sounds = usable(inspected(scanned, job.input.inspect))
    labels = labels_of(job.settings, job.input.scan, sounds, Path())
    clips, summary = choose_clips(labels, job.settings)
    summary["identical_across_groups"] = identical_across_groups(sounds, clips)
    rows, summary["regimes"], summary["regimes_left_out"] = assign(clips, job.settings)
    tables.write_table(rows, job.output.folds, job.provenance)
    tables.write_json(summary, job.output.summary)


def choose_clips(labels: pa.Table, settings: dict) -> tuple[pd.DataFrame, dict]:
    """The clips that can be tested (clip_id, target, group and recording), and the summary.

    Group and recording are None where they are unknown; a recording is named by the cells of all
    the columns in ``settings["recording"]``, and a clip with one of them empty is its own.
    A class with fewer than ``min_clips`` clips or ``min_groups`` groups is left out, and listed;
    `subset` draws from the others.
    """
    where = f"datasets.{settings['dataset']}.tasks.{settings['task']}"
    needed = [(f"{where}.{key}", settings[key]) for key in ("target", "group")]
    needed += [(f"datasets.{settings['dataset']}.recording", key) for key in settings["recording"]]
    check_columns(needed, labels.column_names[1:], settings)
    named = settings["group"] is not None
    cells = {
        "clip_id": labels["clip_id"].to_pylist(),
        "target": labels[settings["target"]].to_pylist(),
        "group": labels[settings["group"]].to_pylist() if named else None,
        "recording": _recordings(labels, settings["recording"]),
    }
    every = pd.DataFrame(cells, dtype=object)
    empty_label = every["target"] == ""
    empty_group = (every["group"] == "") & ~empty_label
    usable = every[~empty_label & ~empty_group]
    counted = in_classes(usable)
    left_out = []
    for label, count in counted.items():
        why = []
        if count["clips"] < settings["min_clips"]:
            why.append(f"fewer than {settings['min_clips']} clips")
        if named and count["groups"] < settings["min_groups"]:
            why.append(f"fewer than {settings['min_groups']} groups ({settings['group']})")
        if why:
            left_out.append({"label": label, **count, "why": " and ".join(why)})
    classes = [label for label in counted if label not in {row["label"] for row in left_out}]
    if len(classes) < 2:
        raise StratavoxError(
            f"{where}: {len(classes)} of {len(counted)} classes of column "
            f"{settings['target']!r} can be tested ({', '.join(map(repr, classes)) or 'none'}); a "
            f"probe needs at least 2 with min_clips: {settings['min_clips']} and min_groups: "
            f"{settings['min_groups']}. Left out: "
            + ("; ".join(f"{row['label']!r}: {row['why']}" for row in left_out) or "nothing")
            + ". Choose another target, lower the limits or remove the task."
        )
    whole = usable[usable["target"].isin(classes)].reset_index(drop=True)
    clips = subset(whole, settings)
    n_groups = clips["group"].nunique() if named else None
    if named and n_groups < settings["folds"]:
        raise StratavoxError(
            f"{where}: {settings['folds']} folds need at least as many groups, column "
            f"{settings['group']!r} has {n_groups} among the {len(clips)} clips that "
            f"can be tested; set folds to {n_groups} or fewer in "
            f"datasets.{settings['dataset']}.probes"
        )
    summary = {
        "target": settings["target"],
        "group": settings["group"],
        "clips": len(clips),
        "groups": n_groups,
        "recordings": clips["recording"].nunique() if settings["recording"] else None,
        "classes": in_classes(clips),
        "drawn_from": None,
        "chance": 1 / len(classes),
        "left_out": left_out,
        "empty_labels": int(empty_label.sum()),
        "empty_groups": int(empty_group.sum()),
        "near_duplicates": near_duplicates(counted),
    }
    if len(clips) < len(whole):
        groups = whole["group"].nunique() if named else None
        summary["drawn_from"] = {"clips": len(whole), "groups": groups, "seed": settings["seed"]}
    return clips, summary


def subset(clips: pd.DataFrame, settings: dict) -> pd.DataFrame:
    """At most ``max_clips`` of ``clips``, drawn by class with the seed; null takes all.

    Each class has its share, but no fewer clips than min_clips and min_groups require. Within a
    class every group gives one clip before any gives a second, so that the sample has as many
    groups as possible.
    """
    target, most = clips["target"].to_numpy(), settings["max_clips"]
    if most is None or len(target) <= most:
        return clips
    fewest = max(settings["min_clips"], settings["min_groups"])
    sizes = clips["target"].value_counts()
    needed = sizes.clip(upper=fewest).sum()
    if needed > most:
        raise StratavoxError(
            f"datasets.{settings['dataset']}.probes.max_clips: found {most}; task "
            f"{settings['task']!r} has {len(sizes)} classes, and with min_clips: "
            f"{settings['min_clips']} and min_groups: {settings['min_groups']} they keep {needed} "
            f"clips at least; give {needed} or more, or null for all {len(target)}"
        )
    order = sampling.seeded_order(clips["clip_id"], settings["seed"])
    order = sampling.groups_first(target, clips["group"].to_numpy(), order)
    rows = sampling.by_class(target, order, most, fewest)
    return clips.iloc[rows].reset_index(drop=True)


def in_classes(clips: pd.DataFrame) -> dict[str, dict]:
    """Clips and groups of each class, in alphabetical order; groups are None where unknown."""
    known = clips["group"].notna().all()
    return {
        label: {"clips": len(group), "groups": group.nunique() if known else None}
        for label, group in clips.groupby("target")["group"]
    }


def near_duplicates(labels) -> list[list[str]]:
    """Labels that differ only in case or white space: kept as separate classes and reported."""
    alike = defaultdict(list)
    for label in labels:
        alike["".join(label.split()).casefold()].append(label)
    return [sorted(same) for same in alike.values() if len(same) > 1]


def identical_across_groups(sounds: pa.Table, clips: pd.DataFrame) -> list[list[str]]:
    """Sets of clips with the same audio in more than one group."""
    audio = ["sha256", "start_s", "end_s"]
    rows = sounds.select(["clip_id", *audio]).to_pandas().merge(clips[["clip_id", "group"]])
    rows = rows[rows.duplicated(audio, keep=False)]
    same = rows.groupby(audio, dropna=False)
    return sorted(sorted(part["clip_id"]) for _, part in same if part["group"].nunique() > 1)


def _recordings(labels: pa.Table, columns: list[str]) -> list[str] | None:
    if not columns:
        return None
    cells = zip(*(labels[column].to_pylist() for column in columns), strict=True)
    return [
        " / ".join(row) if all(row) else clip_id
        for row, clip_id in zip(cells, labels["clip_id"].to_pylist(), strict=True)
    ]


def regimes(clips: pd.DataFrame) -> list[str]:
    """The regimes that differ for these clips, strictest first.

    The regime by recording differs only where recordings have several clips and are not the same
    as the groups.
    """
    known = [] if clips["group"][0] is None else ["grouped"]
    recordings = clips["recording"].nunique()
    pairs = len(clips[["group", "recording"]].drop_duplicates())
    same_as_groups = known and recordings == pairs == clips["group"].nunique()
    if clips["recording"][0] is None or recordings == len(clips) or same_as_groups:
        return [*known, "random"]
    return [*known, "recording", "random"]


def assign(clips: pd.DataFrame, settings: dict) -> tuple[pa.Table, list[str], dict[str, str]]:
    """Folds of each regime, the regimes with folds, and those without and why.

    Raises where the grouped regime has no folds, as the task cannot be answered then; the regime by
    recording is left out where some class is in too few recordings.
    """
    blocks, kept, left_out = [], [], {}
    for regime in regimes(clips):
        try:
            blocks += _folds(clips, regime, settings)
        except StratavoxError as error:
            if regime != "recording":
                raise
            left_out[regime] = str(error)
            continue
        kept.append(regime)
    return pa.concat_tables(blocks), kept, left_out


def _folds(clips: pd.DataFrame, regime: str, settings: dict) -> list[pa.Table]:
    """The folds of one regime, a table for each repeat."""
    target, blocks = clips["target"].to_numpy(), []
    for repeat in range(settings["repeats"]):
        seed = settings["seed"] + repeat * splits.SHUFFLES
        if regime == "random":
            fold = splits.by_clip(target, settings["folds"], seed)
        else:
            apart = "group" if regime == "grouped" else "recording"
            fold = _apart(target, clips[apart].to_numpy(), apart, settings, seed)
        n = len(fold)
        columns_of_clips = [clips[name].to_numpy() for name in clips]
        blocks.append(
            pa.table([[regime] * n, [repeat] * n, fold, *columns_of_clips], schema=SCHEMA)
        )
    return blocks


def _apart(
    target: np.ndarray, group: np.ndarray, kind: str, settings: dict, seed: int
) -> np.ndarray:
    try:
        return splits.by_group(target, group, settings["folds"], settings["inner_folds"], seed)
    except StratavoxError as error:
        where = f"datasets.{settings['dataset']}.tasks.{settings['task']}"
        columns = settings["group"] if kind == "group" else " / ".join(settings["recording"])
        raise StratavoxError(
            f"{where}, {kind}s of {columns!r}: {error}; lower folds or inner_folds in "
            f"datasets.{settings['dataset']}.probes, or raise min_groups of the task"
        ) from None
