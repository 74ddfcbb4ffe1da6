"""Stage: from the out-of-fold predictions of one task to its tables of answers.

Reads, for every encoder of the run, the scores and predictions of its probes on the task (linear,
with acoustic descriptors, with columns erased, and on tokens where requested), its scores with few
clips, its atlas, the learned weights of its fusions ``weighted`` and its encoder.json. Writes each
table of `stratavox.inference.answers`, and a JSON of counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from stratavox import tables
from stratavox.inference import ANSWERS
from stratavox.inference.answers import table_of
from stratavox.inference.study import Encoder, Study
from stratavox.inference.units import members
from stratavox.stage import Job

# Settings that the report repeats.
REPEATED = ("folds", "inner_folds", "repeats", "permutations", "control_tasks", "margin", "draws")


def run(job: Job) -> None:
    settings, task = job.settings, tables.read_json(job.input.summary)
    descriptions = [tables.read_json(path) for path in job.input.encoders]
    study = Study(task, encoders_of(descriptions, settings["draws"]), settings)
    study.scores = pd.concat(
        table.assign(encoder=name)
        for name, table in _by_encoder(
            [*job.input.scores, *job.input.token_scores, *job.input.all_blocks_scores]
        )
    )
    predictions = [*job.input.predictions, *job.input.conditional, *job.input.token_predictions]
    predictions += [*job.input.erasure, *job.input.all_blocks_predictions]
    for name, table in _by_encoder(predictions):
        study.add(name, table)
    for name, table in _by_encoder(job.input.atlas):
        study.add_atlas(name, table)
    # the columns are the same for every encoder
    study.erased = [
        row for path in job.input.erased[:1] for row in tables.read_json(path)["columns"]
    ]
    study.layer_weights = dict(_by_encoder(job.input.layer_weights))
    study.block_weights = dict(_by_encoder(job.input.all_blocks_weights))
    study.samples = dict(_by_encoder(job.input.samples))
    study.pool_draws()
    for name in ANSWERS:
        tables.write_table(table_of(study, name), getattr(job.output, name), job.provenance)
    summary = task | {key: settings[key] for key in REPEATED} | fits(study)
    tables.write_json(summary, job.output.summary)


def encoders_of(descriptions: list[dict], draws: dict[str, list[str]]) -> list[Encoder]:
    """The units that are compared (`study.members`), from the encoder.json of every encoder."""
    by_name = {description["encoder"]: description for description in descriptions}
    return [
        Encoder(name, by_name[encoders[0]], encoders)
        for name, encoders in members(by_name, draws).items()
    ]


def fits(study: Study) -> dict[str, dict]:
    """Counts of the fits by encoder: outer ones, penalty at the grid's edge, not converged."""
    counts: dict[str, dict] = {"outer_fits": {}, "at_edge": {}, "not_converged": {}, "nested": {}}
    scores = study.scores
    outer = scores[
        scores["fold"].notna()
        & (scores["metric"] == study.kind.metric)
        & (scores["readout"] != "nested")
        & (scores["probe"] == "linear")
        & (scores["control"] == "none")
    ]
    for encoder in study.encoders:
        own = outer[outer["encoder"].isin(encoder.members)]
        counts["outer_fits"][encoder.name] = len(own)
        counts["at_edge"][encoder.name] = int(own["at_edge"].astype(bool).sum())
        counts["not_converged"][encoder.name] = int((~own["converged"].astype(bool)).sum())
        if encoder.blocks:
            chosen = study.chosen(encoder.members)
            blocks = chosen["readout"].value_counts(sort=False).sort_index()
            counts["nested"][encoder.name] = {name: int(n) for name, n in blocks.items()}
    return counts


def _by_encoder(paths: list[Path]) -> Iterator[tuple[str, pd.DataFrame]]:
    """The encoder and the table of each .../{encoder}/{dataset}/{task}.parquet."""
    for path in paths:
        yield path.parent.parent.name, tables.read_table(path).to_pandas()
