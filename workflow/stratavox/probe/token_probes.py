"""Probes on a clip's tokens in torch: their modules, training and predictions.

A probe is fed each clip's tokens, or their mean as one token (`Kind.fed_the_mean`), standardised by
mean and spread over the training clips alone. Only ``attention_order`` can use the order of tokens:
the others treat all tokens alike and sum over them (Zaheer et al. 2017, "Deep sets").

To add a probe, write a module ``(width, classes, heads, layers)`` and its entry in `PROBES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from avex.models.probes.attention_probe import AttentionProbe
from torch import nn

from stratavox.encoders.weights import seeded
from stratavox.probe import training
from stratavox.probe.training import Clips, Scaler

DROPOUT = 0.1  # avex's default, used for all probes
ORDER_WIDTH, ORDER_HEADS = 64, 4
TRAINED_WITH = ("epochs", "learning_rate", "batch_size", "weight_decay")


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
        placed = self.reduce(x) + _positions(x.shape[1]).to(x.device)
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
    scaler: Scaler

    def log_probabilities(self, clips: list[np.ndarray]) -> np.ndarray:
        """Log-probability of each class (clips, classes) for clips of (tokens, width) each."""
        fed = Clips.of(_fed(self.probe, clips), self.scaler)
        return training.log_probabilities(self.module, fed, self.module.equal_counts)


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
    scaler = Scaler.of(fed)
    fed = Clips.of(fed, scaler)
    how = training.Training(**{name: settings[name] for name in TRAINED_WITH})
    with seeded(seed):
        width, classes = len(scaler.mean), int(y.max()) + 1
        module = PROBES[probe].module(width, classes, settings["heads"], settings["layers"])
        for _ in training.train(module, fed, y, how, module.equal_counts):
            done()
    return Fitted(probe, module, scaler)


def _fed(probe: str, clips: list[np.ndarray]) -> list[np.ndarray]:
    if not PROBES[probe].fed_the_mean:
        return clips
    return [clip.mean(axis=0, dtype=np.float32, keepdims=True) for clip in clips]
