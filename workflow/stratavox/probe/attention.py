"""Stage: probes on a clip's tokens: avex's attention probe, and probes to compare it with.

Reads the parts of embed.tokens and the shared folds; writes the tables of probe.linear, with one of
these in the column ``probe``:

- ``attention``: avex's `AttentionProbe` on the tokens;
- ``attention_mean``: the same on the mean of the tokens as a sequence of length 1, as in Earth
  Species's notebook. Its softmax has a single key, so queries and keys have no effect;
- ``attention_pool``: one learned query, softmax over the tokens, a linear layer;
- ``attention_order``: the only one that is given the positions of the tokens;
- ``mlp``: one hidden layer on the mean, with as many parameters as ``attention``.

The control ``shuffled`` is the same trained probe on the tested clips with their tokens in random
order: equal to ``none``, except for rounding, where a probe cannot use order. Only the strictest
regime is probed. Every probe is trained for a fixed number of epochs, so that the test clips do not
affect when it stops.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from stratavox import tables
from stratavox.errors import StratavoxError
from stratavox.probe import token_probes, token_store
from stratavox.probe.metrics import metric_rows, of_the_label
from stratavox.probe.readouts import refuse_straddling, strictest
from stratavox.probe.regimes import APART
from stratavox.probe.schemas import PREDICTIONS, SCORES
from stratavox.progress import Progress
from stratavox.stage import Job


def chosen_folds(folds: pa.Table, repeats: int, section: str = "attention") -> pa.Table:
    """The rows of the strictest regime, of the first ``repeats``; transfer has a single split."""
    folds = strictest(folds)
    available = pc.count_distinct(folds["repeat"]).as_py()
    if repeats > available and pc.min(folds["fold"]).as_py() >= 0:
        raise StratavoxError(
            f"probes.{section}.repeats: found {repeats}; the folds have {available}: lower it or "
            "raise probes.repeats"
        )
    return folds.filter(pc.less(folds["repeat"], repeats))


def probe_readout(
    clips: list[np.ndarray],
    readout: str,
    folds: pa.Table,
    settings: dict,
    done: Callable[[], None] = lambda: None,
) -> tuple[list[dict], list[dict]]:
    """Rows of scores and of predictions of every probe on one readout.

    ``clips`` are tokens (tokens, width) of the clips that ``folds`` lists in each repeat, in the
    order of its repeat 0. ``done`` is called after each epoch. Raises `StratavoxError` where a
    group is on both sides of a fold, or the heads do not divide the width.
    """
    width = clips[0].shape[1]
    if width % settings["heads"]:
        raise StratavoxError(
            f"probes.attention.heads: found {settings['heads']}; it must divide the width of "
            f"{readout}, {width}"
        )
    frame = folds.to_pandas()
    order = frame.loc[frame["repeat"] == 0, "clip_id"]
    scores, predictions = [], []
    for repeat in sorted(frame["repeat"].unique()):
        part = frame[frame["repeat"] == repeat].set_index("clip_id").loc[order].reset_index()
        if held := APART[part["regime"][0]]:
            fold, group = part["fold"].to_numpy(), part[held].to_numpy()
            for k in np.unique(fold[fold >= 0]):
                refuse_straddling(group, fold == k, held, f"fold {k}")
        for probe in settings["probes"]:
            rows = _cross_validate(probe, clips, part, settings, done)
            names = {"readout": readout, "probe": probe}
            scores += [names | row for row in rows[0]]
            predictions += [names | row for row in rows[1]]
    return scores, predictions


def _cross_validate(probe, clips, part, settings, done) -> tuple[list[dict], list[dict]]:
    """One probe on one repeat of the folds, ``part``: its scores and predictions."""
    labels, y = np.unique(part["target"].to_numpy(str), return_inverse=True)
    fold, repeat, regime = part["fold"].to_numpy(), part["repeat"][0], part["regime"][0]
    shared = {"regime": regime, "repeat": int(repeat)}
    predicted = {control: np.zeros(len(y), dtype=np.int64) for control in ("none", "shuffled")}
    log_probability = {control: np.zeros(len(y)) for control in predicted}
    scores, tested = [], fold >= 0  # for transfer, the others only train
    for k in np.unique(fold[tested]):
        train, test = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        classes, trained = np.unique(y[train], return_inverse=True)
        keys = [settings["seed"], repeat, k, list(token_probes.PROBES).index(probe)]
        seeds = np.random.SeedSequence([int(key) for key in keys])
        seed = int(seeds.generate_state(1)[0])
        fitted = token_probes.fit(probe, [clips[i] for i in train], trained, settings, seed, done)
        # the order of a clip's tokens depends on the seed alone: probes and readouts have the same
        mixed = np.random.default_rng([settings["seed"], int(repeat), int(k)])
        fed = {
            "none": [clips[i] for i in test],
            "shuffled": [mixed.permutation(clips[i]) for i in test],
        }
        for control, labelled in predicted.items():
            log_p = fitted.log_probabilities(fed[control])
            labelled[test] = classes[log_p.argmax(axis=1)]
            log_probability[control][test] = of_the_label(log_p, classes, y[test])
            named = shared | {"control": control, "fold": int(k)}
            scores += metric_rows(y[test], labelled[test], named)
    for control, labelled in predicted.items():
        scores += metric_rows(y[tested], labelled[tested], shared | {"control": control})
    part["group"] = part["group"].astype(object).where(part["group"].notna(), None)
    columns = ["regime", "repeat", "fold", "clip_id", "group", "target"]
    rows = []
    for control, labelled in predicted.items():
        own = part[columns].assign(control=control, predicted=labels[labelled])
        own = own.assign(log_probability=log_probability[control])
        rows += own[tested].to_dict("records")
    return scores, rows


def run(job: Job) -> None:
    settings, parts = job.settings, job.input.tokens
    torch.set_num_threads(job.threads)
    folds = chosen_folds(tables.read_table(job.input.folds), settings["repeats"])
    clip_ids = folds.filter(pc.equal(folds["repeat"], 0))["clip_id"].to_pylist()
    readouts = token_store.readouts_of(parts)
    splits = (pc.max(folds["fold"]).as_py() + 1) * pc.count_distinct(folds["repeat"]).as_py()
    fits = splits * len(settings["probes"])
    progress = Progress("probes on tokens", len(readouts) * fits * settings["epochs"], "epochs")
    scores, predictions = [], []
    for readout in readouts:
        clips = [clip[:, 0] for clip in token_store.read(parts, [readout], clip_ids)]
        rows = probe_readout(clips, readout, folds, settings, progress.add)
        scores += rows[0]
        predictions += rows[1]
    progress.close()
    for rows, schema, out in (
        (scores, SCORES, job.output.scores),
        (predictions, PREDICTIONS, job.output.predictions),
    ):
        tables.write_table(pa.Table.from_pylist(rows, schema), out, job.provenance)
