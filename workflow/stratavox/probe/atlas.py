"""Stage: the acoustic atlas. How well is each acoustic descriptor predicted from each readout?

Reads the readouts, the descriptors (parts of acoustics) and the task's folds, of which the first
repeat of the strictest regime is used. Writes a row for each readout, target and group: the squared
error of ridge regression on held-out clips (``sse``) and that of the training mean (``sst``), both
of the transformed target in training standard deviations: variance explained is 1 - sum sse /
sum sst over groups. ``concat`` is all blocks side by side; the target ``padding`` is the share of
zeros in the encoder's shortest input. The file's metadata lists under ``atlas`` which targets were
left out and why, and how often the chosen penalty is at an end of its grid.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from stratavox import columns, tables
from stratavox.corpus.targets import TARGETS
from stratavox.probe import descriptors, ridge
from stratavox.probe.once import once
from stratavox.probe.readouts import matrix, places, strictest
from stratavox.probe.regimes import APART
from stratavox.probe.workers import of_each_readout
from stratavox.stage import Job

SCHEMA = columns.schema("atlas/{encoder}/{dataset}/{task}.parquet")
TRANSFORMS = {name: target.transform for name, target in TARGETS.items()} | {"padding": "none"}
FEWEST_CLIPS, FEWEST_GROUPS = 20, 2


def run(job: Job) -> None:
    folder = job.input.encoder.parent
    table, facts = atlas(folder, job.input.acoustics, job.input.folds, job.settings, job.threads)
    tables.write_table(table, job.output.atlas, {**job.provenance, "atlas": facts})


def atlas(
    folder: Path, acoustics: list[Path], folds: Path, settings: dict, threads: int
) -> tuple[pa.Table, dict]:
    """The rows (`SCHEMA`) of every readout, and the facts for the file's metadata."""
    encoder = tables.read_json(folder / "encoder.json")
    clips = first_repeat(folds)
    targets = read_targets(folder, encoder, acoustics, clips.index)
    reasons = {name: left_out(targets[name], clips, settings) for name in targets}
    kept = targets[[name for name in targets if reasons[name] is None]]
    members = {name: [name] for name in encoder["readouts"]} if len(kept.columns) else {}
    if members and len(encoder["blocks"]) > 1:
        members["concat"] = encoder["blocks"]
    done = of_each_readout(
        f"atlas of {encoder['encoder']}",
        atlas_readout,
        {name: (folder, members[name], kept, clips, settings) for name in members},
        threads,
    )
    rows = [
        pa.Table.from_pandas(errors.assign(readout=name), SCHEMA, preserve_index=False)
        for name, (errors, _) in done.items()
    ]
    facts = {
        "regime": clips.attrs["regime"],
        "clips": len(clips),
        "undefined": {name: int(values.isna().sum()) for name, values in targets.items()},
        "left_out": {name: reason for name, reason in reasons.items() if reason},
        "penalties": [float(ridge.PENALTIES[0]), float(ridge.PENALTIES[-1])],
        "chosen": {
            name: {
                key: sum(chosen[name][key] for _, chosen in done.values())
                for key in ("fits", "weakest", "strongest")
            }
            for name in kept
        },
        "settings": settings,
    }
    return pa.concat_tables([SCHEMA.empty_table(), *rows]), facts


def first_repeat(folds: Path) -> pd.DataFrame:
    """fold, group and apart of the clips in the first repeat, indexed by clip_id.

    ``apart`` is the unit that the regime (``attrs["regime"]``) keeps on one side of a split; in the
    random regime it is the clip itself, or all clips with its audio.
    """
    clips = strictest(tables.read_table(folds)).to_pandas()
    clips = clips[clips["repeat"] == 0].set_index("clip_id")
    regime = clips["regime"].iloc[0]
    apart = clips[APART[regime] or "audio"]
    clips["apart"] = clips.index if apart.isna().all() else apart
    clips.attrs["regime"] = regime
    return clips[["fold", "group", "apart"]]


def tested_folds(fold: pd.Series) -> list[int]:
    """The folds in which clips are tested; -1 marks those that only train (transfer)."""
    return sorted(fold[fold >= 0].unique())


