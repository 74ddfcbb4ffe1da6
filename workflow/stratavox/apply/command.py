"""`python -m stratavox apply`: from a finished run and new recordings to predictions in files."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stratavox import fingerprint, keys, tables
from stratavox.apply import calibration, trained
from stratavox.apply.finished import Finished, choice, score
from stratavox.apply.predict import predict
from stratavox.apply.recordings import LeftOut, Request, listed
from stratavox.apply.write import Outputs, table, write
from stratavox.embed.part import load
from stratavox.errors import StratavoxError
from stratavox.init.command import say
from stratavox.init.write import name_of
from stratavox.probe.metrics import metric_rows
from stratavox.probe.readouts import clips_of, matrix
from stratavox.stage import canonical

SHOWN = 5
# Shorter windows have no token of their own in most encoders.
SHORTEST_WINDOW_S = 0.01
FIT = "stratavox.apply.trained"


@dataclass(frozen=True)
class Question:
    """Which run and task are applied: ``dataset`` and ``encoder`` None where the run decides."""

    config: Path
    task: str
    dataset: str | None = None
    encoder: str | None = None


def start(question: Question, request: Request, out: Path | None, force: bool) -> None:
    """Predict the new recordings of ``request`` and write ``out``.csv and the files beside it.

    ``out`` is {folder's name}_{task} where it is None. Prints what is used, how far to trust it,
    and what was predicted. Raises `StratavoxError` where the run is not finished or not fresh,
    for what cannot be read at all, and where an output exists without ``force``.
    """
    to = Outputs(out or Path(f"{name_of(request.folder.resolve().name, 'new')}_{question.task}"))
    _refuse_existing(to, request.table, force)
    if request.windows is not None and not request.windows >= SHORTEST_WINDOW_S:
        raise StratavoxError(
            f"--windows: found {request.windows:g}; allowed: {SHORTEST_WINDOW_S} s or more"
        )
    run = Finished(question.config, Path())
    dataset = run.dataset(question.dataset)
    run.check_task(dataset, question.task)
    row = choice(run, dataset, question.task, question.encoder)
    entry = run.plan.datasets[dataset]
    target = entry["tasks"][question.task]["target"]
    settings = run.plan.corpus_settings(dataset)
    wanted, left_out = listed(request, settings, target, _longest(run, dataset, row["encoder"]))
    probe = _probe(run, dataset, question.task, row)
    say(_described(row, probe))
    encoder = load(run.settings.encoder(row["encoder"], dataset), os.cpu_count() or 1)
    of = predict(
        request.folder, wanted, run.settings.audio(dataset), encoder, row["readout"], probe
    )
    rows = table(of, probe.classes, probe.far, target)
    about = {"probe": probe.provenance, "folder": str(request.folder.resolve())}
    write(rows, of, left_out + of.left_out, to, target, about)
    say(_outcome(rows, of.log_p, probe, [s.label for s in of.segments], target))
    say(_listed(left_out + of.left_out, to))
    say([f"written: {to.csv}, {to.parquet.name}, {to.raven.name}/, {to.audacity.name}/"])


def _refuse_existing(to: Outputs, read: Path | None, force: bool) -> None:
    for path in to.all:
        if read is not None and path.resolve() == read.resolve():
            raise StratavoxError(f"{path}: is the table that is read; choose another name (--out)")
        if path.exists() and not force:
            raise StratavoxError(
                f"{path}: exists already; choose another name with --out, or --force to replace it"
            )


def _probe(run: Finished, dataset: str, task: str, row: dict) -> trained.Trained:
    """The probe of the readout in ``row``: that of an earlier command, or one fitted now."""
    encoder, readout = row["encoder"], row["readout"]
    folds = run.table(f"results/folds/{dataset}/{task}.parquet")
    listing = f"results/embeddings/{encoder}/{dataset}/encoder.json"
    readouts = run.table(f"results/embeddings/{encoder}/{dataset}/{readout}.parquet", listing)
    settings = run.settings.probes(dataset, "inner_folds", "c_grid", "seed")
    made_of = {
        "code": fingerprint.code(FIT),
        "versions": fingerprint.versions(FIT),
        "folds": tables.read_provenance(folds)["key"],
        "readout_table": tables.read_provenance(readouts)["key"],
        "readout": readout,
        "settings": settings,
    }
    key = keys.digest(made_of)
    path = run.root / f"results/apply/{dataset}.{task}.safetensors"
    if path.exists() and (probe := trained.load(path, key)):
        return probe
    about = {
        "dataset": dataset,
        "task": task,
        "target": run.plan.datasets[dataset]["tasks"][task]["target"],
        "encoder": {"name": encoder} | tables.read_provenance(readouts)["encoder"],
        "config_sha256": hashlib.sha256(canonical(run.plan.config).encode()).hexdigest(),
        "key": key,
    }
    clips = tables.read_table(folds)
    x = matrix(readouts.parent, readout, clips_of(clips)[0])
    probe = trained.train(x, clips, settings, about | made_of)
    trained.save(probe, path)
    return probe


def _longest(run: Finished, dataset: str, encoder: str) -> float:
    """Seconds of the longest clip of the labelled dataset."""
    folder = f"results/embeddings/{encoder}/{dataset}"
    path = run.table(f"{folder}/windows.parquet", f"{folder}/encoder.json")
    samples = tables.read_table(path, ["n_samples"])["n_samples"]
    return pc.max(samples).as_py() / run.plan.rate(encoder, dataset)


def _described(row: dict, probe: trained.Trained) -> list[str]:
    """What is applied, and what was measured of it on clips that were held out."""
    about = probe.provenance
    held = about["held_out"]
    groups = f" in {about['groups']} groups" if about["groups"] else ""
    why = "recommended" if row["recommended"] else "not recommended, given with --encoder"
    lines = [
        f"readout ({why}): {row['encoder']}, {score(row)} on groups that were not in training",
        f"probe: fitted on {about['clips']} clips of {len(probe.classes)} classes{groups}",
        f"  on held-out clips: balanced accuracy {held['balanced_accuracy']:.3f}; calibration "
        f"error {held['calibration_error']:.3f} (before calibration "
        f"{held['calibration_error_uncalibrated']:.3f}; by chance alone "
        f"{held['calibration_error_by_chance']:.3f}); log loss {held['log_loss']:.3f} nats "
        f"({held['log_loss_uncalibrated']:.3f}); {held['unlike_training']:.1%} of clips flagged "
        "as unlike training",
    ]
    if held["accuracy_of_groups"]:
        least, most = held["accuracy_of_groups"]
        lines.append(f"  accuracy in single held-out groups: {least:.2f} to {most:.2f}")
    if "speed" in about["encoder"]:
        lines.append(f"  recordings are played at {about['encoder']['speed']:g} times their speed")
    lines += [f"  beware: {warning}" for warning in row["beware"].splitlines()]
    if about["regime"] == "random":
        lines.append(
            "  the task has no group: these numbers may be too good for animals that are new"
        )
    return lines + ([] if about["converged"] else ["  the fit did not converge"])


def _outcome(
    rows: pa.Table, log_p: np.ndarray, probe: trained.Trained, labels: list[str], target: str
) -> list[str]:
    """What was predicted, and how well where the new clips have labels."""
    if not len(rows):
        return ["no clip could be predicted"]
    count, flagged = len(rows), pc.sum(rows["unlike_training"]).as_py()
    files = len(set(rows["file"].to_pylist()))
    named = Counter(rows["predicted"].to_pylist()).most_common()
    lines = [
        f"{count} clips of {files} recordings: " + ", ".join(f"{n} ({k})" for n, k in named),
        f"{flagged} ({flagged / count:.1%}) are unlike all training clips (unlike_training)",
    ]
    known = np.array([label in probe.classes for label in labels])
    if known.any():
        y = np.array([probe.classes.index(label) for label in np.array(labels)[known]])
        right = log_p[known]
        scores = metric_rows(y, right.argmax(axis=1), {})
        balanced = next(r["value"] for r in scores if r["metric"] == "balanced_accuracy")
        lines.append(
            f"{known.sum()} of them have a label in column {target!r}: balanced accuracy "
            f"{balanced:.3f}, calibration error {calibration.error(right, y):.3f}, log loss "
            f"{calibration.log_loss(right, y):.3f} nats"
        )
    return lines


def _listed(left_out: list[LeftOut], to: Outputs) -> list[str]:
    """The files and segments without a prediction, the first ones by name."""
    if not left_out:
        return []
    lines = [f"{len(left_out)} files or segments are left out, listed in {to.left_out}:"]
    return lines + [f"  {each.file}: {each.reason}" for each in left_out[:SHOWN]]
