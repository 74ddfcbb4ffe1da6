"""A module of the user's own: the documentation's examples as they stand, and what is refused."""

from __future__ import annotations

import copy
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from clip_data import noise
from stage_jobs import default_config
from stratavox import config
from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.embed.tokens import choose_readouts
from stratavox.encoders.weights import seeded
from stratavox.errors import StratavoxError

ROOT = Path(__file__).resolve().parents[2]
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Encoders by name, as the documentation's own text gives them, defaults filled in."""
    here = tmp_path_factory.mktemp("example")
    run = default_config()
    text = (ROOT / "docs" / "encoders.md").read_text()
    for language, code in re.findall(r"```(python|yaml)\n(.*?)```", text, re.DOTALL):
        if language == "yaml":
            run["encoders"] |= yaml.safe_load(code)["encoders"]
            continue
        file = here / re.match(r"# (\S+)", code)[1]
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        patch.setattr(sys, "path", list(sys.path))
        yield config.check(run)["encoders"]


@pytest.fixture(scope="module")
def mine(examples):
    return load(examples["mine"])


def built(examples):
    """The example's module, built by hand with the same seed."""
    import my_models

    with seeded(0):
        return my_models.build(layers=3).eval()


def test_the_documented_module_is_read_block_by_block(examples, mine):
    assert mine.readouts == ["input", "block_00", "block_01", "block_02"]
    assert mine.provenance["blocks"] == mine.readouts[1:]
    assert mine.widths == dict.fromkeys(mine.readouts, 32)
    (clip,) = noise(16123)
    with torch.inference_mode():
        model = built(examples)
        wave = torch.from_numpy(clip)[None]
        tokens = model.front(wave[:, None]).transpose(1, 2)
        entering, out = tokens, model(wave)
    tokens_read = mine.tokens(clip[None, : mine.grid.fed(16123)], ["input", "block_02"])
    np.testing.assert_array_equal(tokens_read["block_02"], out.numpy())
    np.testing.assert_array_equal(tokens_read["input"], entering.numpy())
    pooled = pool(mine, [clip])
    assert pooled.n_tokens.tolist() == [out.shape[1]]
    np.testing.assert_allclose(pooled.means["block_02"][0], out[0].mean(0), atol=1e-5, rtol=0)


