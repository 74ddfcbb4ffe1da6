"""Probes on a clip's tokens in torch: their modules, training and predictions.

A probe is fed each clip's tokens, or their mean as one token (`Kind.fed_the_mean`), standardised by
mean and spread over the training clips alone. Only ``attention_order`` can use the order of tokens:
the others treat all tokens alike and sum over them (Zaheer et al. 2017, "Deep sets").

To add a probe, write a module ``(width, classes, heads, layers)`` and its entry in `PROBES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from avex.models.probes.attention_probe import AttentionProbe
from sklearn.preprocessing import StandardScaler
from torch import nn

from stratavox.encoders.weights import seeded

DROPOUT = 0.1  # avex's default, used for all probes
ORDER_WIDTH, ORDER_HEADS = 64, 4
# Tokens that go through a probe at once, so that memory does not grow with the batch. Its gradient
# is summed over such pieces and does not depend on them; 1,000 to 4,000 were equally fast.
PIECE_TOKENS = 2048


class AvexAttention(nn.Module):
    """avex's `AttentionProbe` on (clips, tokens, width), all of as many tokens.

    Its last step is a mean that includes padding, whatever the mask, so there must be no padding.
    """

    equal_counts = True

    def __init__(self, width: int, classes: int, heads: int, layers: int):
        super().__init__()
        self.probe = AttentionProbe(
            base_model=None,
            layers=[],
            num_classes=classes,
            device="cpu",
            feature_mode=True,
            input_dim=width,
            num_heads=heads,
            num_layers=layers,
            dropout_rate=DROPOUT,
        )

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        return self.probe(x)


class AttentionPool(nn.Module):
    """One learned query weighs the valid tokens; a linear layer follows on their weighted mean.

    The query starts at zero: the plain mean.
    """

    equal_counts = False

    def __init__(self, width: int, classes: int, heads: int, layers: int):
        super().__init__()
        self.query = nn.Parameter(torch.zeros(width))
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        fit = (x @ self.query / math.sqrt(x.shape[2])).masked_fill(~valid, -math.inf)
        return self.classifier(torch.bmm(fit.softmax(dim=1)[:, None], x)[:, 0])


class OrderAware(nn.Module):
    """Tokens reduced to 64 numbers, sinusoidal positions added, one transformer layer, masked mean.

    Positions as in Vaswani et al. 2017 (section 3.5).
    """

    equal_counts = False

    def __init__(self, width: int, classes: int, heads: int, layers: int):
        super().__init__()
        self.reduce = nn.Linear(width, ORDER_WIDTH)
        self.layer = nn.TransformerEncoderLayer(
            ORDER_WIDTH, ORDER_HEADS, 2 * ORDER_WIDTH, DROPOUT, batch_first=True
        )
        self.classifier = nn.Linear(ORDER_WIDTH, classes)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        placed = self.reduce(x) + _positions(x.shape[1])
        seen = self.layer(placed, src_key_padding_mask=~valid)
        weights = valid / valid.sum(dim=1, keepdim=True)
        return self.classifier(torch.bmm(weights[:, None], seen)[:, 0])


def _positions(tokens: int) -> torch.Tensor:
    rates = torch.exp(torch.arange(0, ORDER_WIDTH, 2) * (-math.log(10000.0) / ORDER_WIDTH))
    angle = torch.arange(tokens)[:, None] * rates
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class Mlp(nn.Module):
    """One hidden layer on a single token, with about as many parameters as `AvexAttention` has."""

    equal_counts = True

    def __init__(self, width: int, classes: int, heads: int, layers: int):
        super().__init__()
        parameters = count(AvexAttention(width, classes, heads, layers))
        hidden = max(1, round((parameters - classes) / (width + 1 + classes)))
        self.net = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(hidden, classes)
        )

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        return self.net(x[:, 0])


def count(module: nn.Module) -> int:
    """The number of trained parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


@dataclass(frozen=True)
class Kind:
    """A kind of probe: ``module(width, classes, heads, layers)`` makes an untrained one.

    Its ``forward`` turns tokens (clips, tokens, width), and which of them are ``valid`` (clips,
    tokens), into logits (clips, classes).
    """

    module: type[nn.Module]
    fed_the_mean: bool = False


