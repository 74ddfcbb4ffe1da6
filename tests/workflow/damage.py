"""Files that break on the disk, and whether the tables of two runs are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from stratavox import tables
from tiny_study import blocks


def same_tables(one: Path, other: Path) -> int:
    """Assert that the tables of ``one`` hold the rows of ``other``'s; return how many."""
    paths = sorted(path.relative_to(one) for path in (one / "results").rglob("*.parquet"))
    paths = [path for path in paths if path.name != "scan.parquet"]  # it holds the files' times
    for path in paths:
        first, second = tables.read_table(one / path), tables.read_table(other / path)
        assert first.column_names == second.column_names, path
        for name in first.column_names:
            if name == "embedding" or str(first[name].type).startswith("fixed_size_list"):
                a, b = (tables.embedding_matrix(table[name]) for table in (first, second))
                np.testing.assert_allclose(a, b, atol=1e-5, err_msg=f"{path} {name}")
            elif str(first[name].type) in ("double", "float"):
                a, b = (np.array(table[name].to_pylist(), dtype=float) for table in (first, second))
                np.testing.assert_allclose(a, b, atol=1e-4, err_msg=f"{path} {name}")
            else:
                assert first[name].equals(second[name]), f"{path} {name}"
    return len(paths)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def ends_in_zeros(path: Path) -> None:
    """What a file system may leave of a file after power was lost."""
    path.write_bytes(path.read_bytes()[:-100] + bytes(100))


def flip_a_bit(path: Path) -> None:
    """In the last page of the first column, near the page's end."""
    chunk = pq.read_metadata(path).row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    place = start + chunk.total_compressed_size - 3
    changed = bytearray(path.read_bytes())
    changed[place] ^= 4
    path.write_bytes(changed)


DAMAGE = (cut_short, emptied, ends_in_zeros)


def damage_each_kind(study, planned: str) -> dict[str, str]:
    """Break one table of every kind the run has; the rule that writes it, by its path.

    ``planned`` is what Snakemake prints of all jobs of the run.
    """
    kinds = {}
    for job, files in sorted(blocks(planned).items()):
        for place, path in enumerate(files["output"]):
            if path.endswith("/encoder.json"):
                path = path.replace("encoder.json", "block_00.parquet")
            if path.endswith(".parquet") and (study.here / path).exists():
                kinds.setdefault((job.split()[0], place), path)
    broken = {path: rule for (rule, _), path in kinds.items()}
    for number, path in enumerate(broken):
        DAMAGE[number % len(DAMAGE)](study.here / path)
    return broken
