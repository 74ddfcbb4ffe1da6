"""Stage: a picture and a sound of some clips of a dataset, so that the report can show them.

Reads the parts of clips/{dataset}/{rate}, what is known of their recordings (corpus.inspect), and
the folds of the target tasks. Writes a folder with a
spectrogram (WebP) and a sound (MP3) for each chosen clip, and the table that lists them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile as sf
from matplotlib.image import imsave
from scipy.fft import rfft

from stratavox import audio, columns, tables
from stratavox.progress import Progress
from stratavox.sampling import seeded_order
from stratavox.stage import Job

SCHEMA = columns.schema("report/clips/{dataset}.parquet")
# About 10 kB a clip: 3 MB a dataset.
MOST = 300
LONGEST_S = 3.0
# Pixels, samples of a Hann window (32 ms at 16 kHz, two bins a row), and dB below the loudest.
WIDTH, HEIGHT, WINDOW, DEPTH_DB = 256, 128, 512, 60.0
# At 16 kHz an MP3 of this size holds nothing above 7 kHz. The peak leaves room for its errors.
SOUND_HZ, SOUND, PEAK = 24000, {"subtype": "MPEG_LAYER_III", "compression_level": 0.7}, 0.7


def choose(clip_ids: list[str], labels: list[list[str | None]], most: int, seed: int) -> np.ndarray:
    """Row numbers, ascending, of at most `MOST` of the ``most`` clips that the maps show.

    ``labels`` are columns (clips,) of classes and groups. The first clip of each value comes before
    the second of any, in the order of drawing. So each class and group has clips, the rarest too,
    and a new clip replaces few others.
    """
    drawn = seeded_order(clip_ids, seed)[:most]
    place = np.full(len(drawn), len(drawn))
    for column in labels:
        earlier = Counter()
        for n, row in enumerate(drawn):
            if column[row] is not None:
                place[n] = min(place[n], earlier[column[row]])
                earlier[column[row]] += 1
    return np.sort(drawn[np.argsort(place, kind="stable")[:MOST]])


def stem(clip_id: str) -> str:
    """The name of a clip's files, without ending: a clip_id may hold any character."""
    return hashlib.sha256(clip_id.encode()).hexdigest()[:16]


def loudest(samples: np.ndarray, rate: int) -> int:
    """The first sample of the `LONGEST_S` with most energy of samples (n,); 0 if shorter."""
    length = round(LONGEST_S * rate)
    if len(samples) <= length:
        return 0
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    return int(np.argmax(energy[length:] - energy[:-length]))


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """Level (HEIGHT, WIDTH) of samples (n,), n >= 1, in dB of the loudest pixel.

    Time runs from left to right over the whole clip, frequency from half the sample rate at the top
    to 0. The least level, also of silence, is -DEPTH_DB.
    """
    padded = np.pad(samples, WINDOW // 2)
    starts = np.linspace(0, len(samples) - 1, WIDTH).astype(int)
    frames = padded[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW).astype(np.float32)
    power = np.square(np.abs(rfft(frames, axis=1)))[:, 1:]
    power = power.reshape(WIDTH, HEIGHT, -1).mean(axis=2).T[::-1]
    least = 10 ** (-DEPTH_DB / 10)
    return 10 * np.log10(np.maximum(power / (power.max() or 1), least))


def write(samples: np.ndarray, rate: int, played: int, highest_hz: float, path: Path) -> None:
    """Write PATH.webp and PATH.mp3 of samples (n,) at ``rate`` Hz, played at ``played`` Hz.

    The picture ends at ``highest_hz``: there is nothing above half the rate of a recording. All
    sounds have one peak level.
    """
    rows = round(HEIGHT * highest_hz / (rate / 2))
    colours = {"cmap": "magma", "vmin": -DEPTH_DB, "vmax": 0}
    small = {"quality": 50, "method": 2}
    levels = spectrogram(samples)[HEIGHT - rows :]
    imsave(f"{path}.webp", levels, format="webp", pil_kwargs=small, **colours)
    sound = audio.resample(samples, played, SOUND_HZ)
    sound = sound * (PEAK / (np.abs(sound).max() or 1))
    sf.write(f"{path}.mp3", sound, SOUND_HZ, format="MP3", **SOUND)


def labels_of(folds: Iterable[Path], groups: dict[str, str]) -> dict[str, dict[str, dict]]:
    """Name of a label -> clip_id -> value, of the classes and the known groups of each task.

    ``groups`` names the group of each task, "" where it has none.
    """
    labels = {}
    for path in folds:
        table = tables.read_table(path, ["clip_id", "target", "group"]).to_pydict()
        for name, column in ((path.stem, "target"), (groups[path.stem], "group")):
            if name:
                values = dict(zip(table["clip_id"], table[column], strict=True))
                labels.setdefault(name, {}).update(values)
    return labels


def rates_of(inspected: Iterable[Path]) -> dict[str, int]:
    """clip_id -> sample rate of its recording in Hz."""
    rates = {}
    for path in inspected:
        table = tables.read_table(path, ["clip_id", "sample_rate"]).to_pydict()
        rates |= dict(zip(table["clip_id"], table["sample_rate"], strict=True))
    return rates


def _chosen(parts: Iterable[Path], rows: np.ndarray) -> Iterator[tuple[str, np.ndarray, int]]:
    """clip_id, samples and rate of the clips at ``rows`` of all parts; one row group in memory."""
    end = 0
    for part in parts:
        with tables.open_table(part) as file:
            for group in range(file.num_row_groups):
                start, end = end, end + file.metadata.row_group(group).num_rows
                here = rows[(rows >= start) & (rows < end)] - start
                if len(here):
                    table = file.read_row_group(group, ["clip_id", "audio"]).take(here)
                    for clip in table.to_pylist():
                        yield clip["clip_id"], *audio.decode(clip["audio"]["bytes"])


def run(job: Job) -> None:
    parts, settings = job.input.clips, job.settings
    clip_ids = [name for p in parts for name in tables.read_table(p, ["clip_id"])[0].to_pylist()]
    labels = labels_of(job.input.folds, settings["groups"])
    values = [[of_clip.get(clip_id) for clip_id in clip_ids] for of_clip in labels.values()]
    recorded = rates_of(job.input.inspect)
    rows = choose(clip_ids, values, settings["max_clips"], settings["seed"])
    speed = settings.get("speed", 1)
    listed, progress = [], Progress("listen", len(rows))
    with tables.atomic_path(job.output.files, folder=True) as folder:
        for clip_id, samples, rate in _chosen(parts, rows):
            # in slow motion, what is heard is as long as of other clips
            played = round(rate * speed)
            first = loudest(samples, played)
            shown = samples[first : first + round(LONGEST_S * played)]
            highest_hz = min(rate, recorded[clip_id]) / 2
            write(shown, rate, played, highest_hz, folder / stem(clip_id))
            known = {name: of_clip.get(clip_id) for name, of_clip in labels.items()}
            listed.append(
                {
                    "clip_id": clip_id,
                    "stem": stem(clip_id),
                    "label": "; ".join(f"{name}: {known[name]}" for name in known if known[name]),
                    "start_s": first / rate,
                    "shown_s": len(shown) / rate,
                    "duration_s": len(samples) / rate,
                    "highest_hz": highest_hz,
                }
            )
            progress.add(audio_s=len(shown) / rate)
    progress.close()
    provenance = job.provenance | {
        "listen": {"clips": len(rows), "whole": len(clip_ids), "speed": speed}
    }
    tables.write_table(pa.Table.from_pylist(listed, SCHEMA), job.output.table, provenance)
