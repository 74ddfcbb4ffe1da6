"""Stage: probes on the tokens of all blocks: {last block, all blocks} x {linear, attention}.

Reads the tokens of every block (embed.tokens) and the shared folds; writes scores, predictions and
the learned weights of blocks. The readouts are the last block by its name, and the fusions
``concat`` and ``weighted``; the column ``probe`` is HEAD:PROTOCOL (see `block_probes`). Every probe
is trained with several seeds, which also choose the inner groups of ``early_stop``: they are a
random factor of the answers. Only the strictest regime is probed.

The control ``shuffled`` is a trained probe on the tested clips with their tokens in random order:
only the head ``order`` can differ.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import torch

from stratavox import tables, words
from stratavox.columns import schema
from stratavox.errors import StratavoxError
from stratavox.probe import block_probes, token_store, training
from stratavox.probe.attention import chosen_folds
from stratavox.probe.block_probes import Fused
from stratavox.probe.metrics import metric_rows, of_the_label
from stratavox.probe.nested_cv import Inner
from stratavox.probe.readouts import refuse_straddling
from stratavox.probe.regimes import APART
from stratavox.probe.token_probes import count
from stratavox.probe.training import Clips, Scaler, Training
from stratavox.progress import Progress
from stratavox.stage import Job

FILES = "all_blocks_{}/{{encoder}}/{{dataset}}/{{task}}.parquet"
SCORES, PREDICTIONS, WEIGHTS = (
    schema(FILES.format(name)) for name in ("scores", "predictions", "weights")
)


@dataclass(frozen=True)
class Fold:
    """The clips of one outer fold, standardised by its training clips.

    ``train`` and ``test`` are numbers of clips; ``y`` (training clips,) are numbers of ``classes``;
    ``held`` (inner folds, training clips) are left out to choose the epochs. ``tokens`` and
    ``means`` hold the training clips and the tested ones.
    """

    train: np.ndarray
    test: np.ndarray
    classes: np.ndarray
    y: np.ndarray
    held: np.ndarray
    tokens: tuple[Clips, Clips]
    means: tuple[Clips, Clips]

    @classmethod
    def of(
        cls,
        sources: Sequence[list[np.ndarray]],
        y: np.ndarray,
        test: np.ndarray,
        group: np.ndarray | None,
        settings: dict,
        device: str,
    ) -> Fold:
        """Of the clips' tokens and their means, ``sources``; the other arguments by clip."""
        train, test = np.flatnonzero(~test), np.flatnonzero(test)
        classes, own = np.unique(y[train], return_inverse=True)
        held = Inner.of(own, None if group is None else group[train], settings).held
        fed = []
        for source in sources:
            trained = [source[i] for i in train]
            scaler = Scaler.of(trained)
            tested = Clips.of([source[i] for i in test], scaler, device)
            fed.append((Clips.of(trained, scaler, device), tested))
        return cls(train, test, classes, own, held, *fed)


class Probe(NamedTuple):
    """What is trained in each fold; ``number`` counts the seeds."""

    protocol: str
    fusion: str
    head: str
    number: int

    @property
    def name(self) -> str:
        """As in the column ``probe``."""
        return f"{self.head}{words.BY_PROTOCOL}{self.protocol}"

    def seed(self, *further: int) -> int:
        """The seed of its weights and batches; the protocols share it."""
        places = (block_probes.FUSIONS.index(self.fusion), block_probes.HEADS.index(self.head))
        keys = [int(key) for key in (self.number, *places, *further)]
        return int(np.random.SeedSequence(keys).generate_state(1)[0])


