"""From out-of-fold predictions to answers: estimates, contrasts, depths and claims of one task.

Reads, for every encoder of the run, the scores and predictions of its probes on one task (linear,
beside acoustic descriptors, and on tokens where asked for), its atlas and its encoder.json. Writes
one table each of estimates, atlas, weights, contrasts, depths and claims, and a JSON of counts.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa

from stratavox import tables
from stratavox.inference import atlas, estimates, mixing
from stratavox.inference.claims import CLAIMS, claims
from stratavox.inference.contrasts import CONTRASTS, planned
from stratavox.inference.depths import DEPTHS, depths
from stratavox.inference.study import Encoder, Study
from stratavox.stage import Job

# What of the settings the report repeats.
TOLD = ("folds", "inner_folds", "repeats", "permutations", "control_tasks", "margin", "draws")


def run(job: Job) -> None:
    settings, task = job.settings, tables.read_json(job.input.summary)
    made = {}
    for path in job.input.encoders:
        encoder = tables.read_json(path)
        made[encoder["encoder"]] = encoder
    study = Study(task, units(made, settings["draws"]))
    scores = [*job.input.scores, *job.input.token_scores]
    study.scores = pd.concat(
        [tables.read_table(path).to_pandas().assign(encoder=_encoder(path)) for path in scores]
    )
    for path in [*job.input.predictions, *job.input.conditional, *job.input.token_predictions]:
        study.add(_encoder(path), tables.read_table(path).to_pandas())
    study.pool_draws()
    atlases = {_encoder(path): tables.read_table(path).to_pandas() for path in job.input.atlas}
    found = atlas.explained(study, atlases)
    contrasts = planned(study, settings)
    deep = depths(study, found, settings["task"], settings["margin"])
    answers = {
        "estimates": estimates.estimates(study),
        "atlas": atlas.estimates(study, found, atlases),
        "weights": mixing.weights(
            study,
            {
                _encoder(path): tables.read_table(path).to_pandas()
                for path in job.input.layer_weights
            },
        ),
        "contrasts": pa.Table.from_pylist(contrasts, schema=CONTRASTS),
        "depths": pa.Table.from_pylist(deep, schema=DEPTHS),
        "claims": pa.Table.from_pylist(
            claims(study, contrasts, deep, settings["task"]), schema=CLAIMS
        ),
    }
    for name, table in answers.items():
        tables.write_table(table, getattr(job.output, name), job.provenance)
    summary = task | {key: settings[key] for key in TOLD} | estimates.fits(study)
    tables.write_json(summary, job.output.summary)


def units(made: dict[str, dict], draws: dict[str, list[str]]) -> list[Encoder]:
    """What is compared: each encoder, and the draws of a random one under their shared name.

    ``made`` are the encoder.json by name; ``draws`` says which names are draws of one encoder.
    """
    shared = {member: name for name, members in draws.items() for member in members}
    found: dict[str, Encoder] = {}
    for name, encoder in made.items():
        unit = shared.get(name, name)
        if unit in found:
            found[unit].members.append(name)
        else:
            found[unit] = Encoder(unit, encoder, [name])
    return list(found.values())


def _encoder(path: Path) -> str:
    """The encoder of .../{encoder}/{dataset}/{task}.parquet."""
    return path.parent.parent.name
