"""Stage: decode each clip of one shard once, and measure it or record why it cannot be used."""

from __future__ import annotations

import hashlib
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stratavox import audio, columns, tables
from stratavox.corpus.identity import channel_to_use, check_unchanged, good, shard_digest
from stratavox.corpus.sound import END_SLACK_S, Sound, read
from stratavox.corpus.welch import welch
from stratavox.errors import StratavoxError
from stratavox.progress import Progress
from stratavox.stage import Job

SCHEMA = columns.schema("corpus/{dataset}/inspect/part-{shard}.parquet")
# Shorter clips could have no sample at the encoder's rate.
MIN_DURATION_S = 0.001
# About 3 steps of a 16-bit converter: only its own noise is weaker.
SILENT_DBFS = -80.0
# 24-bit files often hold 16-bit samples, whose largest value is this; 8-bit ones are coarser.
FULL_SCALE = 1 - 2**-15
FULL_SCALE_8_BIT = 1 - 2**-7
# Integers stored as floats lie far beyond full scale.
MAX_PEAK = 2.0
BLOCK = 1 << 20


def inspect_shard(settings: dict, scan: Path, shard: int, out: Path, provenance: dict) -> None:
    """Write the shard's part (schema `SCHEMA`, sorted by clip_id) to ``out``.

    ``settings`` holds path, channel and trim_zeros, and for a folder content: the shard's digest
    when the run began. A clip that cannot be used keeps its row, with a reason and no measures;
    ``end_s`` is the file's end for a window that goes on after it.
    Raises `StratavoxError` when a file is not the one that was scanned, or the scan is another.
    """
    scanned = tables.read_table(scan)
    if settings.get("content") not in (None, shard_digest(scanned, shard)):
        raise StratavoxError(f"{scan}: its files changed since the run began; run it again")
    rows = good(scanned)
    rows = rows.filter(pc.equal(rows["shard"], shard))
    names = ["clip_id", "file", "start_s", "end_s", "channel", "sha256"]
    rows = rows.select(names).sort_by("file")
    progress = Progress("inspect", len(rows))
    records = []
    for file, clips in groupby(rows.to_pylist(), key=lambda row: row["file"]):
        path = Path(settings["path"], file)
        for clip in clips:
            try:
                bounds = clip["start_s"], clip["end_s"]
                sound = read(path, *bounds, trim_zeros=settings["trim_zeros"])
                measures = measure(sound, channel_to_use(settings, clip["channel"]))
                measures |= _end(sound, *bounds)
            except audio.AudioError as error:
                measures = {"reason": str(error)}
            records.append(dict.fromkeys(SCHEMA.names) | clip | measures)
            progress.add(audio_s=measures.get("duration_s", 0.0))
        # after reading, so that a file that was replaced meanwhile is detected
        check_unchanged(path, clip["sha256"])
    progress.close()
    part = pa.Table.from_pylist(records, schema=SCHEMA).sort_by("clip_id")
    tables.write_table(part, out, provenance)


def _end(sound: Sound, start_s: float | None, end_s: float | None) -> dict:
    """The end of a segment whose window goes on after the end of its file; else nothing."""
    if end_s is None:
        return {}
    held_s = start_s + (len(sound.samples) + sound.trimmed) / sound.rate
    return {"end_s": round(held_s, 6)} if end_s - held_s > END_SLACK_S else {}


def measure(sound: Sound, channel: str | int) -> dict:
    """The measures of a clip's sound.

    Raises `AudioError` for a clip shorter than 1 ms, without the selected channel, or with samples
    beyond twice full scale. ``duration_s`` does not include ``trimmed_s``. ``level_dbfs`` is the
    RMS after the channel policy, null for digital silence as ``audio_sha256`` is; 0 dBFS is a
    square wave at full scale. ``silent``: the RMS about the mean is below -80 dBFS. ``clipped``:
    `is_clipped`, in a channel that is used.
    """
    samples, rate = sound.samples, sound.rate
    if len(samples) < MIN_DURATION_S * rate:
        trimmed = " once its zeros are trimmed" if sound.trimmed else ""
        raise audio.AudioError(
            f"lasts {len(samples) / rate * 1000:.3f} ms{trimmed}, less than 1 ms"
        )
    signal = audio.mono(samples, channel)
    used = samples if channel == "mean" else signal[:, np.newaxis]
    peak = float(np.abs(used).max())
    if peak > MAX_PEAK:
        raise audio.AudioError(
            f"samples reach {peak:g} times full scale; store it as integers or scale it to +-1"
        )
    rms = float(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))
    deviation = float(np.std(signal, dtype=np.float64))
    return {
        "sample_rate": rate,
        "header_s": sound.header.header_s,
        "file_s": sound.header.duration,
        "time_expansion": sound.header.time_expansion,
        "channels": samples.shape[1],
        "subtype": sound.subtype,
        "duration_s": len(samples) / rate,
        "trimmed_s": sound.trimmed / rate,
        "audio_sha256": _audio_sha256(signal, rate) if rms else None,
        "level_dbfs": 20 * np.log10(rms) if rms else None,
        "silent": deviation < 10 ** (SILENT_DBFS / 20),
        "clipped": is_clipped(used, sound.subtype),
        "channels_differ": bool((samples != samples[:, :1]).any()),
        "share_above_8khz": share_above(signal, rate, 8000),
    }


def _audio_sha256(signal: np.ndarray, rate: int) -> str:
    """SHA-256 of the samples and their rate, whatever the file's format and metadata."""
    samples = hashlib.sha256(np.ascontiguousarray(signal, dtype="<f4"))
    samples.update(str(rate).encode())
    return samples.hexdigest()


def is_clipped(samples: np.ndarray, subtype: str) -> bool:
    """Whether three samples in a row of ``samples`` (frames, channels) are at +1 or at -1.

    Floats may pass full scale, and nothing is cut there: of them the three must also be equal.
    """
    limit = FULL_SCALE_8_BIT if subtype in ("PCM_U8", "PCM_S8") else FULL_SCALE
    for at_limit in (samples >= limit, samples <= -limit):
        cut = at_limit[:-2] & at_limit[1:-1] & at_limit[2:]
        if subtype in ("FLOAT", "DOUBLE"):
            cut &= (samples[:-2] == samples[1:-1]) & (samples[1:-1] == samples[2:])
        if cut.any():
            return True
    return False


def share_above(signal: np.ndarray, rate: int, hz: float) -> float | None:
    """Share of the energy of ``signal`` (frames,) above ``hz``, without its mean.

    None where the rate allows nothing above ``hz``, or there is no energy.
    """
    if rate <= 2 * hz:
        return None
    above = total = 0.0
    for start in range(0, len(signal), BLOCK):
        block = signal[start : start + BLOCK]
        frequencies, power = welch(block, min(2048, len(block)), rate)
        above += float(power[frequencies > hz].sum()) * len(block)
        total += float(power.sum()) * len(block)
    return above / total if total else None


def run(job: Job) -> None:
    shard = int(job.wildcards.shard)
    inspect_shard(job.settings, job.input.scan, shard, job.output.part, job.provenance)