def probe_blocks(
    clips: list[np.ndarray], blocks: list[str], folds: pa.Table, settings: dict, device: str = "cpu"
) -> tuple[list[dict], list[dict], list[dict]]:
    """Rows of scores, of predictions and of layer weights.

    ``clips`` are tokens (tokens, blocks, width) of the clips that ``folds`` lists in each repeat,
    in the order of its repeat 0. Raises `StratavoxError` where a group is on both sides of a fold,
    or the heads of attention do not divide the width.
    """
    width = clips[0].shape[2]
    if width % block_probes.ATTENTION_HEADS:
        raise StratavoxError(
            f"probes.all_blocks: the width of the blocks, {width}, is no multiple of the "
            f"{block_probes.ATTENTION_HEADS} heads of attention; take this encoder out of "
            "probes.all_blocks.encoders"
        )
    means = [clip.mean(axis=0, dtype=np.float32, keepdims=True) for clip in clips]
    frame = folds.to_pandas()
    order = frame.loc[frame["repeat"] == 0, "clip_id"]
    wanted = [settings["protocols"], block_probes.FUSIONS, settings["probes"]]
    probes = [Probe(*cell) for cell in product(*wanted, range(settings["seeds"]))]
    scores, predictions, weights, progress = [], [], [], None
    for repeat in sorted(frame["repeat"].unique()):
        part = frame[frame["repeat"] == repeat].set_index("clip_id").loc[order].reset_index()
        part["group"] = part["group"].astype(object).where(part["group"].notna(), None)
        labels, y = np.unique(part["target"].to_numpy(str), return_inverse=True)
        fold, regime = part["fold"].to_numpy(), part["regime"][0]
        held = APART[regime]
        group = part[held].to_numpy(str) if held else None
        numbers = np.unique(fold[fold >= 0])
        of_repeat = []
        for k in numbers:
            refuse_straddling(group, fold == k, held or "clip", f"fold {k}")
            own = Fold.of((clips, means), y, fold == k, group, settings, device)
            if progress is None:
                fits = len(numbers) * frame["repeat"].nunique()
                progress = announced(own, probes, fits, settings)
            about = part.iloc[own.test][["regime", "repeat", "fold", "clip_id", "group", "target"]]
            for probe in probes:
                module, epochs = _trained(probe, own, settings, (repeat, k), progress)
                named = {"readout": blocks[-1] if probe.fusion == "last" else probe.fusion}
                named |= {"probe": probe.name, "seed": probe.number}
                fit = {"epochs": epochs, "parameters": count(module)}
                place = {"regime": regime, "repeat": int(repeat), "fold": int(k)}
                for control, log_p in _tested(probe, module, own, settings, (repeat, k)).items():
                    predicted = own.classes[log_p.argmax(axis=1)]
                    right = of_the_label(log_p, own.classes, y[own.test])
                    named["control"] = control
                    scores += metric_rows(y[own.test], predicted, named | place | fit)
                    rows = about.assign(predicted=labels[predicted], log_probability=right)
                    of_repeat.append(rows.assign(**named))
                if probe.fusion == "weighted":
                    each = zip(blocks, module.layer_weights(), strict=True)
                    named = {"probe": probe.name, "seed": probe.number} | place
                    weights += [named | {"readout": name, "weight": w} for name, w in each]
        together = pd.concat(of_repeat)
        columns = ["readout", "probe", "seed", "control", "regime", "repeat"]
        for cell, rows in together.groupby(columns, sort=False):
            named = dict(zip(columns, cell, strict=True))
            truth, predicted = (rows[name].to_numpy(str) for name in ("target", "predicted"))
            scores += metric_rows(truth, predicted, named)
        predictions += together.to_dict("records")
    progress.close()
    return scores, predictions, weights


def _fed(probe: Probe, fold: Fold) -> tuple[Clips, Clips]:
    fed = fold.means if probe.head in block_probes.OF_THE_MEAN else fold.tokens
    return tuple(clips.last() for clips in fed) if probe.fusion == "last" else fed


