"""Acoustics early, task late? The verdict for every dataset, task and encoder of a run.

Stage: reads the trends and onsets of all tasks that are targets and writes a row for each of their
trained encoders. A verdict is supported where the task rises and the acoustic targets fall with
depth, each at 5 %: an intersection of two tests needs no adjustment (Berger 1982, Technometrics
24:295-300). It is refuted where the task falls or is level, or the acoustic targets rise; the p of
these three is adjusted over the whole run (Holm). Otherwise it is undetermined, and the sentence
names the part that failed.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from stratavox import columns, tables, words
from stratavox.inference.answers.trends import (
    ACOUSTIC,
    ACOUSTICS,
    FALLS,
    LEVEL,
    RISES,
    TASK,
    UNDECODABLE,
    UNDETERMINED,
    UNTESTED,
)
from stratavox.inference.multiplicity import holm
from stratavox.inference.paired import SIGNIFICANT
from stratavox.stage import Job

SUPPORTED, REFUTED = "supported", "refuted"
TABLE = "answers/verdicts.parquet"


def run(job: Job) -> None:
    rows = []
    for trends, depths in zip(job.input.trends, job.input.depths, strict=True):
        names = {"dataset": trends.parent.parent.name, "task": trends.parent.name}
        read = (tables.read_table(path).to_pandas() for path in (trends, depths))
        rows += [names | row for row in of_task(*read)]
    table = pa.Table.from_pylist(over_run(rows), columns.schema(TABLE))
    tables.write_table(table, job.output.verdicts, job.provenance)


def of_task(trends: pd.DataFrame, depths: pd.DataFrame) -> list[dict]:
    """Rows of one task before adjustment, one for each encoder that is trained."""
    rows = []
    for encoder, own in trends[~trends["random_weights"]].groupby("encoder", sort=False):
        task = own[own["kind"] == TASK].iloc[0]
        together = own[own["target"] == ACOUSTICS]
        acoustics = None if together.empty else together.iloc[0]
        each = own[(own["kind"] == ACOUSTIC) & (own["target"] != ACOUSTICS)]["direction"]
        onset = depths[(depths["encoder"] == encoder) & (depths["measure"] == "onset")]
        rows.append(
            {
                "encoder": encoder,
                **_part("task", task),
                **_part("acoustics", acoustics),
                "targets": len(each),
                **{f"targets_{name}": int((each == name).sum()) for name in (RISES, FALLS, LEVEL)},
                "onset": None if onset.empty else words.none_if_missing(onset.iloc[0]["readouts"]),
                "p_refuted": _p_refuted(task, acoustics),
            }
        )
    return rows


def over_run(rows: list[dict]) -> list[dict]:
    """The rows with adjusted p, verdict and sentence."""
    tested = [row for row in rows if row["p_refuted"] is not None]
    adjusted = holm([row["p_refuted"] for row in tested])
    for row, p in zip(tested, adjusted, strict=True):
        row["p_holm"] = p
    return [row | _judged({"p_holm": None} | row) for row in rows]


def _part(name: str, row: pd.Series | None) -> dict:
    """Trend, interval and direction of the task or of the acoustic targets together."""
    known = ("value", "low", "high", "direction")
    values = dict.fromkeys(known) if row is None else {key: row[key] for key in known}
    values["trend"] = values.pop("value")
    return {f"{name}_{key}": words.none_if_missing(value) for key, value in values.items()}


def _p_refuted(task: pd.Series, acoustics: pd.Series | None) -> float | None:
    """P that the task falls or is level, or the acoustic targets rise: one-sided, Bonferroni.

    None where the question cannot be put: the task is not decodable, or something is not tested.
    """
    untestable = {UNDECODABLE, UNTESTED}
    if acoustics is None or {task["direction"], acoustics["direction"]} & untestable:
        return None
    reasons = [1.0]
    if task["varies"] and task["value"] < -task["margin"]:
        reasons.append(task["p_value"] / 2)
    if acoustics["value"] > acoustics["margin"]:
        reasons.append(acoustics["p_value"] / 2)
    if not words.missing(task["p_level"]):
        reasons.append(task["p_level"])
    return min(1.0, 3 * min(reasons))


def _judged(row: dict) -> dict:
    task, acoustics = row["task_direction"], row["acoustics_direction"]
    verdict = UNDETERMINED
    if task == RISES and acoustics == FALLS:
        verdict = SUPPORTED
    elif row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT:
        verdict = REFUTED
    return {"verdict": verdict, "sentence": sentence(row | {"verdict": verdict})}


def sentence(row: dict) -> str:
    """What the task and the acoustic targets do with depth, every number from the row."""
    text = f"{words.ORDER.format(task=row['task'])}: {row['verdict']}"
    if row["verdict"] == REFUTED:
        text += f", because {_why(row)}"
    text += ". "
    if row["task_direction"] == UNDECODABLE:
        return text + f"{row['task']} is not decodable at any depth, so it has no trend."
    if row["task_direction"] == UNTESTED:
        return text + "There are too few groups for a test."
    text += f"Trend of {row['task']}: {_does(row, 'task')}. "
    if row["acoustics_trend"] is None:
        return text + "No acoustic target is explained by the blocks."
    counts = [
        f"{row[f'targets_{name}']} {'are level' if name == LEVEL else name.removesuffix('s')}"
        for name in (FALLS, RISES, LEVEL)
        if row[f"targets_{name}"]
    ]
    text += f"Mean trend of {row['targets']} acoustic targets: {_does(row, 'acoustics')}; "
    text += f"of them {', '.join(counts) or 'none clearly rises, falls or is level'}."
    adjusted = row["p_holm"] is not None and row["p_refuted"] < SIGNIFICANT <= row["p_holm"]
    if row["verdict"] == UNDETERMINED and adjusted:
        text += (
            " This speaks against it, but not clearly enough for all verdicts of this run together "
            f"(p = {row['p_holm']:.3f})."
        )
    return text


def _why(row: dict) -> str:
    """The reasons that refute, as far as each holds by itself."""
    reasons = []
    if row["task_direction"] in (FALLS, LEVEL):
        verb = "falls" if row["task_direction"] == FALLS else "is level"
        reasons.append(f"{row['task']} {verb}")
    if row["acoustics_direction"] == RISES:
        reasons.append("the acoustic targets rise")
    return " and ".join(reasons)


def _does(row: dict, part: str) -> str:
    low, high = (words.difference(row[f"{part}_{end}"]) for end in ("low", "high"))
    value = words.difference(row[f"{part}_trend"])
    return f"{row[f'{part}_direction']} ({value}, 95 % interval {low} to {high})"
