"""Train beats_small, the small BEATs that ships with the repository, on synthetic calls.

    python -m stratavox.encoders.beats.train_small --out beats_small.safetensors

The calls are chorus calls of species, individuals and sessions that no dataset of another seed
has. A BEATs of avex's architecture, with 12 blocks of width 192, learns to predict the species, the
individual and the order of the syllables from the mean of its last block's tokens. The file has
half precision and the names of avex's published checkpoints (``backbone.``). Its metadata holds the
settings, the training log, and the scores of linear probes on held-out calls after and before
training.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from avex.models.beats import BEATs
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from stratavox.corpus import chorus
from stratavox.encoders.beats.load import GRID, small_config
from stratavox.encoders.weights import seeded
from stratavox.errors import run_command
from stratavox.progress import Progress

RATE = 16000
SETTINGS = {
    "architecture": {"layers": 12, "width": 192, "heads": 6},
    # chorus: seeds 1 and 2 share no species, individual or session with each other or with seed 0,
    # the default dataset
    "train": {"seed": 1, "species": 48, "individuals": 3, "call_types": 6, "renditions": 6},
    "held_out": {"seed": 2, "species": 4, "individuals": 6, "call_types": 4, "renditions": 6},
    "sessions": 24,
    "seed": 0,
    "epochs": 7,
    "batch": 24,
    "learning_rate": 7e-4,
    "weight_decay": 0.01,
    "warmup": 0.1,
}
# The targets, and the weight of each one's cross-entropy; the order is learned last.
TARGETS = {"species": 1.0, "individual": 0.5, "order": 2.0}
LOG_EVERY = 54


class Calls:
    """Calls in memory: features and targets, dealt in batches of one length."""

    def __init__(self, which: dict, sessions: int, model: BEATs):
        self.features: dict[int, list[torch.Tensor]] = defaultdict(list)
        names: dict[int, list[tuple]] = defaultdict(list)
        for call in chorus.calls(**which, sessions=sessions, confounded=False, rate=RATE):
            fed = GRID.fed(len(call.samples))
            wave = torch.from_numpy(call.samples[None, :fed].astype(np.float32))
            self.features[fed].append(model.preprocess(wave)[0])
            names[fed].append((call.species, (call.species, call.individual), call.order))
        every = [row for rows in names.values() for row in rows]
        self.classes = [sorted({row[place] for row in every}) for place in range(len(TARGETS))]
        places = [{name: place for place, name in enumerate(own)} for own in self.classes]
        self.targets = {
            fed: torch.tensor([[places[t][row[t]] for t in range(len(TARGETS))] for row in rows])
            for fed, rows in names.items()
        }
        self.n = len(every)

    def batches(self, size: int, random: np.random.Generator | None) -> Iterator[tuple]:
        """Features (clips, frames, bands) and targets (clips, `TARGETS`) of one length each.

        With ``random`` they are shuffled, and batches too small for batch norm left out.
        """
        batches = []
        for fed, features in self.features.items():
            n = len(features)
            order = np.arange(n) if random is None else random.permutation(n)
            batches += [(fed, order[at : at + size]) for at in range(0, n, size)]
        if random is not None:
            batches = [(fed, some) for fed, some in batches if len(some) >= size // 3]
            random.shuffle(batches)
        for fed, some in batches:
            yield torch.stack([self.features[fed][i] for i in some]), self.targets[fed][some]


def pooled(model: BEATs, features: torch.Tensor) -> torch.Tensor:
    """Mean over tokens (clips, width) of the model's output for normalised mel frames."""
    patches = model.patch_embedding(features.unsqueeze(1))
    tokens = model.layer_norm(patches.flatten(2).transpose(1, 2))
    tokens = model.post_extract_proj(tokens)
    output, _ = model.encoder(tokens, disable_layerdrop=True)
    return output.mean(dim=1)


