"""Tokens of several readouts of the same clips, read once from the parts of embed.tokens."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stratavox import tables
from stratavox.errors import StratavoxError


def readouts_of(parts: list[Path]) -> list[str]:
    """The readouts whose tokens ``parts`` hold."""
    with tables.open_table(parts[0]) as file:
        return [name for name in file.schema_arrow.names if name not in ("clip_id", "n_tokens")]


def read(
    parts: list[Path],
    readouts: list[str],
    clip_ids: list[str],
    file: Path | None = None,
    whole: float = math.inf,
) -> list[np.ndarray]:
    """Half-precision tokens (tokens, readouts, width) of each of ``clip_ids``, in that order.

    Above ``whole`` bytes they are in ``file``, from which the system reads what is used; a row
    group of a part is in memory at a time. Raises `StratavoxError` where a clip has no tokens, or
    the readouts differ in width.
    """
    counts, widths = {}, set()
    for path in parts:
        table = tables.read_table(path, ["clip_id", "n_tokens"])
        counts |= dict(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))
        with tables.open_table(path) as part:
            kinds = [part.schema_arrow.field(name).type for name in readouts]
        widths |= {kind.value_type.list_size for kind in kinds}
    absent = [clip_id for clip_id in clip_ids if clip_id not in counts]
    if absent:
        raise StratavoxError(
            f"{parts[0].parent}: {len(absent)} of {len(clip_ids)} clips of the folds have no "
            f"tokens, first {min(absent)!r}; delete the folder and run the workflow again"
        )
    if len(widths) > 1:
        raise StratavoxError(
            f"{parts[0].parent}: blocks have the widths {sorted(widths)}; probes on all blocks "
            "need blocks of one width: take this encoder out of probes.all_blocks.encoders"
        )
    ends = np.cumsum([counts[clip_id] for clip_id in clip_ids])
    shape = (int(ends[-1]), len(readouts), widths.pop())
    large = 2 * np.prod(shape, dtype=float) > whole
    values = np.memmap(file, np.float16, "w+", shape=shape) if large else np.empty(shape, "f2")
    own = dict(zip(clip_ids, np.split(values, ends[:-1]), strict=True))
    for path in parts:
        with tables.open_table(path) as part:
            for group in range(part.num_row_groups):
                _fill(own, part.read_row_group(group, ["clip_id", *readouts]), readouts)
    return [own[clip_id] for clip_id in clip_ids]


def _fill(own: dict[str, np.ndarray], table: pa.Table, readouts: list[str]) -> None:
    table = table.filter(pc.is_in(table["clip_id"], pa.array(list(own), pa.string())))
    if not table.num_rows:
        return
    for place, readout in enumerate(readouts):
        column = table[readout].combine_chunks()
        width = column.type.value_type.list_size
        flat = column.flatten().flatten().to_numpy().reshape(-1, width)
        ends = pc.list_value_length(column).to_numpy().cumsum()
        clips = np.split(flat, ends[:-1])
        for clip_id, values in zip(table["clip_id"].to_pylist(), clips, strict=True):
            own[clip_id][:, place] = values
