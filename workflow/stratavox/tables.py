"""Parquet and JSON on disk: atomic writes, provenance in the file's own metadata, checked reads."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stratavox.errors import BrokenFile, StratavoxError

PROVENANCE = b"stratavox"
# Errors of the machine, not of the program: no space left, or no permission to write.
UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def atomic_path(path: str | os.PathLike, folder: bool = False) -> Iterator[Path]:
    """Yield a temporary file or folder beside ``path``, renamed to it when the block succeeds.

    An interrupted or failed block leaves ``path`` as it was. Raises `StratavoxError` where the disk
    is full or ``path`` may not be written.
    """
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        name = {"dir": path.parent, "prefix": f".{path.name}.", "suffix": path.suffix}
        if folder:
            temporary = Path(tempfile.mkdtemp(**name))
        else:
            handle, temporary = tempfile.mkstemp(**name)
            os.close(handle)
            temporary = Path(temporary)
        try:
            yield temporary
            if not folder:
                with open(temporary, "rb+") as written:
                    os.fsync(written.fileno())
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, (0o777 if folder else 0o666) & ~umask)
            if folder and path.exists():
                shutil.rmtree(path)
            os.replace(temporary, path)
        finally:
            _remove(temporary)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise `StratavoxError` that names ``path`` where space or permission to write is missing."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise StratavoxError(
            f"{path}: cannot be written ({os.strerror(error.errno)}); correct that and run the "
            "same command again: it continues where this run ended"
        ) from None


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files and folders that killed writers of ``path`` left beside it."""
    for left in path.parent.iterdir():
        if left.name.startswith(f".{path.name}."):
            _remove(left)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def table_writer(
    path: str | os.PathLike, schema: pa.Schema, provenance: dict
) -> Iterator[pq.ParquetWriter]:
    """Yield a Parquet writer for tables larger than memory; the file appears when complete."""
    # A dictionary of values that rarely repeat adds a third to the size and most of the time.
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
            # so that a reader detects a page that changed on the disk
            write_page_checksum=True,
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


class Table(pq.ParquetFile):
    """A Parquet file whose pages are compared with their checksums as they are read."""

    def __init__(self, path: str | os.PathLike):
        super().__init__(path, page_checksum_verification=True)
        self.path = path

    def read(self, *args, **kwargs) -> pa.Table:
        with _whole(self.path):
            return super().read(*args, **kwargs)

    def read_row_group(self, *args, **kwargs) -> pa.Table:
        with _whole(self.path):
            return super().read_row_group(*args, **kwargs)


def open_table(path: str | os.PathLike) -> Table:
    """Open a Parquet file; raises `StratavoxError` where it is missing or broken."""
    with _whole(path):
        return Table(path)


@contextmanager
def _whole(path: str | os.PathLike) -> Iterator[None]:
    """Raise `BrokenFile` if reading in the block shows that ``path`` was truncated or changed."""
    try:
        yield
    except FileNotFoundError:
        raise StratavoxError(f"{path}: no such file; run the workflow to make it") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        # only an error of the disk has an errno
        if getattr(error, "errno", None):
            raise StratavoxError(f"{path}: cannot be read ({error})") from None
        raise BrokenFile(path, f"not a whole Parquet file ({error})") from None


def read_table(path: str | os.PathLike, columns: list[str] | None = None) -> pa.Table:
    """Read a whole Parquet file (or some of its columns)."""
    with open_table(path) as file:
        return file.read(columns=columns)


def read_provenance(path: str | os.PathLike) -> dict:
    """The provenance a Parquet file carries in its metadata."""
    with open_table(path) as file:
        text = (file.metadata.metadata or {}).get(PROVENANCE, b"{}")
    try:
        return json.loads(text)
    except ValueError as error:
        raise BrokenFile(path, f"its provenance is not whole JSON ({error})") from None


def check_pages(path: str | os.PathLike) -> None:
    """Read all of a Parquet file, one row group at a time; raise `BrokenFile` for a bad page."""
    with open_table(path) as file:
        for group in range(file.num_row_groups):
            file.read_row_group(group)


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

    Only these rows and one row group of the file are in memory.
    """
    with open_table(path) as file:
        metadata = file.metadata
        rows = np.arange(metadata.num_rows) if rows is None else np.asarray(rows)
        order = np.argsort(rows, kind="stable")
        rising = rows[order]
        width = file.schema_arrow.field(column).type.list_size
        embeddings = np.empty((len(rows), width), np.float32)
        end = 0
        for group in range(metadata.num_row_groups):
            start, end = end, end + metadata.row_group(group).num_rows
            first, last = np.searchsorted(rising, [start, end])
            if first < last:
                values = embedding_matrix(file.read_row_group(group, [column])[column])
                embeddings[order[first:last]] = values[rising[first:last] - start]
    return embeddings


def write_json(value: object, path: str | os.PathLike) -> None:
    """Write ``value`` as indented, key-sorted JSON in one step."""
    write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", path)


def write_text(text: str, path: str | os.PathLike) -> None:
    """Write ``text`` as UTF-8 in one step."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_csv(rows: Iterable[dict], columns: Iterable[str], path: str | os.PathLike) -> None:
    """Write the ``columns`` of ``rows`` as CSV in UTF-8 in one step."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(text.getvalue(), path)


def read_json(path: str | os.PathLike) -> dict:
    """Read a JSON file; raises `StratavoxError` where it is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StratavoxError(f"{path}: no such file; run the workflow to make it") from None
    except ValueError as error:
        raise BrokenFile(path, f"not whole JSON ({error})") from None
