"""Segments of new recordings to clips and embeddings as in the workflow, and to predictions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from stratavox import audio
from stratavox.apply.recordings import LeftOut, Segment
from stratavox.apply.stream import segments as read_segments
from stratavox.apply.trained import Trained
from stratavox.corpus.clips import GROUP_CLIPS, group_s
from stratavox.corpus.identity import channel_to_use
from stratavox.corpus.inspect import measure
from stratavox.embed.overlap import ahead
from stratavox.embed.pooling import Window, pool
from stratavox.encoders.encoder import Encoder
from stratavox.progress import Progress


@dataclass
class Group:
    """Segments that are embedded together, with their clips, and those that cannot be used.

    ``waves`` are float32 (samples,) at the encoder's rate; ``rates`` those of their recordings.
    """

    segments: list[Segment] = field(default_factory=list)
    waves: list[np.ndarray] = field(default_factory=list)
    rates: list[int] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def full(self, rate: int) -> bool:
        length_s = sum(map(len, self.waves)) / rate
        return len(self.waves) >= GROUP_CLIPS or length_s >= group_s(rate)


@dataclass(frozen=True)
class Predictions:
    """Of n segments: calibrated ``log_p`` (n, classes), ``distance`` (n,), ``rates`` in Hz (n,)."""

    segments: list[Segment]
    rates: list[int]
    log_p: np.ndarray
    distance: np.ndarray
    left_out: list[LeftOut]


def clips(folder: Path, wanted: list[Segment], settings: dict, rate: int) -> Iterator[Group]:
    """The segments as clips at ``rate`` Hz, made as the stages inspect and clips make them.

    ``settings`` holds channel and trim_zeros of the labelled dataset. One group is in memory.
    """
    group = Group()
    for file, of_file in groupby(wanted, key=lambda segment: segment.file):
        several = list(of_file)
        decoded = read_segments(
            folder / file, [segment.bounds for segment in several], settings["trim_zeros"]
        )
        for segment, sound in zip(several, decoded, strict=True):
            try:
                if isinstance(sound, audio.AudioError):
                    raise sound
                channel = channel_to_use(settings, segment.channel)
                measure(sound, channel)
                signal = audio.mono(sound.samples, channel)
            except audio.AudioError as error:
                left_out = LeftOut(file, segment.start_s, segment.end_s, str(error))
                group.left_out.append(left_out)
                continue
            group.segments.append(segment)
            group.waves.append(audio.resample(signal, sound.rate, rate))
            group.rates.append(sound.rate)
            if group.full(rate):
                yield group
                group = Group()
    yield group


def predict(
    folder: Path,
    wanted: list[Segment],
    settings: dict,
    encoder: Encoder,
    readout: str,
    trained: Trained,
) -> Predictions:
    """Embed and predict the segments ``wanted``; those that cannot be used are left out."""
    progress = Progress("apply", len(wanted))

    def done(batch: list[Window]) -> None:
        begun = sum(window.start == 0 for window in batch)
        progress.add(begun, sum(window.length for window in batch) / encoder.rate)

    segments, rates, left_out = [], [], []
    log_p, distance = [np.empty((0, len(trained.classes)))], [np.empty(0)]
    for group in ahead(clips(folder, wanted, settings, encoder.rate)):
        left_out += group.left_out
        progress.add(len(group.left_out))
        if not group.waves:
            continue
        x = pool(encoder, group.waves, done).means[readout]
        finite = np.isfinite(x).all(axis=1)
        for place in np.flatnonzero(~finite):
            bad = group.segments[place]
            reason = f"readout {readout} is not finite"
            left_out.append(LeftOut(bad.file, bad.start_s, bad.end_s, reason))
        segments += [group.segments[place] for place in np.flatnonzero(finite)]
        rates += [group.rates[place] for place in np.flatnonzero(finite)]
        log_p.append(trained.log_probabilities(x[finite]))
        distance.append(trained.neighbours.distances(x[finite]))
    progress.close()
    return Predictions(segments, rates, np.concatenate(log_p), np.concatenate(distance), left_out)
