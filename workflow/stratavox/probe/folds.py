"""Stage: the clips of a task, and the folds that all readouts, encoders and probes share.

Reads the inspected clips and the table of one dataset; writes one row per (regime, repeat, clip)
with the fold in which the clip is tested, and a JSON of what was kept and what was left out. In
each regime one unit is never on both sides of a split: the task's group (grouped), the recording
that a clip was cut from (recording), or the clip itself (random). A group named by several columns
is what their values link (linked.py). Clips that are the same audio are never on both sides, in no
regime (alike.py).

A task with ``transfer`` trains on clips with some values of a column and tests clips with others:
in the regime ``grouped`` the clips that only train have the fold -1. In all other regimes only the
tested clips occur, and ``within`` is by group among them: what transfer is compared with.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox import columns, sampling, tables
from stratavox.corpus.identity import usable
from stratavox.corpus.labels import check_columns, inspected, labels_of
from stratavox.errors import StratavoxError
from stratavox.probe import alike, kinds, limits, linked, splits, transfer
from stratavox.probe.regimes import APART, columns_of
from stratavox.stage import Job

SCHEMA = columns.schema("folds/{dataset}/{task}.parquet")


def run(job: Job) -> None:
    scanned = tables.read_table(job.input.scan)
    sounds = usable(inspected(scanned, job.input.inspect))
    labels = labels_of(job.settings, job.input.scan, sounds, Path())
    clips, summary = choose_clips(labels, job.settings, sounds)
    rows, summary["regimes"], summary["regimes_left_out"] = assign(clips, job.settings)
    tables.write_table(rows, job.output.folds, job.provenance)
    tables.write_json(summary, job.output.summary)
    for row in summary["left_out"]:
        if not row["clips"]:
            print(f"class {row['label']!r} is left out: {row['why']}", flush=True)


def choose_clips(
    labels: pa.Table, settings: dict, sounds: pa.Table | None = None
) -> tuple[pd.DataFrame, dict]:
    """The clips that can be tested (clip_id, target, group and recording), and the summary.

    Group and recording are None where they are unknown; a recording is named by the cells of all
    the columns in ``settings["recording"]``, and a clip with one of them empty is its own.
    What can be tested, and the further columns, are the kind's (`kinds.Kind.folds`); `subset` draws
    from it. With ``settings["transfer"]`` there is a column side, and the summary's counts are of
    the tested clips.

    Clips that are the same audio by ``sounds`` (`alike.marked`) are in one group and recording.
    """
    where = f"datasets.{settings['dataset']}.tasks.{settings['task']}"
    kind = kinds.of(settings)
    own = kind.module("folds")
    crossing, group_columns = settings.get("transfer"), columns_of(settings["group"])
    needed = [(f"{where}.target", key) for key in columns_of(settings["target"])]
    needed += [(f"{where}.group", key) for key in group_columns]
    needed += [(f"{where}.transfer.column", crossing["column"])] if crossing else []
    needed += [(f"datasets.{settings['dataset']}.recording", key) for key in settings["recording"]]
    check_columns(needed, labels.column_names[1:], settings)
    named = settings["group"] is not None
    cells = {
        "clip_id": labels["clip_id"].to_pylist(),
        **own.targets(labels, settings, where),
        "group": _group_cells(labels, group_columns) if named else None,
        "recording": _recordings(labels, settings["recording"]),
    }
    if crossing:
        of_clips = labels[crossing["column"]].to_pylist()
        cells["side"] = transfer.sides(of_clips, crossing, where)
    every = pd.DataFrame(cells, dtype=object)
    if crossing:
        every = every[every["side"] != ""]
    empty_label = ~every.pop("known").astype(bool)
    empty_group = (every["group"] == "") & ~empty_label
    usable = every[~empty_label & ~empty_group].copy()
    if len(group_columns) > 1 and len(usable):
        usable["group"] = linked.names(usable["group"].tolist())
        limits.refuse_few_groups(usable, settings)  # before it would be said of every class
    named_clips = usable = alike.marked(usable, sounds)
    usable = alike.tied(usable)
    if named:
        alike.refuse_links(named_clips, usable, settings["folds"], where)
    both = transfer.straddling(usable) if crossing else np.zeros(len(usable), dtype=bool)
    straddling, usable = usable[both], usable[~both]
    dropped = transfer.not_trained_on(straddling)
    whole, names, left_out = own.chosen(usable, settings, where, dropped)
    clips = subset(whole, settings)
    tested = tested_clips(clips)
    n_groups = tested["group"].nunique() if named else None
    if named:
        limits.refuse_few_groups(clips, settings)
    summary = {
        kinds.KEY: kind.name,
        "target": settings["target"],
        "group": settings["group"],
        "clips": len(tested),
        "groups": n_groups,
        "recordings": tested["recording"].nunique() if settings["recording"] else None,
        **own.summary(tested),
        "drawn_from": None,
        "left_out": left_out,
        "empty_labels": int(empty_label.sum()),
        "empty_groups": int(empty_group.sum()),
        "near_duplicates": near_duplicates(names),
        "near_duplicate_groups": near_duplicates(named_clips["group"].unique()) if named else [],
        **_identical(named_clips, clips),
    }
    if crossing:
        summary["transfer"] = crossing | _training(clips, straddling, own)
    if len(clips) < len(whole):
        whole = tested_clips(whole)
        groups = whole["group"].nunique() if named else None
        summary["drawn_from"] = {"clips": len(whole), "groups": groups, "seed": settings["seed"]}
    return clips, summary


def tested_clips(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips that are tested: all, except where some only train (column ``side``)."""
    if "side" not in clips:
        return clips
    return clips[clips["side"] == transfer.TEST].reset_index(drop=True)