def train(model: BEATs, heads: nn.ModuleList, calls: Calls, settings: dict) -> list[dict]:
    """Train in place; return loss and accuracy every `LOG_EVERY` batches, before each step."""
    random = np.random.default_rng(settings["seed"])
    parameters = [*model.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(
        parameters, settings["learning_rate"], weight_decay=settings["weight_decay"]
    )
    per_epoch = sum(1 for _ in calls.batches(settings["batch"], np.random.default_rng(0)))
    total = per_epoch * settings["epochs"]
    warm = max(1, round(settings["warmup"] * total))
    rise_and_cosine = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: min(step / warm, 0.5 + 0.5 * math.cos(math.pi * min(1, step / total))),
    )
    progress, log, recent = Progress("training", total, "batches"), [], []
    model.train()
    for epoch in range(settings["epochs"]):
        for features, targets in calls.batches(settings["batch"], random):
            mean = pooled(model, features)
            outputs = [head(mean) for head in heads]
            pairs = list(zip(outputs, targets.T, strict=True))
            losses = [nn.functional.cross_entropy(logits, own) for logits, own in pairs]
            optimiser.zero_grad()
            sum(w * one for w, one in zip(TARGETS.values(), losses, strict=True)).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            rise_and_cosine.step()
            right = [(logits.argmax(1) == own).float().mean() for logits, own in pairs]
            recent.append(torch.stack([*losses, *right]).detach())
            progress.add()
            if len(recent) == LOG_EVERY:
                names = [f"{kind} {name}" for kind in ("loss", "accuracy") for name in TARGETS]
                means = torch.stack(recent).mean(dim=0).tolist()
                rounded = [round(mean, 3) for mean in means]
                log.append({"epoch": epoch} | dict(zip(names, rounded, strict=True)))
                recent = []
                print(json.dumps(log[-1]), flush=True)
    progress.close()
    return log


@torch.no_grad()
def held_out_scores(model: BEATs, calls: Calls) -> dict[str, float]:
    """Balanced accuracy of linear probes on the last block's mean, individuals held out."""
    model.eval()
    both = [(pooled(model, features), targets) for features, targets in calls.batches(64, None)]
    x = torch.cat([means for means, _ in both]).numpy()
    species, individual, order = torch.cat([targets for _, targets in both]).numpy().T
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    split = StratifiedGroupKFold(6, shuffle=True, random_state=0)
    scores = {}
    for name, y in (("species", species), ("order", order)):
        predicted = cross_val_predict(probe, x, y, groups=individual, cv=split)
        scores[name] = round(balanced_accuracy_score(y, predicted), 3)
    return scores


def small(settings: dict) -> BEATs:
    """The network before training, from the seed, without dropout, as no call repeats."""
    with seeded(settings["seed"]):
        return BEATs(small_config(settings["architecture"], dropout=0.0, attention_dropout=0.0))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help=".safetensors file to write")
    options = parser.parse_args()
    torch.set_num_threads(2)
    settings, start = SETTINGS, time.monotonic()
    model = small(settings)
    calls = Calls(settings["train"], settings["sessions"], model)
    held_out = Calls(settings["held_out"], settings["sessions"], model)
    print(f"{calls.n} calls to train on, {held_out.n} held out, {time.monotonic() - start:.0f} s")
    random_scores = held_out_scores(model, held_out)
    with seeded(settings["seed"]):
        width = settings["architecture"]["width"]
        # clips differ little from their mean: without batch norm learning is slow
        heads = nn.ModuleList(
            nn.Sequential(nn.BatchNorm1d(width, affine=False), nn.Linear(width, len(classes)))
            for classes in calls.classes
        )
        log = train(model, heads, calls, settings)
    kept = {
        f"backbone.{name}": tensor.to(torch.float16).contiguous()
        for name, tensor in model.state_dict().items()
        if not name.startswith("fbank.")
    }
    model.load_state_dict({k.removeprefix("backbone."): t for k, t in kept.items()}, strict=False)
    facts = {
        "architecture": settings["architecture"],
        "settings": settings,
        "log": log,
        "held_out": held_out_scores(model, held_out),
        "held_out_before_training": random_scores,
        "seconds": round(time.monotonic() - start),
        "versions": {name: version(name) for name in ("avex", "torch", "numpy")},
    }
    save_file(kept, options.out, {key: json.dumps(value) for key, value in facts.items()})
    print(json.dumps({key: facts[key] for key in list(facts)[3:]}))


if __name__ == "__main__":
    run_command(main)
