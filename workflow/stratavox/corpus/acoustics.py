"""Stage: acoustic descriptors of one shard of clips, at the baselines' sample rate.

Reads a part of clips/{dataset}/{rate}; writes one row a clip: clip_id and a float64 column for each
of `TARGETS`, null where it cannot be measured (an unvoiced clip has no F0, a silent one no level).
`descriptors` and `voice` define the measurements.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from stratavox import tables
from stratavox.audio import decode
from stratavox.corpus import descriptors, voice
from stratavox.corpus.targets import TARGETS
from stratavox.errors import StratavoxError
from stratavox.progress import Progress
from stratavox.stage import Job

SCHEMA = pa.schema([("clip_id", pa.string()), *((name, pa.float64()) for name in TARGETS)])


def describe(samples: np.ndarray, rate: int) -> dict[str, float | None]:
    """Each of `TARGETS` for samples (n,), n >= 1, at ``rate`` Hz; None where undefined."""
    values: dict[str, float | None] = dict.fromkeys(TARGETS)
    values["duration"] = len(samples) / rate
    values["level"] = descriptors.loudness(samples)
    if values["level"] is None or values["duration"] < descriptors.SHORTEST_S:
        return values
    hertz, power = descriptors.spectrogram(samples, rate)
    values |= descriptors.spectrum(hertz, power)
    values["snr"] = descriptors.signal_to_noise(power)
    modulation = descriptors.amplitude_modulation(samples, rate) or (None, None)
    values["am_rate"], values["am_depth"] = modulation
    track = voice.track(samples, rate)
    values["harmonicity"] = voice.harmonicity(track)
    return values | (voice.contour(track) or {})


def in_true_time(values: dict[str, float | None], speed: float) -> dict[str, float | None]:
    """``values`` of a clip that was played at ``speed``, in the time and Hz of the animal."""
    factors = {"s": speed, "Hz": 1 / speed, "octaves/s": 1 / speed}
    return {
        name: None if value is None else value * factors.get(TARGETS[name].unit, 1)
        for name, value in values.items()
    }


def measure(clips: Path, rate: int, out: Path, provenance: dict, speed: float = 1) -> None:
    """Write ``out`` (`SCHEMA`) for the part ``clips``, a row group at a time.

    The clips at ``rate`` are measured as if played at ``speed``: frames are shorter and the ranges
    of frequencies higher by its inverse. The values are in true time. Raises `StratavoxError` for a
    clip at another rate, or a rate too low for the range of F0.
    """
    played = round(rate * speed)
    if played < 2 * voice.HIGHEST_HZ:
        raise StratavoxError(
            f"--settings of corpus.acoustics: rate is {played} Hz; F0 is measured up to "
            f"{voice.HIGHEST_HZ:.0f} Hz, which needs {2 * voice.HIGHEST_HZ:.0f} Hz or more"
        )
    with tables.open_table(clips) as file, tables.table_writer(out, SCHEMA, provenance) as writer:
        progress = Progress("acoustics", file.metadata.num_rows)
        for group in range(file.num_row_groups):
            rows = []
            for clip in file.read_row_group(group, ["clip_id", "audio"]).to_pylist():
                samples, clip_rate = decode(clip["audio"]["bytes"])
                if clip_rate != rate or not len(samples):
                    raise StratavoxError(
                        f"{clips}: clip {clip['clip_id']!r} has {len(samples)} samples at "
                        f"{clip_rate} Hz; allowed: one or more at {rate} Hz; delete the part and "
                        "run again"
                    )
                values = in_true_time(describe(samples, played), played / rate)
                rows.append({"clip_id": clip["clip_id"], **values})
                progress.add(audio_s=len(samples) / rate)
            writer.write_table(pa.Table.from_pylist(rows, schema=writer.schema))
        progress.close()


def run(job: Job) -> None:
    rate, speed = job.settings["rate"], job.settings.get("speed", 1)
    measure(job.input.clips, rate, job.output.acoustics, job.provenance, speed)
