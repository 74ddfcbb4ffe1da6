"""Probes on the tokens of all blocks of an encoder: a fusion of the blocks, then a head.

Fusions: the ``last`` block alone; ``concat``, all blocks side by side; ``weighted``, their sum with
softmax weights that are trained with the head and start equal. Heads: ``linear`` and ``mlp`` on the
mean of a clip's tokens, ``attention`` and ``order`` on the tokens; only ``order`` is given their
positions. Every head goes with every fusion, so the two can be told apart. In the published code of
Miron et al. 2026 (arXiv 2605.10494) the linear probe concatenates and the attention probe sums.

The protocol ``icassp2026`` has that paper's settings. ``early_stop`` differs in the number of
epochs alone. It is chosen on groups that are held out inside the training clips, and a new probe
is then trained on all of them for so many epochs. Without this second training the held-out groups
would be lost for training; where groups are few, the two protocols would differ in that as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from stratavox.encoders.weights import seeded
from stratavox.probe import training
from stratavox.probe.token_probes import OrderAware, count
from stratavox.probe.training import Clips, Training

FUSIONS = ("last", "concat", "weighted")
HEADS = ("linear", "mlp", "attention", "order")
OF_THE_MEAN = ("linear", "mlp")
PROTOCOLS = ("icassp2026", "early_stop")
LAYERS, ATTENTION_HEADS, DROPOUT = 1, 8, 0.3
PATIENCE = 10  # epochs without a lower held-out loss, after which the choice of epochs ends


def training_of(epochs: int) -> Training:
    """The training of both protocols, for at most so many epochs (the paper: 50, 5 to warm up)."""
    return Training(epochs, learning_rate=1e-3, batch_size=32, weight_decay=0.01, cosine=True)


class Linear(nn.Module):
    """A linear layer on the only token."""

    def __init__(self, inside: int, width: int, classes: int):
        super().__init__()
        self.classifier = nn.Linear(inside, classes)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        return self.classifier(x[:, 0])


class Attention(nn.Module):
    """Self-attention with residual sum, layer norm and dropout; the mean of the valid tokens.

    The order of avex's `AttentionProbe`, with a mask, so that clips of any lengths go together. An
    input wider than a block is first projected to a block's width: at the width of six blocks of
    Whisper-base attention would have 38 million parameters instead of 2.6.
    """

    def __init__(self, inside: int, width: int, classes: int):
        super().__init__()
        self.project = nn.Linear(inside, width) if inside > width else nn.Identity()
        self.layers = nn.ModuleList(
            nn.MultiheadAttention(width, ATTENTION_HEADS, DROPOUT, batch_first=True)
            for _ in range(LAYERS)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(LAYERS))
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        x = self.project(x)
        for attend, norm in zip(self.layers, self.norms, strict=True):
            seen, _ = attend(x, x, x, key_padding_mask=~valid, need_weights=False)
            x = self.dropout(norm(x + seen))
        weights = valid / valid.sum(dim=1, keepdim=True)
        return self.classifier(self.dropout(torch.bmm(weights[:, None], x)[:, 0]))


class Mlp(nn.Module):
    """One hidden layer on the only token, with about as many parameters as `Attention` has."""

    def __init__(self, inside: int, width: int, classes: int):
        super().__init__()
        parameters = count(Attention(inside, width, classes))
        hidden = max(1, round((parameters - classes) / (inside + 1 + classes)))
        self.net = nn.Sequential(
            nn.Linear(inside, hidden), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(hidden, classes)
        )

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        return self.net(x[:, 0])


class Order(OrderAware):
    """`token_probes.OrderAware`, reduced from whatever width the fusion has."""

    def __init__(self, inside: int, width: int, classes: int):
        super().__init__(inside, classes, 0, 0)


MODULES = {"linear": Linear, "mlp": Mlp, "attention": Attention, "order": Order}


class Fused(nn.Module):
    """A head on a fusion of tokens (clips, tokens, blocks, width)."""

    def __init__(self, fusion: str, head: str, blocks: int, width: int, classes: int):
        super().__init__()
        self.fusion = fusion
        inside = blocks * width if fusion == "concat" else width
        self.head = MODULES[head](inside, width, classes)
        if fusion == "weighted":
            self.scores = nn.Parameter(torch.zeros(blocks))

    @classmethod
    def of(cls, fusion: str, head: str, clips: Clips, classes: int) -> Fused:
        """An untrained probe for ``clips`` of (tokens, blocks, width), on their device."""
        return cls(fusion, head, *clips.tokens[0].shape[1:], classes).to(clips.device)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        if self.fusion == "weighted":
            fused = torch.matmul(self.scores.softmax(dim=0), x)
        else:
            fused = x[:, :, -1] if self.fusion == "last" else x.flatten(2)
        return self.head(fused, valid)

    def layer_weights(self) -> np.ndarray:
        """The softmax weights (blocks,) of the fusion ``weighted``."""
        return self.scores.detach().softmax(dim=0).cpu().double().numpy()


@contextmanager
def _seeded(seed: int, device: str) -> Iterator[None]:
    """`seeded`, also for dropout on a GPU."""
    with seeded(seed):
        if device != "cpu":
            torch.cuda.manual_seed(seed)
        yield


def fit(
    fusion: str,
    head: str,
    clips: Clips,
    y: np.ndarray,
    how: Training,
    seed: int,
    epochs: int | None = None,
    done: Callable[[], None] = lambda: None,
) -> Fused:
    """Train a probe on ``clips`` of (tokens, blocks, width); ``y`` (clips,) are classes from 0.

    It ends after ``epochs`` where these are fewer than those of ``how``, whose rates stay.
    """
    with _seeded(seed, clips.device):
        module = Fused.of(fusion, head, clips, int(y.max()) + 1)
        for epoch in training.train(module, clips, y, how):
            done()
            if epoch == epochs:
                break
    return module


def choose_epochs(
    fusion: str,
    head: str,
    clips: tuple[Clips, Clips],
    y: tuple[np.ndarray, np.ndarray],
    how: Training,
    seed: int,
    done: Callable[[], None] = lambda: None,
) -> int:
    """The number of epochs with the least log-loss on held-out clips; of equals the first.

    ``clips`` and ``y`` are those of the training and of the held-out clips. Held-out clips of a
    class without training clips have no loss.
    """
    classes, trained = np.unique(y[0], return_inverse=True)
    known = np.flatnonzero(np.isin(y[1], classes))
    held, column = clips[1].some(known), np.searchsorted(classes, y[1][known])
    least, best = math.inf, 1
    with _seeded(seed, clips[0].device):
        module = Fused.of(fusion, head, clips[0], len(classes))
        for epoch in training.train(module, clips[0], trained, how):
            done()
            log_p = training.log_probabilities(module, held)
            loss = -float(log_p[np.arange(len(column)), column].mean())
            if loss < least:
                least, best = loss, epoch
            elif epoch - best >= PATIENCE:
                break
    return best
