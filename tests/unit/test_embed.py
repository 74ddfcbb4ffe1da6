"""Parts and their collection: the tables, their provenance, and what is refused."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stage_jobs
from clip_data import RATE, put_clips
from stratavox import tables
from stratavox.corpus.clips import SCHEMA
from stratavox.embed import collect as collecting
from stratavox.embed import part
from stratavox.embed.collect import collect
from stratavox.embed.pooling import pool
from stratavox.encoders.encoder import Encoder, Grid
from stratavox.errors import StratavoxError


def clips(*ids: str) -> dict[str, np.ndarray]:
    """Noise of different lengths."""
    rng = np.random.default_rng(len(ids))
    waves = {}
    for name in ids:
        waves[name] = 0.1 * rng.standard_normal(int(rng.integers(500, 9000))).astype("f4")
    return waves


def sums_encoder(name: str = "sums", spoil: float | None = None) -> Encoder:
    """Two readouts a plain sum can check: of the samples, and of their squares and cubes."""

    def forward(waves, counts):
        waves = waves.astype(np.float64)
        second = np.stack([(waves**2).sum(axis=1), (waves**3).sum(axis=1)], axis=1)
        if spoil is not None:
            second[0, 0] = spoil
        return {"input": waves.sum(axis=1)[:, None], "block_00": second}

    provenance = {
        "family": name,
        "rate": RATE,
        "readouts": ["input", "block_00"],
        "blocks": ["block_00"],
        "device": "cpu",
    }
    widths = {"input": 1, "block_00": 2}
    return Encoder(RATE, Grid(size=1000, hop=1), widths, forward, 1.0, provenance)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_part_has_every_readout_of_every_clip_in_order(tmp_path, threads):
    waves = clips(*"abcdefg")
    source = put_clips(tmp_path / "clips.parquet", waves)
    part.embed(sums_encoder(), source, tmp_path / "part.parquet", {"key": "k"}, threads)
    table = tables.read_table(tmp_path / "part.parquet")
    assert table.column_names == [
        *("clip_id", "n_samples", "n_windows", "n_tokens", "padded"),
        *("input", "block_00"),
    ]
    assert table["clip_id"].to_pylist() == sorted(waves)
    assert table["n_samples"].to_pylist() == [len(waves[name]) for name in sorted(waves)]
    assert table["padded"].to_pylist() == [len(waves[name]) < 1000 for name in sorted(waves)]
    assert table.schema.field("block_00").type == pa.list_(pa.float32(), 2)
    wanted = pool(sums_encoder(), [waves[name] for name in sorted(waves)])
    for readout in ("input", "block_00"):
        np.testing.assert_allclose(
            tables.embedding_matrix(table[readout]), wanted.means[readout], rtol=1e-6
        )
    stored = tables.read_provenance(tmp_path / "part.parquet")
    assert stored["key"] == "k" and stored["encoder"]["family"] == "sums"
    with tables.open_table(tmp_path / "part.parquet") as file:
        assert file.num_row_groups == 4, "as many row groups as the clips have"


def test_an_empty_shard_makes_an_empty_part_of_the_same_schema(tmp_path):
    full, empty = put_clips(tmp_path / "a", clips("x")), put_clips(tmp_path / "b", {})
    part.embed(sums_encoder(), full, tmp_path / "full.parquet", {})
    part.embed(sums_encoder(), empty, tmp_path / "empty.parquet", {})
    tables_ = [tables.read_table(tmp_path / f"{name}.parquet") for name in ("full", "empty")]
    assert tables_[0].schema.equals(tables_[1].schema)
    assert tables_[1].num_rows == 0
    collect("sums", [tmp_path / "empty.parquet", tmp_path / "full.parquet"], tmp_path / "out", {})
    assert tables.read_table(tmp_path / "out" / "block_00.parquet")["clip_id"].to_pylist() == ["x"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_readout_that_is_not_finite_names_its_clip_and_leaves_no_part(tmp_path, value):
    source = put_clips(tmp_path / "clips.parquet", {"some cat/ä.wav": np.zeros(2000, "f4")})
    with pytest.raises(StratavoxError, match=r"clip 'some cat/ä\.wav' .*block_00 is not finite"):
        part.embed(sums_encoder(spoil=value), source, tmp_path / "part.parquet", {})
    assert not (tmp_path / "part.parquet").exists()


def test_clips_at_another_rate_or_length_are_refused(tmp_path):
    source = put_clips(tmp_path / "a.parquet", clips("x"), rate=8000)
    with pytest.raises(StratavoxError, match="clip 'x' is at 8000 Hz; .* at 16000 Hz"):
        part.embed(sums_encoder(), source, tmp_path / "part.parquet", {})
    table = tables.read_table(put_clips(tmp_path / "b.parquet", clips("x")))
    wrong = table.set_column(1, "n_samples", pa.array([7], pa.int64()))
    pq.write_table(wrong, tmp_path / "b.parquet")
    with pytest.raises(StratavoxError, match="clip 'x' has .* samples where its row says 7"):
        part.embed(sums_encoder(), tmp_path / "b.parquet", tmp_path / "part.parquet", {})


def test_the_next_row_group_alone_is_decoded_while_one_is_embedded(tmp_path, monkeypatch):
    waves = clips(*"abcdefgh")
    source = put_clips(tmp_path / "clips.parquet", waves)
    lengths = [len(waves[name]) for name in sorted(waves)]
    begun = {length: threading.Event() for length in lengths}
    decode = part._decoded
    group = [0]

    def decoding(data, rate, length, which):
        begun[length].set()
        return decode(data, rate, length, which)

    plain = sums_encoder()

    def forward(waves, counts):
        if group[0] < 3:
            assert begun[lengths[2 * group[0] + 2]].wait(10), "the next group waits for this one"
        later = lengths[2 * group[0] + 4 :]
        assert not any(begun[length].is_set() for length in later), "two groups ahead"
        return plain.forward(waves, counts)

    def pooled(encoder, waves, done):
        of_batch = pool(encoder, waves, done)
        group[0] += 1
        return of_batch

    monkeypatch.setattr(part, "_decoded", decoding)
    monkeypatch.setattr(part, "pool", pooled)
    encoder = dataclasses.replace(plain, forward=forward)
    part.embed(encoder, source, tmp_path / "part.parquet", {})
    assert group[0] == 4


def test_a_clip_broken_in_a_later_row_group_is_named_and_no_part_is_left(tmp_path):
    table = tables.read_table(put_clips(tmp_path / "whole.parquet", clips(*"abcdef")))
    rows = table.to_pylist()
    rows[4]["audio"]["bytes"] = rows[4]["audio"]["bytes"][:10]
    with tables.table_writer(tmp_path / "clips.parquet", SCHEMA, {}) as writer:
        for start in (0, 2, 4):
            writer.write_table(pa.Table.from_pylist(rows[start : start + 2], writer.schema))
    with pytest.raises(
        StratavoxError, match=r"clips\.parquet: clip 'e' is not audio .*delete the part"
    ):
        part.embed(sums_encoder(), tmp_path / "clips.parquet", tmp_path / "part.parquet", {})
    assert not (tmp_path / "part.parquet").exists()


def two_parts(folder: Path, *encoders: Encoder) -> tuple[dict, list[Path]]:
    waves = clips(*"hgfedcba")
    names, part_files = sorted(waves), []
    for place, encoder in enumerate(encoders or (sums_encoder(), sums_encoder())):
        mine = {name: waves[name] for name in names[place::2]}
        source = put_clips(folder / f"clips{place}.parquet", mine)
        part_files.append(folder / f"part-{place:03d}.parquet")
        part.embed(encoder, source, part_files[-1], {})
    return waves, part_files


def test_collect_makes_one_sorted_table_a_readout(tmp_path):
    waves, parts = two_parts(tmp_path)
    out = tmp_path / "embeddings" / "sums" / "cats"
    collect("sums", parts, out, {"key": "k"})
    assert sorted(path.name for path in out.iterdir()) == [
        *("block_00.parquet", "encoder.json", "input.parquet", "windows.parquet"),
    ]
    names = sorted(waves)
    wanted = pool(sums_encoder(), [waves[name] for name in names])
    for readout in ("input", "block_00"):
        table = tables.read_table(out / f"{readout}.parquet")
        assert table.column_names == ["clip_id", "n_tokens", "embedding"]
        assert table["clip_id"].to_pylist() == names
        assert table["n_tokens"].to_pylist() == wanted.n_tokens.tolist()
        np.testing.assert_allclose(
            tables.embedding_matrix(table["embedding"]), wanted.means[readout], rtol=1e-6
        )
    assert tables.read_provenance(out / "input.parquet")["key"] == "k"
    assert tables.read_table(out / "windows.parquet")["padded"].to_pylist() == [
        len(waves[name]) < 1000 for name in names
    ]
    description = tables.read_json(out / "encoder.json")
    assert description["encoder"] == "sums" and description["readouts"] == ["input", "block_00"]
    assert description["clips"] == 8 and description["windowed"] == 0
    assert description["padded"] == sum(len(wave) < 1000 for wave in waves.values())
    assert description["audio_s"] == pytest.approx(sum(map(len, waves.values())) / RATE)
    assert description["seconds"] > 0


def test_a_readout_larger_than_a_block_is_collected_alike(tmp_path, monkeypatch):
    waves, parts = two_parts(tmp_path)
    collect("sums", parts, tmp_path / "whole", {})
    width = tables.read_embeddings(tmp_path / "whole" / "input.parquet").shape[1]
    monkeypatch.setattr(collecting, "BLOCK_BYTES", 3 * 4 * width)  # of 8 clips
    monkeypatch.setattr(collecting, "GROUP_CLIPS", 2)
    collect("sums", parts, tmp_path / "blocks", {})
    for readout in ("input", "block_00"):
        whole = tables.read_table(tmp_path / "whole" / f"{readout}.parquet")
        assert tables.read_table(tmp_path / "blocks" / f"{readout}.parquet").equals(whole)
    with tables.open_table(tmp_path / "blocks" / "input.parquet") as file:
        assert file.num_row_groups == 5  # 2 + 1, 2 + 1, 2


def test_a_table_of_embeddings_is_smaller_than_its_numbers(tmp_path):
    generator = np.random.default_rng(0)
    x = (generator.standard_normal((2000, 8)) @ generator.standard_normal((8, 96))).astype("f4")
    table = pa.table({"clip_id": [f"{n}" for n in range(2000)], "e": tables.embedding_column(x)})
    tables.write_table(table, tmp_path / "e.parquet", {})
    assert (tmp_path / "e.parquet").stat().st_size < 0.95 * x.nbytes
    assert np.array_equal(tables.read_embeddings(tmp_path / "e.parquet", column="e"), x)


def test_collect_replaces_a_folder_whole_or_not_at_all(tmp_path, monkeypatch):
    _, parts = two_parts(tmp_path)
    out = tmp_path / "out"
    collect("sums", parts, out, {})
    (out / "stale.parquet").write_bytes(b"")
    collect("sums", parts, out, {})
    assert not (out / "stale.parquet").exists()

    def broken(value, path):
        raise OSError("no space left on device")

    monkeypatch.setattr(collecting.tables, "write_json", broken)
    before = sorted(out.iterdir())
    with pytest.raises(OSError):
        collect("sums", parts, out, {})
    assert sorted(out.iterdir()) == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]


def test_parts_of_two_encoders_or_with_a_clip_twice_are_refused(tmp_path):
    _, parts = two_parts(tmp_path, sums_encoder("one"), sums_encoder("other"))
    with pytest.raises(StratavoxError, match=r"part-001\.parquet is of another encoder.*family"):
        collect("sums", parts, tmp_path / "out", {})
    with pytest.raises(StratavoxError, match="clip 'a' occurs twice"):
        collect("sums", [parts[0], parts[0]], tmp_path / "out", {})
    assert not (tmp_path / "out").exists()


def test_the_commands(tmp_path):
    """As the workflow calls them: two shards, one of them empty, then the folder."""
    waves = clips("x", "y")
    settings, key = {"family": "duration_level"}, {"key": "k"}
    for shard, mine in (("000", waves), ("001", {})):
        source = put_clips(tmp_path / f"clips-{shard}.parquet", mine)
        out = {"part": tmp_path / f"part-{shard}.parquet"}
        done = stage_jobs.run("embed.part", {"clips": source}, out, settings, provenance=key)
        assert done.returncode == 0, done.stderr
    parts = sorted(tmp_path.glob("part-*.parquet"))
    assert len(parts) == 2
    out, named = {"encoder": tmp_path / "out/encoder.json"}, {"encoder": "levels"}
    done = stage_jobs.run("embed.collect", {"parts": parts}, out, wildcards=named)
    assert done.returncode == 0, done.stderr
    table = tables.read_table(tmp_path / "out" / "features.parquet")
    duration = tables.embedding_matrix(table["embedding"])[:, 0]
    np.testing.assert_allclose(
        np.exp(duration), [len(waves[name]) / RATE for name in "xy"], rtol=1e-5
    )
    assert tables.read_json(tmp_path / "out" / "encoder.json")["encoder"] == "levels"


def test_a_bad_setting_is_one_message_and_exit_code_1(tmp_path):
    out = {"part": tmp_path / "part.parquet"}
    done = stage_jobs.run("embed.part", {"clips": "x"}, out, {"family": "perch"})
    assert done.returncode == 1
    assert done.stderr.startswith("stratavox: error: family: found 'perch'")
