"""Training of probes on tokens in torch: what they are fed, the optimiser, their predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn.utils.rnn import pad_sequence

# Tokens that go through a probe at once, so that memory does not grow with the batch. Its gradient
# is summed over such pieces and does not depend on them; 1,000 to 4,000 were equally fast.
PIECE_TOKENS = 2048
# Clips whose standardised tokens take more are standardised anew for each batch, from half
# precision, which may be a file: memory is then bounded, and an epoch slower.
WHOLE_BYTES = 2e9


@dataclass(frozen=True)
class Training:
    """Settings of AdamW, on batches of ``batch_size`` clips.

    With ``cosine`` the rate rises linearly over the first tenth of the epochs, and then falls to 0
    along half a cosine; otherwise it is constant.
    """

    epochs: int
    learning_rate: float
    batch_size: int
    weight_decay: float
    cosine: bool = False

    def rate(self, progress: float) -> float:
        """The rate, as a share of ``learning_rate``, at a share ``progress`` of all steps."""
        if not self.cosine:
            return 1.0
        warm = 0.1
        if progress < warm:
            return progress / warm
        return (1 + math.cos(math.pi * (progress - warm) / (1 - warm))) / 2


@dataclass(frozen=True)
class Scaler:
    """Mean and spread of each column over the tokens of some clips, both (...,) float32."""

    mean: torch.Tensor
    scale: torch.Tensor

    @classmethod
    def of(cls, clips: Sequence[np.ndarray]) -> Scaler:
        """Of ``clips`` of (tokens, ...) each; a column without spread has scale 1."""
        scaler = StandardScaler()
        for clip in clips:
            scaler.partial_fit(clip.reshape(len(clip), -1).astype(np.float64))
        shape = clips[0].shape[1:]
        parts = (scaler.mean_, scaler.scale_)
        return cls(*(torch.from_numpy(part.reshape(shape)).float() for part in parts))


@dataclass(frozen=True)
class Clips:
    """Clips as a probe is fed them: standardised once, and padded where they go together.

    ``tokens`` are arrays (tokens, ...); ``whole`` the same standardised, on ``device``, or None
    where that is done batch by batch (`WHOLE_BYTES`).
    """

    tokens: Sequence[np.ndarray]
    scaler: Scaler
    whole: Sequence[torch.Tensor] | None
    device: str = "cpu"

    @classmethod
    def of(cls, tokens: Sequence[np.ndarray], scaler: Scaler, device: str = "cpu") -> Clips:
        clips = cls(tokens, scaler, None, device)
        if 4 * sum(clip.size for clip in tokens) > WHOLE_BYTES:
            return clips
        return replace(clips, whole=[clips[place] for place in range(len(tokens))])

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, place: int) -> torch.Tensor:
        if self.whole is not None:
            return self.whole[place]
        values = torch.from_numpy(self.tokens[place].astype(np.float32))
        return values.sub_(self.scaler.mean).div_(self.scaler.scale).to(self.device)

    @cached_property
    def counts(self) -> np.ndarray:
        """Tokens of each clip (clips,)."""
        return np.array([len(clip) for clip in self.tokens])

    def some(self, places: np.ndarray) -> Clips:
        """The clips at ``places``."""
        return self._each(lambda clips: [clips[place] for place in places])

    def last(self) -> Clips:
        """Clips of (tokens, blocks, width) with the last block alone: (tokens, 1, width)."""
        scaler = Scaler(self.scaler.mean[-1:], self.scaler.scale[-1:])
        return replace(self._each(lambda clips: [clip[:, -1:] for clip in clips]), scaler=scaler)

    def shuffled(self, generator: np.random.Generator) -> Clips:
        """The clips, each with its tokens in random order."""
        orders = [generator.permutation(count) for count in self.counts]
        return self._each(
            lambda clips: [clip[order] for clip, order in zip(clips, orders, strict=True)]
        )

    def _each(self, change: Callable[[Sequence], list]) -> Clips:
        whole = None if self.whole is None else change(self.whole)
        return replace(self, tokens=change(self.tokens), whole=whole)

    def padded(self, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens (clips, tokens, ...) of the clips ``rows``, and which are the clips' own."""
        counts = torch.from_numpy(self.counts[np.asarray(rows)])
        x = pad_sequence([self[row] for row in rows], batch_first=True)
        return x, (torch.arange(x.shape[1]) < counts[:, None]).to(self.device)


def train(
    module: nn.Module, clips: Clips, y: np.ndarray, training: Training, equal: bool = False
) -> Iterator[int]:
    """Train ``module`` by cross-entropy; after each epoch its number, from 1, is given.

    ``y`` (clips,) are classes from 0. With ``equal`` clips go through together only if they have
    as many tokens. The caller seeds torch, and may stop after any epoch.
    """
    target = torch.from_numpy(y).to(clips.device)
    optimiser = torch.optim.AdamW(
        module.parameters(), training.learning_rate, weight_decay=training.weight_decay
    )
    steps = training.epochs * -(-len(clips) // training.batch_size)
    step = 0
    for epoch in range(1, training.epochs + 1):
        module.train()
        for batch in torch.randperm(len(clips)).split(training.batch_size):
            step += 1
            for group in optimiser.param_groups:
                group["lr"] = training.learning_rate * training.rate(step / steps)
            optimiser.zero_grad()
            for piece in pieces(clips.counts[batch.numpy()], equal):
                rows = batch[piece]
                logits = module(*clips.padded(rows.tolist()))
                loss = nn.functional.cross_entropy(logits, target[rows], reduction="sum")
                (loss / len(batch)).backward()
            optimiser.step()
        yield epoch


def log_probabilities(module: nn.Module, clips: Clips, equal: bool = False) -> np.ndarray:
    """Log-probability of each class (clips, classes); ``equal`` as in `train`."""
    together = list(pieces(clips.counts, equal))
    module.eval()
    with torch.inference_mode():
        logits = [module(*clips.padded(piece)) for piece in together]
    back = np.argsort(np.concatenate(together))
    return torch.cat(logits)[back].double().log_softmax(dim=1).cpu().numpy()


def pieces(counts: Sequence[int], equal: bool) -> Iterator[list[int]]:
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