PROBES = {
    "attention": Kind(AvexAttention),
    "attention_mean": Kind(AvexAttention, fed_the_mean=True),
    "attention_pool": Kind(AttentionPool),
    "attention_order": Kind(OrderAware),
    "mlp": Kind(Mlp, fed_the_mean=True),
}


@dataclass
class Fitted:
    """A trained probe and the standardisation that its training clips gave."""

    probe: str
    module: nn.Module
    mean: torch.Tensor
    scale: torch.Tensor

    def log_probabilities(self, clips: list[np.ndarray]) -> np.ndarray:
        """Log-probability of each class (clips, classes) for clips of (tokens, width) each."""
        fed = _fed(self.probe, clips)
        pieces = list(_pieces([len(clip) for clip in fed], self.module.equal_counts))
        self.module.eval()
        with torch.inference_mode():
            logits = [self.module(*self.padded([fed[i] for i in piece])) for piece in pieces]
        back = np.argsort(np.concatenate(pieces))
        return torch.cat(logits)[back].double().log_softmax(dim=1).numpy()

    def padded(self, clips: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
        """Standardised tokens (clips, tokens, width), and which of them are the clips' own."""
        counts = np.array([len(clip) for clip in clips])
        x = np.zeros((len(clips), counts.max(), len(self.mean)), dtype=np.float32)
        for row, clip in zip(x, clips, strict=True):
            row[: len(clip)] = clip
        valid = torch.from_numpy(np.arange(counts.max()) < counts[:, None])
        return (torch.from_numpy(x) - self.mean) / self.scale, valid


def fit(
    probe: str,
    clips: list[np.ndarray],
    y: np.ndarray,
    settings: dict,
    seed: int,
    done: Callable[[], None] = lambda: None,
) -> Fitted:
    """Train ``probe`` on clips of (tokens, width) each; ``y`` (clips,) are classes from 0.

    Cross-entropy, AdamW at a constant rate for ``settings["epochs"]`` epochs; the last state is
    kept. With ``weight_decay: 0`` that is the Adam of avex's tutorials. ``done`` is called
    after each epoch.
    """
    fed = _fed(probe, clips)
    scaler = StandardScaler()
    for clip in fed:
        scaler.partial_fit(clip.astype(np.float64))
    target = torch.from_numpy(y)
    with seeded(seed):
        width, classes = fed[0].shape[1], int(y.max()) + 1
        module = PROBES[probe].module(width, classes, settings["heads"], settings["layers"])
        mean, scale = (torch.from_numpy(part).float() for part in (scaler.mean_, scaler.scale_))
        fitted = Fitted(probe, module, mean, scale)
        optimiser = torch.optim.AdamW(
            module.parameters(), settings["learning_rate"], weight_decay=settings["weight_decay"]
        )
        module.train()
        for _ in range(settings["epochs"]):
            for batch in torch.randperm(len(fed)).split(settings["batch_size"]):
                optimiser.zero_grad()
                for piece in _pieces([len(fed[i]) for i in batch], module.equal_counts):
                    rows = batch[piece]
                    logits = module(*fitted.padded([fed[i] for i in rows]))
                    loss = nn.functional.cross_entropy(logits, target[rows], reduction="sum")
                    (loss / len(batch)).backward()
                optimiser.step()
            done()
    return fitted


def _fed(probe: str, clips: list[np.ndarray]) -> list[np.ndarray]:
    if not PROBES[probe].fed_the_mean:
        return clips
    return [clip.mean(axis=0, dtype=np.float32, keepdims=True) for clip in clips]


def _pieces(counts: list[int], equal: bool) -> Iterator[list[int]]:
    """Numbers of the clips that go through a probe together, sorted by their number of tokens.

    With ``equal`` the counts in a piece are the same, and nothing is padded.
    """
    piece: list[int] = []
    for place in np.argsort(counts, kind="stable").tolist():
        full = (len(piece) + 1) * counts[place] > PIECE_TOKENS
        if piece and (full or (equal and counts[place] != counts[piece[0]])):
            yield piece
            piece = []
        piece.append(place)
    yield piece