def read_targets(
    folder: Path, encoder: dict, acoustics: list[Path], clip_ids: pd.Index
) -> pd.DataFrame:
    """Every target (columns) of the clips (rows, in order), NaN where undefined.

    ``padding`` is one of them unless it is the same for all clips.
    """
    frame = descriptors.read(acoustics, list(clip_ids))
    path = folder / "windows.parquet"
    windows = tables.read_table(path, ["clip_id", "n_samples"]).to_pandas()
    rows = places(windows["clip_id"].tolist(), list(clip_ids), path)
    n_samples = windows.iloc[rows].set_index("clip_id")["n_samples"]
    padding = (1 - n_samples / (encoder["shortest_s"] * encoder["rate"])).clip(lower=0)
    return frame.assign(padding=padding) if padding.nunique() > 1 else frame


def left_out(values: pd.Series, clips: pd.DataFrame, settings: dict) -> str | None:
    """Why a target cannot be regressed on these folds; None where it can."""
    defined = values.notna()
    if defined.sum() < FEWEST_CLIPS:
        return f"defined for {defined.sum()} clips, fewer than {FEWEST_CLIPS}"
    kind = APART[clips.attrs["regime"]] or "clip"
    groups = clips["apart"][defined].nunique()
    if groups < FEWEST_GROUPS:
        return f"defined in {groups} {kind}s, fewer than {FEWEST_GROUPS}"
    for fold in tested_folds(clips["fold"][defined]):
        train = defined & (clips["fold"] != fold)
        if values[train].nunique() < 2:
            return f"without variance in the training clips of fold {fold}"
        apart = clips["apart"][train].nunique()
        if apart < settings["inner_folds"]:
            return f"{apart} training {kind}s in fold {fold}, fewer than inner_folds"
    return None


def atlas_readout(
    folder: Path, members: list[str], targets: pd.DataFrame, clips: pd.DataFrame, settings: dict
) -> tuple[pd.DataFrame, dict]:
    """Rows of one readout (``members`` side by side), and each target's chosen penalties."""
    x = np.hstack([matrix(folder, name, list(targets.index)) for name in members])
    return regress(x, targets, clips, settings)


@once
def _transformed(targets: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    """The targets (clips, targets) as they are regressed in a fold; all readouts share them."""
    each = [
        descriptors.transformed(values.to_numpy(), train, TRANSFORMS[name])
        for name, values in targets.items()
    ]
    return np.column_stack(each)


def regress(
    x: np.ndarray, targets: pd.DataFrame, clips: pd.DataFrame, settings: dict
) -> tuple[pd.DataFrame, dict]:
    """Squared errors of each target by group, and how often a penalty at an end was chosen.

    ``x`` (clips, width), ``targets`` (clips, targets) and ``clips`` are in the same order.
    """
    regime = clips.attrs["regime"]
    group = clips["group"].to_numpy(dtype=object)
    by_clip = APART[regime] is None and clips["apart"].is_unique
    apart = None if by_clip else clips["apart"].to_numpy(dtype=object)
    sse, sst = np.full((2, *targets.shape), np.nan)
    places = []
    for fold in tested_folds(clips["fold"]):
        test = clips["fold"].to_numpy() == fold
        y = _transformed(targets, ~test)
        outer = ridge.outer_fold(x, y, apart, test, settings)
        sse[test] = np.square(outer.predicted - y[test])
        sst[test] = np.square(y[test])  # the mean of the training clips is zero
        places.append(outer.place)
    tested = clips["fold"].to_numpy() >= 0
    clip, column = np.nonzero(targets.notna().to_numpy() & tested[:, None])
    errors = {"n_clips": 1, "sse": sse[clip, column], "sst": sst[clip, column]}
    of_clips = pd.DataFrame({"target": column, "group": group[clip], **errors})
    rows = of_clips.groupby(["target", "group"], dropna=False).sum().reset_index()
    rows["target"] = targets.columns[rows["target"]]
    chosen = {}
    for column, name in enumerate(targets):
        place = np.array(places)[:, column]
        chosen[name] = {
            "fits": int(np.sum(place >= 0)),
            "weakest": int(np.sum(place == 0)),
            "strongest": int(np.sum(place == len(ridge.PENALTIES) - 1)),
        }
    return rows.assign(regime=regime), chosen
