"""A file that changed on the disk is found, named and set aside, whatever part of it changed."""

import numpy as np
import pyarrow as pa
import pytest

from stratavox import tables
from stratavox.errors import BrokenFile, StratavoxError, run_command

PROVENANCE = {"key": "k" * 64, "versions": {"numpy": "2.0"}}


@pytest.fixture
def table(tmp_path) -> pa.Table:
    """Written to table.parquet in ``tmp_path``."""
    values = np.random.default_rng(0).standard_normal((300, 8))
    columns = {"clip_id": [f"call {n}" for n in range(300)], "n": range(300)}
    written = pa.table(columns | {"embedding": tables.embedding_column(values)})
    tables.write_table(written, tmp_path / "table.parquet", PROVENANCE)
    return written


def test_no_flipped_bit_gives_other_values(table, tmp_path):
    """In the pages it is found; in the footer it is found, seen in key or schema, or harmless."""
    whole = (tmp_path / "table.parquet").read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    path, detected = tmp_path / "changed.parquet", 0
    generator = np.random.default_rng(1)
    for place in generator.choice(len(whole), 400, replace=False):
        changed = bytearray(whole)
        changed[place] ^= 1 << generator.integers(8)
        path.write_bytes(changed)
        try:
            key = tables.read_provenance(path).get("key")
            read = tables.read_table(path)
        except BrokenFile as error:
            assert error.path == path and str(path) in str(error)
            detected += 1
            continue
        visible = key != PROVENANCE["key"] or not read.schema.equals(table.schema)
        assert (place >= footer and visible) or read.equals(table), place
    assert detected > 300


@pytest.mark.parametrize("left", [0, 3, 12, 1000, -9, -1])
def test_a_table_cut_short_is_named(table, tmp_path, left):
    path = tmp_path / "table.parquet"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(BrokenFile, match=r"table\.parquet: not a whole Parquet file"):
        tables.read_table(path)


def test_json_cut_short_is_named(tmp_path):
    tables.write_json({"readouts": ["block_00"]}, tmp_path / "encoder.json")
    text = (tmp_path / "encoder.json").read_bytes()
    for changed in (text[:-5], text.replace(b"block", b"\xffock"), b""):
        (tmp_path / "encoder.json").write_bytes(changed)
        with pytest.raises(BrokenFile, match=r"encoder\.json: not whole JSON"):
            tables.read_json(tmp_path / "encoder.json")


def test_a_missing_table_is_not_a_broken_one(tmp_path):
    with pytest.raises(StratavoxError, match="no such file") as caught:
        tables.read_table(tmp_path / "none.parquet")
    assert not isinstance(caught.value, BrokenFile)


def test_a_stage_sets_aside_what_it_cannot_read(table, tmp_path, capsys):
    """So that Snakemake finds it missing, and makes it again; a look at it costs nothing."""
    path = tmp_path / "table.parquet"
    kept = path.read_bytes()[:500]
    path.write_bytes(kept)
    with pytest.raises(BrokenFile):
        tables.read_table(path)
    assert path.exists()
    with pytest.raises(SystemExit) as stopped:
        run_command(lambda: tables.read_table(path))
    assert stopped.value.code == 1
    printed = capsys.readouterr().err
    assert str(path) in printed and "set aside as table.parquet.broken" in printed
    assert not path.exists() and (tmp_path / "table.parquet.broken").read_bytes() == kept


def test_a_missing_permission_is_one_sentence(tmp_path):
    """Not even root may put a file into the kernel's own folder."""
    with (
        pytest.raises(StratavoxError, match=r"/sys/new/summary\.json: cannot be written"),
        tables.atomic_path("/sys/new/summary.json"),
    ):
        pass
    with pytest.raises(FileNotFoundError), tables.atomic_path(tmp_path / "a.json"):
        raise FileNotFoundError("not this file's business")
    assert not list(tmp_path.iterdir())
