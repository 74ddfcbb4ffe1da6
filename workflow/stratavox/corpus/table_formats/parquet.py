"""Parquet tables, as pandas and Hugging Face's data sets write them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stratavox.errors import StratavoxError

# Columns of these kinds hold no label: sounds, pictures, embeddings.
NO_CELLS = (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary)


def records(path: Path) -> list[tuple[int, list[str]]]:
    """The names of the columns and the cells of each row, numbered as if the header were row 1.

    Lists, structs and bytes are left out. Raises `StratavoxError` for a file that is no whole
    Parquet file, and for one that holds the recordings themselves.
    """
    try:
        file = pq.ParquetFile(path)
        sounds = [field.name for field in file.schema_arrow if is_audio(field)]
        kept = [
            field.name
            for field in file.schema_arrow
            if not any(kind(field.type) for kind in NO_CELLS)
        ]
        table = None if sounds else file.read(columns=kept)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise StratavoxError(
            f"{path}: not a whole Parquet file ({error}); save it again, or as CSV"
        ) from None
    if sounds:
        raise StratavoxError(
            f"{path}: its column {sounds[0]!r} holds the recordings themselves, as Hugging Face's "
            "data sets do: write source: parquet, with this file or its folder as path"
        )
    columns = [_cells(table[name]) for name in kept]
    rows = list(map(list, zip(*columns, strict=True)))
    return [(1, kept), *enumerate(rows, start=2)]


def is_audio(field: pa.Field) -> bool:
    """Whether a column is a struct of bytes and path, as of sounds."""
    kind = field.type
    return pa.types.is_struct(kind) and {"bytes", "path"} <= {part.name for part in kind}


def _cells(column: pa.ChunkedArray) -> list[str]:
    values = [None if value != value else value for value in column.to_pylist()]
    if pa.types.is_floating(column.type) and all(v is None or v.is_integer() for v in values):
        # pandas stores whole numbers with a missing one among them as 1.0, 2.0, nan
        values = [None if value is None else int(value) for value in values]
    return ["" if value is None else str(value) for value in values]
