"""Parquet and JSON on disk: atomic writes, provenance in the file's own metadata, checked reads."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stratavox.errors import StratavoxError

PROVENANCE = b"stratavox"


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    An interrupted or failed block leaves ``path`` as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove what killed writers of ``path`` left beside it under a temporary name."""
    for left in path.parent.iterdir():
        if left.name.startswith(f".{path.name}."):
            shutil.rmtree(left) if left.is_dir() else left.unlink()


@contextmanager
def table_writer(
    path: str | os.PathLike, schema: pa.Schema, provenance: dict
) -> Iterator[pq.ParquetWriter]:
    """Yield a Parquet writer for tables larger than memory; the file appears when complete."""
    # A dictionary of values that hardly recur costs a third of the file and most of the writing.
    flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
    floats = [f"{field.name}.list.element" for field in schema if _holds_floats(field.type)]
    with (
        atomic_path(path) as temporary,
        pq.ParquetWriter(
            temporary,
            with_provenance(schema, provenance),
            compression="zstd",
            compression_level=1,
            use_dictionary=flat,
            use_byte_stream_split=floats,
        ) as writer,
    ):
        yield writer


def _holds_floats(kind: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(kind) and pa.types.is_float32(kind.value_type)


def write_table(table: pa.Table, path: str | os.PathLike, provenance: dict) -> None:
    """Write ``table`` to ``path`` in one step, with ``provenance`` in the file's metadata."""
    schema = with_provenance(table.schema, provenance)
    with table_writer(path, schema, provenance) as writer:
        writer.write_table(table.cast(schema))


def with_provenance(schema: pa.Schema, provenance: dict) -> pa.Schema:
    """``schema`` with ``provenance`` as JSON under the key ``stratavox`` of its metadata."""
    return schema.with_metadata({PROVENANCE: json.dumps(provenance, sort_keys=True).encode()})


def open_table(path: str | os.PathLike) -> pq.ParquetFile:
    """Open a Parquet file, or say which file is missing or broken and what to do."""
    try:
        return pq.ParquetFile(path)
    except FileNotFoundError:
        raise StratavoxError(f"{path}: no such file; run the workflow to make it") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise StratavoxError(
            f"{path}: not a whole Parquet file ({error}); delete it and run the workflow again"
        ) from None


def read_table(path: str | os.PathLike, columns: list[str] | None = None) -> pa.Table:
    """Read a whole Parquet file (or some of its columns)."""
    with open_table(path) as file:
        return file.read(columns=columns)


def read_provenance(path: str | os.PathLike) -> dict:
    """The provenance a Parquet file carries in its metadata."""
    with open_table(path) as file:
        return json.loads((file.schema_arrow.metadata or {}).get(PROVENANCE, b"{}"))


def embedding_column(values: np.ndarray) -> pa.FixedSizeListArray:
    """A matrix (clips, width) as a fixed_size_list<float32> column."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def embedding_matrix(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """A fixed_size_list<float32> column as a float32 matrix (clips, width)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    width = column.type.list_size
    return column.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)


def read_embeddings(
    path: str | os.PathLike, rows: np.ndarray | None = None, column: str = "embedding"
) -> np.ndarray:
    """The ``rows`` (clips,) of a fixed_size_list<float32> column, or all: float32 (clips, width).

    In memory are these rows and one row group of the file.
    """
    with open_table(path) as file:
        about = file.metadata
        rows = np.arange(about.num_rows) if rows is None else np.asarray(rows)
        order = np.argsort(rows, kind="stable")
        rising = rows[order]
        found = np.empty((len(rows), file.schema_arrow.field(column).type.list_size), np.float32)
        end = 0
        for group in range(about.num_row_groups):
            start, end = end, end + about.row_group(group).num_rows
            first, last = np.searchsorted(rising, [start, end])
            if first < last:
                values = embedding_matrix(file.read_row_group(group, [column])[column])
                found[order[first:last]] = values[rising[first:last] - start]
    return found


def write_json(value: object, path: str | os.PathLike) -> None:
    """Write ``value`` as indented, key-sorted JSON in one step."""
    write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", path)


def write_text(text: str, path: str | os.PathLike) -> None:
    """Write ``text`` as UTF-8 in one step."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | os.PathLike) -> dict:
    """Read a JSON file, or say which file is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StratavoxError(f"{path}: no such file; run the workflow to make it") from None
    except json.JSONDecodeError as error:
        raise StratavoxError(
            f"{path}: not whole JSON ({error}); delete it and run the workflow again"
        ) from None
