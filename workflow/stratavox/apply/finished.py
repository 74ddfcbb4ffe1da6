"""The finished run whose answers are applied: its tables, and whether they are there and fresh."""

from __future__ import annotations

from pathlib import Path

from stratavox import tables, words
from stratavox.errors import StratavoxError
from stratavox.init.command import run_command
from stratavox.plan import PROJECT
from stratavox.snakemake_internals import load


class Finished:
    """The run of the config at ``config`` in the working directory ``root``."""

    def __init__(self, config: Path, root: Path):
        if not config.is_file():
            raise StratavoxError(f"{config}: no such file; give the run's config (--configfile)")
        names = load(PROJECT / "Snakefile", config, root)
        self.config, self.root = config, root
        self.plan, self.settings, self.jobs = names["PLAN"], names["SETTINGS"], names["JOBS"]

    def dataset(self, name: str | None) -> str:
        """``name``, or the only dataset of the run."""
        there = list(self.plan.datasets)
        if name in there:
            return name
        if name is None and len(there) == 1:
            return there[0]
        if name is None:
            raise StratavoxError(
                f"{self.config}: the run has {len(there)} datasets; say with --dataset whose "
                f"labels to predict: {', '.join(there)}"
            )
        raise StratavoxError(
            f"--dataset: {self.config} runs no {name!r}; its datasets are: {', '.join(there)}"
        )

    def check_task(self, dataset: str, task: str) -> None:
        """Raise for a task that the dataset does not have, a nuisance, and one without classes."""
        targets = self.plan.targets(dataset)
        kind = self.plan.kind(dataset, task).name if task in targets else None
        if kind not in (None, "classification"):
            raise StratavoxError(
                f"--task: {task!r} of {dataset} is {words.KINDS[kind]}; apply predicts one class "
                "for each clip. Give a task of kind: classification"
            )
        if task not in targets:
            raise StratavoxError(
                f"--task: {dataset} has no task {task!r} with the role target in {self.config}; "
                f"give one of: {', '.join(targets) or 'none'}"
            )

    def table(self, path: str, made_by: str | None = None) -> Path:
        """The table at ``path``, relative to the run; raises where it is missing or stale.

        ``made_by`` is another file of the job that makes it, where no rule names the table itself.
        """
        where = self.root / path
        if not where.exists():
            raise StratavoxError(f"{where}: not there: the run is not finished. Run\n  {self._run}")
        if tables.read_provenance(where).get("key") != self.jobs.keys.of_file(made_by or path):
            raise StratavoxError(
                f"{where}: stale: config, data or code changed after it was made. "
                f"Run\n  {self._run}"
            )
        return where

    @property
    def _run(self) -> str:
        return run_command(self.config)


def choice(run: Finished, dataset: str, task: str, encoder: str | None) -> dict:
    """The row of recommendation.parquet to use: the recommended one, or that of ``encoder``.

    Its ``encoder`` is one of the run: of several random draws the first.
    """
    folder = f"results/answers/{dataset}/{task}"
    path = run.table(f"{folder}/recommendation.parquet", f"{folder}/summary.json")
    rows = tables.read_table(path).to_pylist()
    if encoder is None:
        row = next((row for row in rows if row["recommended"]), None)
        if row is None:
            raise StratavoxError(
                f"{path}: no readout is recommended for the task {task!r}. "
                f"{' '.join(row['sentence'] for row in rows if row['sentence'])} Measured:\n"
                + "\n".join(f"  {row['encoder']}: {score(row)}" for row in rows)
                + "\nTo apply one of them all the same, give it with --encoder"
            )
    else:
        row = next((row for row in rows if row["encoder"] == encoder), None)
        if row is None:
            there = ", ".join(row["encoder"] for row in rows)
            raise StratavoxError(
                f"--encoder: {encoder!r} was not measured on the task {task!r} of {dataset}; "
                f"measured were: {there}"
            )
    drawn = run.plan.draws.get(row["encoder"], [row["encoder"]])
    return row | {"encoder": drawn[0]}


def score(row: dict) -> str:
    """The readout and its score on groups that were not in training, in words."""
    text = f"{row['readout']}, balanced accuracy {row['value']:.2f}"
    if row["low"] is not None:
        interval = words.INTERVALS_SHORT[row["interval"]]
        text += f" [{row['low']:.2f} to {row['high']:.2f}, {interval}]"
    return text
