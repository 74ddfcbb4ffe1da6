"""Which clips a task has, and the folds that every readout, encoder and probe shares.

Reads the inspected clips and the table of one dataset; writes one row per (regime, repeat, clip)
with the fold in which the clip is tested, and a JSON with what was kept and what was left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from stratavox import stage, tables
from stratavox.corpus.identity import usable
from stratavox.corpus.labels import inspected, labels_of
from stratavox.errors import StratavoxError, run

SCHEMA = pa.schema(
    [
        ("regime", pa.string()),
        ("repeat", pa.int32()),
        ("fold", pa.int32()),
        ("clip_id", pa.string()),
        ("target", pa.string()),
        ("group", pa.string()),
    ]
)
# Ways to shuffle the groups that are tried until every training set holds every class.
SHUFFLES = 100


def main() -> None:
    parser = stage.parser(__doc__)
    parser.add_argument("--scan", type=Path, required=True, help="scan.parquet of the dataset")
    parser.add_argument("--inspect", type=Path, required=True, nargs="+", help="parts of inspect")
    parser.add_argument("--out-folds", required=True)
    parser.add_argument("--out-summary", required=True)
    options = parser.parse_args()
    settings = options.settings
    sounds = usable(inspected(tables.read_table(options.scan), options.inspect))
    clips, summary = choose_clips(labels_of(settings, options.scan, sounds, Path()), settings)
    summary["identical_across_groups"] = identical_across_groups(sounds, clips)
    rows = assign(clips, settings)
    tables.write_table(rows, options.out_folds, options.provenance)
    tables.write_json(summary, options.out_summary)


def choose_clips(labels: pa.Table, settings: dict) -> tuple[dict[str, np.ndarray], dict]:
    """The clips that can be tested, as arrays clip_id, target, group (None where unknown).

    A class with fewer than ``min_clips`` clips or ``min_groups`` groups is left out, and listed.
    """
    where = f"datasets.{settings['dataset']}.tasks.{settings['task']}"
    clip_ids = np.array(labels["clip_id"].to_pylist(), dtype=object)
    target = np.array(labels[settings["target"]].to_pylist(), dtype=object)
    named = settings["group"] is not None
    group = np.array(
        labels[settings["group"]].to_pylist() if named else [None] * len(target), dtype=object
    )
    empty_label = target == ""
    empty_group = (group == "") & ~empty_label
    usable = ~empty_label & ~empty_group
    counted = {
        label: {
            "clips": int(np.sum(usable & (target == label))),
            "groups": len(set(group[usable & (target == label)])) if named else None,
        }
        for label in sorted(set(target[usable]))
    }
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
    kept = usable & np.isin(target, classes)
    clips = {"clip_id": clip_ids[kept], "target": target[kept], "group": group[kept]}
    n_groups = len(set(clips["group"])) if named else None
    if named and n_groups < settings["folds"]:
        raise StratavoxError(
            f"{where}: {settings['folds']} folds need at least as many groups, column "
            f"{settings['group']!r} has {n_groups} among the {len(clips['clip_id'])} clips that "
            f"can be tested; set folds to {n_groups} or fewer in "
            f"datasets.{settings['dataset']}.probes"
        )
    summary = {
        "target": settings["target"],
        "group": settings["group"],
        "clips": len(clips["clip_id"]),
        "groups": n_groups,
        "classes": {label: counted[label] for label in classes},
        "chance": 1 / len(classes),
        "left_out": left_out,
        "empty_labels": int(empty_label.sum()),
        "empty_groups": int(empty_group.sum()),
        "near_duplicates": near_duplicates(counted),
    }
    return clips, summary


def near_duplicates(labels) -> list[list[str]]:
    """Labels that differ only in case or white space: they stay apart, but somebody should look."""
    alike = defaultdict(list)
    for label in labels:
        alike["".join(label.split()).casefold()].append(label)
    return [sorted(same) for same in alike.values() if len(same) > 1]


def identical_across_groups(sounds: pa.Table, clips: dict[str, np.ndarray]) -> list[list[str]]:
    """Sets of clips with the same audio that stand in more than one group."""
    group_of = dict(zip(clips["clip_id"], clips["group"], strict=True))
    same = defaultdict(list)
    for row in sounds.select(["clip_id", "sha256", "start_s", "end_s"]).to_pylist():
        if row["clip_id"] in group_of:
            same[row["sha256"], row["start_s"], row["end_s"]].append(row["clip_id"])
    return sorted(
        sorted(ids) for ids in same.values() if len({group_of[clip_id] for clip_id in ids}) > 1
    )


def assign(clips: dict[str, np.ndarray], settings: dict) -> pa.Table:
    """Folds of the random regime and, where groups are known, of the grouped one."""
    regimes = ["random"] if settings["group"] is None else ["grouped", "random"]
    blocks = []
    for regime in regimes:
        for repeat in range(settings["repeats"]):
            seed = settings["seed"] + repeat * SHUFFLES
            fold = _grouped(clips, settings, seed) if regime == "grouped" else None
            if fold is None:
                split = StratifiedKFold(settings["folds"], shuffle=True, random_state=seed)
                fold = _numbered(
                    split.split(clips["target"], clips["target"]), len(clips["target"])
                )
            n = len(fold)
            blocks.append(
                pa.table(
                    [
                        [regime] * n,
                        [repeat] * n,
                        fold,
                        clips["clip_id"],
                        clips["target"],
                        clips["group"],
                    ],
                    schema=SCHEMA,
                )
            )
    return pa.concat_tables(blocks)


def _grouped(clips: dict[str, np.ndarray], settings: dict, seed: int) -> np.ndarray:
    target, group = clips["target"], clips["group"]
    classes = set(target)
    lacking: Counter[str] = Counter()
    for shuffle in range(SHUFFLES):
        split = StratifiedGroupKFold(settings["folds"], shuffle=True, random_state=seed + shuffle)
        fold = _numbered(split.split(target, target, group), len(target))
        trained = [set(target[fold != k]) for k in range(settings["folds"])]
        groups_left = min(len(set(group[fold != k])) for k in range(settings["folds"]))
        complete = all(classes == seen for seen in trained)
        filled = len(set(fold)) == settings["folds"]
        if complete and filled and groups_left >= settings["inner_folds"]:
            return fold
        lacking.update(label for seen in trained for label in classes - seen)
    where = f"datasets.{settings['dataset']}.tasks.{settings['task']}"
    never = ", ".join(repr(label) for label, _ in lacking.most_common(3))
    raise StratavoxError(
        f"{where}: no way was found to split {len(set(group))} groups of {settings['group']!r} "
        f"into {settings['folds']} folds so that every training set holds every class"
        + (f" (often missing: {never})" if never else "")
        + f" and at least inner_folds = {settings['inner_folds']} groups; lower folds or "
        f"inner_folds in datasets.{settings['dataset']}.probes, or raise min_groups of the task"
    )


def _numbered(splits, n: int) -> np.ndarray:
    fold = np.full(n, -1, dtype=np.int32)
    for number, (_, test) in enumerate(splits):
        fold[test] = number
    return fold


if __name__ == "__main__":
    run(main)