def test_one_vector_a_window(examples):
    encoder = load(examples["vector"])
    assert encoder.readouts == ["output"] and encoder.provenance["blocks"] == []
    assert choose_readouts(["last"], encoder) == ["output"]
    short, long = noise(30000, 120000)
    pooled = pool(encoder, [short, long])
    assert pooled.n_tokens.tolist() == [1, 2] and pooled.padded.tolist() == [True, False]
    import one_vector

    with seeded(0):
        model = one_vector.build()

    def vector(wave):
        with torch.no_grad():
            return model(torch.from_numpy(np.pad(wave, (0, 80000 - len(wave))))[None])[0].numpy()

    halves = np.mean([vector(long[:60000]), vector(long[60000:])], axis=0)
    np.testing.assert_allclose(pooled.means["output"][0], vector(short), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(pooled.means["output"][1], halves, rtol=1e-5, atol=1e-5)


def test_weights_come_from_a_file_or_the_seed(examples, mine, tmp_path):
    clips = noise(8000)
    wanted = pool(mine, clips).means["block_02"]
    other = load(examples["mine"] | {"seed": 1})
    assert np.abs(pool(other, clips).means["block_02"] - wanted).max() > 1e-3
    file = str(tmp_path / "mine.safetensors")
    save_file(built(examples).state_dict(), file)
    entry = {key: value for key, value in examples["mine"].items() if key != "seed"}
    from_file = load(entry | {"weights": file})
    np.testing.assert_array_equal(pool(from_file, clips).means["block_02"], wanted)
    assert (
        from_file.provenance["weights"] == "file"
        and len(from_file.provenance["weights_sha256"]) == 64
    )
    with pytest.raises(StratavoxError, match=r"mine\.safetensors: holds tensors that .* layers\.2"):
        load(entry | {"weights": file, "arguments": {"layers": 2}})


CODE = """
import torch
from torch import nn


class Odd(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how = how
        self.front = nn.Conv1d(1, 8, 400, 320)
        self.cls = nn.Parameter(torch.randn(1, 1, 8))
        self.blocks = nn.Sequential(Block(how), Block(how))

    def forward(self, waves):
        tokens = self.front(waves[:, None]).transpose(1, 2)
        if self.how == "prefix":
            tokens = torch.cat([self.cls.expand(len(tokens), 1, 8), tokens], 1)
        if self.how == "tokens first":
            tokens = tokens.transpose(0, 1)
        if self.how == "named":
            return self.blocks[0](tokens=tokens)
        for block in self.blocks:
            tokens = block(tokens)
            tokens = tokens[0] if self.how == "tuple" else tokens
        return tokens


class Block(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.how, self.linear = how, nn.Linear(8, 8)

    def forward(self, tokens):
        if self.how == "broken":
            raise IndexError("no such thing")
        tokens = self.linear(tokens)
        return (tokens, None) if self.how == "tuple" else tokens


def build(how="plain"):
    return Odd(how)


def nothing():
    return None
"""
ODD = {
    "family": "module",
    "factory": "odd_models.build",
    "path": "code",
    "arguments": {},
    "weights": "random",
    "seed": 0,
    "rate": 16000,
    "context_s": 1.0,
    "grid": {"size": 400, "hop": 320},
    "blocks": "blocks",
    "layout": "batch tokens width",
}


@pytest.fixture
def odd(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "odd_models", raising=False)
    Path("code").mkdir()
    Path("code/odd_models.py").write_text(CODE)
    return copy.deepcopy(ODD)


@pytest.mark.parametrize(
    ("how", "declared"),
    [
        ("prefix", {"prefix": 1}),
        ("tokens first", {"layout": "tokens batch width"}),
        ("tuple", {"in_tuple": True}),
    ],
)
def test_a_layout_that_is_declared_is_read_and_one_that_is_not_is_refused(odd, how, declared):
    plain = load(odd)
    clips = noise(8000, 8000, 5000)
    wanted = pool(plain, clips).means
    odd["arguments"] = {"how": how}
    with pytest.raises(StratavoxError, match=r"layout: .*: found .*declared"):
        load(odd)
    means = pool(load(odd | declared), clips).means
    for readout in plain.readouts:
        np.testing.assert_allclose(means[readout], wanted[readout], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"grid": {"size": 400, "hop": 640}}, r"input of 3 waves of 1040 samples: found \(3, 3, 8"),
        ({"grid": {"size": 800, "hop": 320}}, r"of 800 samples: found \(3, 2, 8\); declared, by "),
        ({"grid": {"size": 400, "hop": 320, "per_step": 2}}, r"found \(3, 1, 8\).*: \(3, 2, 8\)"),
        ({"grid": {"size": 300, "hop": 320}}, r"factory: the module failed on waves \(3, 300\)"),
        ({"prefix": 1}, r"found \(3, 1, 8\); declared, .*: \(3, 2, 8\)"),
        ({"in_tuple": True}, "block_00 .*found no tensor; declared"),
        ({"blocks": "front"}, "blocks: found 'front', Conv1d; allowed, lists of modules: blocks"),
        ({"blocks": "layers"}, "blocks: found 'layers', nothing; allowed"),
        ({"factory": "odd_models.nothing"}, "factory: .*nothing gave a NoneType; it must give"),
        ({"factory": "odd_models.absent"}, "factory: odd_models.absent of .* AttributeError"),
        ({"arguments": {"size": 3}}, "factory: .* failed: TypeError: .*'size'"),
        ({"arguments": {"how": "broken"}}, "failed on waves .* IndexError: no such thing"),
        ({"arguments": {"how": "named"}}, "input of .*found no tensor"),
    ],
)
def test_what_is_not_as_declared_is_refused_before_any_clip(odd, changes, says):
    with pytest.raises(StratavoxError, match=says):
        load(odd | changes)


def test_a_module_of_another_folder_is_not_taken_for_the_users(odd):
    Path("code/tables.py").write_text("def build(): ...\n")
    sys.modules["tables"] = config  # as if another were imported by this name
    try:
        with pytest.raises(StratavoxError, match="tables was found at .*config.py, not under path"):
            load(odd | {"factory": "tables.build"})
    finally:
        del sys.modules["tables"]