def _trained(
    probe: Probe, fold: Fold, settings: dict, place: tuple, progress: Progress
) -> tuple[Fused, int]:
    """The trained probe, and after how many epochs its training ended."""
    train, how = _fed(probe, fold)[0], block_probes.training_of(settings["epochs"])
    kind, seed = (probe.fusion, probe.head), probe.seed(settings["seed"], *place)
    before, epochs = progress.done, how.epochs
    if probe.protocol == "early_stop":
        held = fold.held[probe.number % len(fold.held)]
        inner, left = np.flatnonzero(~held), np.flatnonzero(held)
        clips, y = (train.some(inner), train.some(left)), (fold.y[inner], fold.y[left])
        epochs = block_probes.choose_epochs(*kind, clips, y, how, seed, progress.add)
    module = block_probes.fit(*kind, train, fold.y, how, seed, epochs, progress.add)
    # epochs that an early stop left out
    progress.add(most_epochs(probe.protocol, how) - (progress.done - before))
    return module, epochs


def _tested(
    probe: Probe, module: Fused, fold: Fold, settings: dict, place: tuple
) -> dict[str, np.ndarray]:
    """Log-probabilities (tested clips, classes) by control."""
    test = _fed(probe, fold)[1]
    log_p = {"none": training.log_probabilities(module, test)}
    if probe.head not in block_probes.OF_THE_MEAN:
        # the order of a clip's tokens is the same for all probes and encoders
        generator = np.random.default_rng([settings["seed"], *map(int, place)])
        log_p["shuffled"] = training.log_probabilities(module, test.shuffled(generator))
    return log_p


def most_epochs(protocol: str, how: Training) -> int:
    """The epochs of a probe in one fold, at most; ``early_stop`` trains twice."""
    return how.epochs * (2 if protocol == "early_stop" else 1)


def announced(fold: Fold, probes: list[Probe], folds: int, settings: dict) -> Progress:
    """Print what the probes will cost, and return the progress that counts their epochs.

    One batch of each kind of probe is trained and timed.
    """
    how = block_probes.training_of(settings["epochs"])
    one = replace(how, epochs=1)
    batches = -(-len(fold.y) // how.batch_size)
    seconds, epochs = 0.0, 0
    for kind in {probe[:3]: probe for probe in probes}.values():
        train = _fed(kind, fold)[0]
        places = np.linspace(0, len(train) - 1, min(len(train), how.batch_size)).astype(int)
        batch, y = train.some(places), np.unique(fold.y[places], return_inverse=True)[1]
        for _ in range(2):  # the first one also loads what it uses
            started = time.perf_counter()
            block_probes.fit(kind.fusion, kind.head, batch, y, one, 0)
            took = time.perf_counter() - started
        number = folds * settings["seeds"] * most_epochs(kind.protocol, how)
        seconds, epochs = seconds + number * batches * took, epochs + number
    counts = fold.tokens[0].counts
    print(
        f"probes on all blocks: at most {epochs:,} epochs x {len(counts):,} clips x "
        f"{counts.mean():.0f} tokens: about {seconds / 60:.1f} minutes on {fold.tokens[0].device}, "
        "estimated from one batch of each probe. Fewer seeds, probes, protocols or epochs "
        "(probes.all_blocks) take less.",
        file=sys.stderr,
        flush=True,
    )
    return Progress("probes on all blocks", epochs, "epochs")


def run(job: Job) -> None:
    settings, parts = job.settings, job.input.tokens
    torch.set_num_threads(job.threads)
    folds = chosen_folds(tables.read_table(job.input.folds), settings["repeats"], "all_blocks")
    clip_ids = folds.filter(pc.equal(folds["repeat"], 0))["clip_id"].to_pylist()
    blocks = token_store.readouts_of(parts)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with tempfile.TemporaryDirectory(dir=job.output.scores.parent) as folder:
        file = Path(folder) / "tokens"
        clips = token_store.read(parts, blocks, clip_ids, file, training.WHOLE_BYTES)
        rows = probe_blocks(clips, blocks, folds, settings, device)
    outputs = (job.output.scores, job.output.predictions, job.output.weights)
    for own, columns, out in zip(rows, (SCORES, PREDICTIONS, WEIGHTS), outputs, strict=True):
        tables.write_table(pa.Table.from_pylist(own, columns), out, job.provenance)
