"""Encoders that cannot be had are refused by key before anything is loaded; code is in the key."""

from __future__ import annotations

from pathlib import Path

import pytest

import stage_jobs
from stratavox.encoders import catalogue
from stratavox.encoders.encoder import Grid
from stratavox.encoders.sites import blocks, branches
from stratavox.errors import StratavoxError

ROOT = Path(__file__).resolve().parents[2]
EFFNET = {"family": "avex", "model": "esp_aves2_effnetb0_all", "weights": "random", "seed": 0}
MINE = {
    "family": "module",
    "factory": "mine.build",
    "path": "code",
    "weights": "random",
    "seed": 0,
    "rate": 16000,
    "context_s": 5,
    "grid": {"size": 400, "hop": 320},
    "layout": "batch tokens width",
}
VECTOR = {"layout": "batch width", "grid": {"size": 80000, "hop": 80000}}


@pytest.fixture
def code(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("code").mkdir()
    Path("code/mine.py").write_text("def build(): ...\n")
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "esp_aves2_sl_beats_all"}, "model: .*_beats_all'.* avex's BEATs: family: beats"),
        ({"model": "esp_aves2_eat_all"}, r"eat_all', not supported: .*transformers < 5.*aves_bio"),
        ({"model": "perch2"}, "'perch2', not supported: avex fetches .* nearest: `family: graph`"),
        ({"model": "birdnet"}, "nearest: `family: birdnet`"),
        ({"model": "effnet"}, "model: found 'effnet'; allowed: esp_aves2_effnetb0_all"),
        ({"model": "aves_bio", "weights": "pretrained"}, r"pretrained: AVES .* as a \.pt file"),
        (
            {"weights": "all.pt"},
            r"weights: found 'all\.pt'; allowed: pretrained, random, permuted or a \.saf",
        ),
        ({"sites": ["block", "attn"]}, "sites: found block, attn; allowed: block: an Eff"),
    ],
)
def test_avex_models_that_cannot_be_loaded_are_refused(changes, says):
    with pytest.raises(StratavoxError, match=says):
        catalogue.check(EFFNET | changes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"factory": "build"}, "factory: found 'build'; allowed: a module and a function"),
        ({"factory": "yours.build"}, r"factory: yours\.build: neither code/yours\.py nor code/you"),
        (
            {"weights": "bundled"},
            r"weights: found 'bundled'; allowed: random, permuted or a \.safetensors",
        ),
        ({"context_s": 0.01}, r"context_s: found 0\.01, 160 samples; allowed: grid\.size, 400 sam"),
        ({"layout": "batch width"}, r"grid\.hop: found 320; with layout: batch width.*80000"),
        (VECTOR | {"prefix": 1}, "prefix: found 1; with layout: batch width"),
        (VECTOR | {"blocks": "layers"}, "layout: found 'batch width', one vector a window, with"),
    ],
)
def test_modules_that_cannot_be_as_declared_are_refused(code, changes, says):
    with pytest.raises(StratavoxError, match=says):
        catalogue.check(MINE | changes)


def test_a_module_has_blocks_where_it_names_them(code):
    catalogue.check(MINE)
    catalogue.check(MINE | VECTOR)
    assert not catalogue.has_blocks(MINE) and catalogue.has_blocks(MINE | {"blocks": "layers"})
    assert catalogue.rate(MINE) == 16000
    assert catalogue.has_tokens(MINE) and not catalogue.has_tokens(EFFNET)
    assert catalogue.has_blocks(EFFNET) and catalogue.weight_files(EFFNET) == []


def test_only_changed_code_makes_a_modules_embeddings_stale(code):
    config = stage_jobs.default_config()
    config["encoders"]["mine"] = MINE
    config["run"]["encoders"] = ["mine", "logmel"]

    def keys() -> tuple[str, ...]:
        part = "results/parts/{}/chorus/part-000.parquet"
        files = {name: part.format(name) for name in ("mine", "logmel")}
        return tuple(stage_jobs.keys(config, code, files).values())

    before = keys()
    Path("code/other.py").write_text("x = 1\n")
    assert keys() == before, "a file that is no part of the factory's top module counts"
    Path("code/mine.py").write_text("def build(): ... # changed\n")
    after = keys()
    assert after[0] != before[0] and after[1] == before[1]


def test_all_files_of_a_package_are_a_modules_code(code):
    Path("code/mine.py").unlink()
    Path("code/mine/inner").mkdir(parents=True)
    for name in ("__init__", "parts", "inner/deep"):
        Path(f"code/mine/{name}.py").write_text("")
    files = catalogue.weight_files(MINE | {"factory": "mine.parts.build"})
    assert files == [f"code/mine/{name}.py" for name in ("__init__", "inner/deep", "parts")]


def test_what_is_read_inside_blocks_is_no_block():
    readouts = ["patch", "input", "block_00", "block_01", "attn_00", "ffn_00", "ffn_01"]
    assert blocks(readouts) == ["block_00", "block_01"]
    assert branches(readouts) == {"attn": ["attn_00"], "ffn": ["ffn_00", "ffn_01"]}
    assert branches(["features"]) == {}


def test_the_grid_of_convolutions_is_their_receptive_field_and_stride():
    grid = Grid.of_convolutions((10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2), 250000)
    assert (grid.size, grid.hop, grid.context) == (400, 320, 250000)
    assert [grid.tokens(n) for n in (1, 400, 719, 720)] == [1, 1, 1, 2]