def _group_cells(labels: pa.Table, columns: list[str]) -> list:
    """The cell of each clip; with several columns a tuple, "" where one of them is empty."""
    if len(columns) == 1:
        return labels[columns[0]].to_pylist()
    rows = zip(*(labels[column].to_pylist() for column in columns), strict=True)
    return [row if all(row) else "" for row in rows]


def _training(clips: pd.DataFrame, straddling: pd.DataFrame, own: ModuleType) -> dict:
    """What is known of the clips that train for transfer, and of those that may not.

    ``straddling`` are clips whose group is also tested; ``own`` is `kinds.Kind.folds`.
    """
    train = clips[clips["side"] == transfer.TRAIN]
    return {
        "clips": len(train),
        "groups": train["group"].nunique(),
        "classes": own.summary(train)["classes"],
        "straddling_clips": len(straddling),
        "straddling_groups": sorted(set(straddling["group"])),
    }


def subset(clips: pd.DataFrame, settings: dict) -> pd.DataFrame:
    """At most ``max_clips`` of ``clips``, drawn by class with the seed; null takes all.

    Where there is a column stratum, its values are the classes. Each class has its share, but no
    fewer clips than min_clips and min_groups require. Within a class every group gives one clip
    before any gives a second, so that the sample has as many groups as possible.
    """
    by = clips["stratum" if "stratum" in clips else "target"]
    target, most = by.to_numpy(), settings["max_clips"]
    if "side" in clips:
        target = (clips["side"] + " " + by).to_numpy()
    if most is None or len(target) <= most:
        return clips
    fewest = max(settings["min_clips"], settings["min_groups"])
    sizes = pd.Series(target).value_counts()
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


def near_duplicates(labels) -> list[list[str]]:
    """Labels that differ only in case, white space or the order of a set: kept and reported."""
    alike = defaultdict(list)
    for label in labels:
        plain = "".join(unicodedata.normalize("NFKC", label).split()).casefold()
        alike[tuple(sorted(re.split("[;,|]", plain)))].append(label)
    return [sorted(same) for same in alike.values() if len(same) > 1]


def _identical(named: pd.DataFrame, clips: pd.DataFrame) -> dict[str, list[list[str]]]:
    """Sets of ``clips`` with the same audio under several labels or in several groups.

    ``named`` holds the groups as the table names them.
    """
    named = named[named["clip_id"].isin(clips["clip_id"])]
    return {
        "identical_across_labels": alike.across(named, "target"),
        "identical_across_groups": alike.across(named, "group"),
    }


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
    by_group = "within" if "side" in clips else "grouped"
    known = [] if clips["group"][0] is None else [by_group]
    recordings = clips["recording"].nunique()
    pairs = len(clips[["group", "recording"]].drop_duplicates())
    same_as_groups = known and recordings == pairs == clips["group"].nunique()
    if clips["recording"][0] is None or recordings == len(clips) or same_as_groups:
        return [*known, "random"]
    return [*known, "recording", "random"]


def assign(clips: pd.DataFrame, settings: dict) -> tuple[pa.Table, list[str], dict[str, str]]:
    """Folds of each regime, the regimes with folds, and those without and why.

    Raises where the grouped regime has no folds, as the task cannot be answered then; the regimes
    within the tested side and by recording are left out where some class is in too few units.
    """
    blocks, kept, left_out = [], [], {}
    if "side" in clips:
        # a single split, so further repeats would be the same
        blocks, kept = [_rows(clips, "grouped", 0, transfer.folds(clips))], ["grouped"]
    tested = tested_clips(clips)
    for regime in regimes(tested):
        try:
            blocks += _folds(tested, regime, settings)
        except StratavoxError as error:
            if regime not in ("within", "recording"):
                raise
            left_out[regime] = str(error)
            continue
        kept.append(regime)
    return pa.concat_tables(blocks), kept, left_out


def _folds(clips: pd.DataFrame, regime: str, settings: dict) -> list[pa.Table]:
    """The folds of one regime, a table for each repeat."""
    blocks, own = [], kinds.of(settings).module("folds")
    for repeat in range(settings["repeats"]):
        seed = settings["seed"] + repeat * splits.SHUFFLES
        apart = APART[regime] or "audio"
        if apart in clips:
            fold = _apart(clips, apart, settings, seed)
        else:
            fold = own.by_clip(clips, settings["folds"], seed)
        blocks.append(_rows(clips, regime, repeat, fold))
    return blocks


def _rows(clips: pd.DataFrame, regime: str, repeat: int, fold: np.ndarray) -> pa.Table:
    own = {"regime": [regime] * len(fold), "repeat": [repeat] * len(fold), "fold": fold}
    return pa.table([_column(own, clips, name) for name in SCHEMA.names], schema=SCHEMA)


def _column(own: dict, clips: pd.DataFrame, name: str) -> list:
    if name in own:
        return list(own[name])
    return clips[name].tolist() if name in clips else [None] * len(clips)


def _apart(clips: pd.DataFrame, kind: str, settings: dict, seed: int) -> np.ndarray:
    """Folds that keep each value of the column ``kind`` on one side."""
    own, group = kinds.of(settings).module("folds"), clips[kind].to_numpy()
    try:
        return own.by_group(clips, group, settings["folds"], settings["inner_folds"], seed)
    except StratavoxError as error:
        where = f"datasets.{settings['dataset']}.tasks.{settings['task']}"
        several = columns_of(settings["group"]) if kind == "group" else settings["recording"]
        units = (
            "sets of clips with the same audio"
            if kind == "audio"
            else f"{kind}s of {' / '.join(several)!r}"
        )
        raise StratavoxError(
            f"{where}, {units}: {error}; lower folds or inner_folds in "
            f"datasets.{settings['dataset']}.probes, or raise min_groups of the task"
        ) from None
