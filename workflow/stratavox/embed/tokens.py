"""Stage: all tokens of chosen readouts, for the clips of one shard, in half precision.

Reads a part of clips/{dataset}/{rate}; writes clip_id, n_tokens and a column a readout, each row a
list of n_tokens vectors of half floats. With ``keep: time`` the tokens of one step of time (the
eight frequency bands of BEATs) are averaged, so that tokens follow each other in time; with ``all``
they are kept. Their mean is the pooled readout, to half precision.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa

from stratavox import tables
from stratavox.embed.overlap import ahead, behind
from stratavox.embed.part import clip_groups, load
from stratavox.embed.pooling import fed, windows
from stratavox.encoders.encoder import Encoder, Grid
from stratavox.errors import StratavoxError
from stratavox.progress import Progress
from stratavox.stage import Job

LARGEST = float(np.finfo(np.float16).max)


def tokens(
    encoder: Encoder,
    clips: Path,
    out: Path,
    wanted: list[str],
    keep: str,
    provenance: dict,
    threads: int = 1,
) -> None:
    """Write ``out``: clip_id, n_tokens, and list<fixed_size_list<halffloat>> a readout.

    ``wanted`` are readouts of ``encoder``, from `choose_readouts`. Two row groups of ``clips`` are
    in memory at most (see `part.embed`). Provenance gains ``encoder`` and ``tokens``. Raises
    `StratavoxError` for a value that half precision cannot hold.
    """
    columns = [
        pa.field(name, pa.list_(pa.list_(pa.float16(), encoder.widths[name]))) for name in wanted
    ]
    schema = pa.schema([("clip_id", pa.string()), ("n_tokens", pa.int32()), *columns])
    provenance = provenance | {
        "encoder": encoder.provenance,
        "tokens": {"keep": keep, "readouts": wanted},
    }
    with (
        tables.open_table(clips) as file,
        tables.table_writer(out, schema, provenance) as writer,
        behind(writer.write_table) as write,
    ):
        progress = Progress("tokens", file.metadata.num_rows)
        for ids, waves in ahead(clip_groups(file, clips, encoder.rate, threads)):
            kept = whole(encoder, waves, wanted, keep)
            for name in wanted:
                _refuse_too_large(kept[name], ids, name, clips)
            counts = np.array([len(clip) for clip in kept[wanted[0]]], dtype=np.int32)
            rows = [pa.array(ids), pa.array(counts)]
            rows += [_column(kept[name], counts) for name in wanted]
            write(pa.Table.from_arrays(rows, schema=writer.schema))
            progress.add(len(ids), sum(map(len, waves)) / encoder.rate)
        progress.close()


def whole(
    encoder: Encoder, clips: list[np.ndarray], wanted: list[str], keep: str
) -> dict[str, list[np.ndarray]]:
    """For each readout the tokens of each clip, float32 (tokens, width), window after window.

    ``clips`` are float32 (samples,) at the encoder's rate.
    """
    grid = encoder.grid
    cut = [windows(place, len(clip), grid) for place, clip in enumerate(clips)]
    of_window = {}
    for batch, waves in fed(encoder, cut, clips):
        read = encoder.tokens(waves, wanted)
        for place, window in enumerate(batch):
            for name in wanted:
                valid = read[name][place, : window.tokens]
                of_window[window, name] = _per_step(valid, grid) if keep == "time" else valid.copy()
    return {
        name: [np.concatenate([of_window[window, name] for window in own]) for own in cut]
        for name in wanted
    }


def _per_step(valid: np.ndarray, grid: Grid) -> np.ndarray:
    """The mean (steps, width) of each step's tokens, which follow one another in ``valid``."""
    return valid.reshape(-1, grid.per_step, valid.shape[1]).mean(axis=1)


def _column(clips: list[np.ndarray], counts: np.ndarray) -> pa.ListArray:
    values = np.concatenate(clips).astype(np.float16)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
    return pa.ListArray.from_arrays(np.concatenate([[0], counts.cumsum()]).astype("i4"), vectors)


def _refuse_too_large(clips: list[np.ndarray], ids: list[str], readout: str, path: Path) -> None:
    for clip_id, values in zip(ids, clips, strict=True):
        size = float(np.abs(values).max())
        if not size <= LARGEST:
            raise StratavoxError(
                f"{path}: clip {clip_id!r}: readout {readout} reaches {size:g}; tokens are kept in "
                f"half precision, which ends at {LARGEST:g}. Take this readout out of "
                "probes.attention.readouts, the encoder out of probes.all_blocks, or the clip out "
                "of the table"
            )


def choose_readouts(
    wanted: list[str], encoder: Encoder, section: str = "probes.attention"
) -> list[str]:
    """The readouts that ``wanted`` names, each once.

    ``last`` is the last block, ``blocks`` all of them; without blocks, the only readout.
    """
    if encoder.tokens is None:
        raise StratavoxError(
            f"{section}: an encoder of family {encoder.provenance['family']} has one vector "
            "for each clip, or maps of several sizes, and no tokens; choose a transformer"
        )
    blocks = encoder.provenance["blocks"] or encoder.readouts
    short = {"last": blocks[-1:], "blocks": blocks}
    chosen = [readout for name in wanted for readout in short.get(name, [name])]
    unknown = [name for name in chosen if name not in encoder.widths]
    if unknown or not chosen:
        raise StratavoxError(
            f"{section}.readouts: found {unknown or 'none'}; allowed: last, "
            f"{', '.join(encoder.readouts)}"
        )
    return list(dict.fromkeys(chosen))


def size_of(n_samples: list[int], encoder: Encoder, wanted: list[str], keep: str) -> int:
    """Bytes that the tokens of clips of ``n_samples`` take, before compression."""
    grid = encoder.grid
    per_step = grid.per_step if keep == "time" else 1
    count = sum(window.tokens for n in n_samples for window in windows(0, n, grid)) // per_step
    return count * sum(encoder.widths[name] for name in wanted) * np.dtype(np.float16).itemsize


def refuse_past_budget(clips: Path, encoder: Encoder, wanted: list[str], settings: dict) -> None:
    """Print the size of the tokens of ``clips``; raise where it is more than the budget."""
    n_samples = tables.read_table(clips, ["n_samples"])["n_samples"].to_pylist()
    takes = size_of(n_samples, encoder, wanted, settings["keep"]) / 1e9
    what = f"{', '.join(wanted)} of {len(n_samples)} clips (keep: {settings['keep']})"
    print(f"tokens: {what} take {takes:.3g} GB", file=sys.stderr, flush=True)
    if takes > settings["budget_gb"]:
        raise StratavoxError(
            f"{clips}: the tokens of {what} would take {takes:.3g} GB, past the "
            f"{settings['budget_gb']:.3g} GB that this part has of "
            f"{settings['section']}.budget_gb; raise it, name fewer readouts, or keep: time"
        )


def run(job: Job) -> None:
    settings = job.settings
    encoder = load(settings["encoder"], job.threads)
    wanted = choose_readouts(settings["readouts"], encoder, settings["section"])
    refuse_past_budget(job.input.clips, encoder, wanted, settings)
    out = (job.output.tokens, wanted, settings["keep"], job.provenance, job.threads)
    tokens(encoder, job.input.clips, *out)
