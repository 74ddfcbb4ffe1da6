"""Weights fit exactly or are refused, by a message that names the file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file
from torch import nn

from stratavox import tables
from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.encoders import catalogue
from stratavox.encoders.weights import load_exact
from stratavox.errors import StratavoxError

MODEL = "esp_aves2_sl_beats_all"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A folder of weights of a small BEATs, its tensors, and a way to load a file into it.

    avex's official spec is shrunk, so that `weights: file` takes a small file.
    """
    from avex.models.beats import BEATs, BEATsConfig
    from avex.models.utils import registry

    spec = registry.get_model_spec(MODEL)
    official = dict(spec.init_config)
    shrunk = official | {
        "encoder_layers": 2,
        "encoder_embed_dim": 32,
        "encoder_ffn_embed_dim": 64,
        "encoder_attention_heads": 2,
    }
    spec.init_config = shrunk
    model = BEATs(BEATsConfig(**shrunk))
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    yield tmp_path_factory.mktemp("weights"), tensors
    spec.init_config = official


def save(small, name: str, tensors: dict) -> str:
    path = small[0] / name
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path)
    return str(path)


def from_file(path: str):
    return load({"family": "beats", "model": MODEL, "weights": path})


def clip() -> list[np.ndarray]:
    return [0.1 * np.random.default_rng(0).standard_normal(8000).astype(np.float32)]


@pytest.mark.parametrize("prefix", ["", "backbone."])
def test_saved_and_loaded_weights_give_the_same_embeddings(small, prefix):
    random = load({"family": "beats", "model": MODEL, "weights": "random", "seed": 3})
    import torch
    from avex.models.beats import BEATs, BEATsConfig
    from avex.models.utils.registry import get_model_spec

    torch.manual_seed(3)
    model = BEATs(BEATsConfig(**get_model_spec(MODEL).init_config))
    path = save(
        small,
        f"same{len(prefix)}.safetensors",
        {prefix + k: v.clone() for k, v in model.state_dict().items()},
    )
    loaded = from_file(path)
    np.testing.assert_array_equal(
        pool(loaded, clip()).means["block_01"], pool(random, clip()).means["block_01"]
    )
    provenance = loaded.provenance
    assert provenance["weights"] == "file" and provenance["weights_from"] == path
    assert provenance["weights_sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_published_files_may_lack_what_is_computed_and_hold_classifiers(small):
    import torch

    tensors = {
        f"backbone.{k}": v for k, v in small[1].items() if not k.startswith(("fbank", "pred"))
    }
    tensors = {k: v for k, v in tensors.items() if "layers.1.self_attn.relative_attention" not in k}
    tensors["classifier.weight"] = torch.zeros(5, 32)
    loaded = from_file(save(small, "lean.safetensors", tensors))
    full = from_file(save(small, "full.safetensors", small[1]))
    np.testing.assert_array_equal(
        pool(loaded, clip()).means["block_01"], pool(full, clip()).means["block_01"]
    )


def test_old_names_of_weight_norm_are_understood(small):
    old = {
        k.replace("parametrizations.weight.original0", "weight_g").replace(
            "parametrizations.weight.original1", "weight_v"
        ): v
        for k, v in small[1].items()
    }
    assert old.keys() != small[1].keys()
    new = from_file(save(small, "new.safetensors", small[1]))
    np.testing.assert_array_equal(
        pool(from_file(save(small, "old.safetensors", old)), clip()).means["input"],
        pool(new, clip()).means["input"],
    )


def spoilt(tensors: dict, how: str) -> dict:
    """The tensors, broken in one way."""
    import torch

    broken = {name: tensor.clone() for name, tensor in tensors.items()}
    if how == "wrong prefix":
        return {f"wrapped.{name}": tensor for name, tensor in broken.items()}
    if how == "too shallow":
        return {name: tensor for name, tensor in broken.items() if "layers.1." not in name}
    if how == "too deep":
        more = {
            n.replace("layers.1.", "layers.2."): t for n, t in broken.items() if "layers.1." in n
        }
        return broken | {name: tensor.clone() for name, tensor in more.items()}
    if how == "lacks one":
        del broken["encoder.layers.0.fc1.bias"]
    if how == "another width":
        broken["encoder.layers.0.fc1.bias"] = torch.zeros(65)
    if how == "nan":
        broken["encoder.layers.1.fc2.weight"][0, 0] = torch.nan
    if how == "two values":
        broken["encoder.layers.1.self_attn.relative_attention_bias.weight"] += 1
    return broken


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("wrong prefix", "none of its tensors.*wrapped"),
        ("too shallow", r"lacks encoder\.layers\.1.* and \d+ more"),
        ("too deep", r"does not have: encoder\.layers\.2"),
        ("lacks one", r"lacks encoder\.layers\.0\.fc1\.bias;"),
        ("another width", r"fc1\.bias \(65,\), not \(64,\)"),
        ("nan", r"NaN or infinite values in encoder\.layers\.1\.fc2\.weight"),
        ("two values", "two values: .*relative_attention_bias"),
    ],
)
def test_weights_that_do_not_fit_are_refused(small, how, says):
    path = save(small, f"{how.replace(' ', '_')}.safetensors", spoilt(small[1], how))
    with pytest.raises(StratavoxError, match=says) as refused:
        from_file(path)
    assert path in str(refused.value)


def test_a_truncated_file_is_refused(small):
    path = save(small, "cut.safetensors", small[1])
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StratavoxError, match=r"cut\.safetensors: not a whole \.safetensors file"):
        from_file(path)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"weights": "model.pt"}, r"'model\.pt'.*runs whatever code it holds.*save_file"),
        ({"weights": "gone.safetensors"}, r"gone\.safetensors: no such file"),
        ({"weights": "random", "seed": 0, "model": "beats"}, "'beats'.*esp_aves2_sl_beats_all"),
        ({"family": "frogs"}, "family: found 'frogs'; allowed: avex, .*beats, .*duration_level"),
        (
            {
                "weights": "random",
                "seed": 0,
                "architecture": {"layers": 1, "width": 40, "heads": 4},
            },
            r"architecture\.width: found 40 with 4 heads.*multiple of heads and of 16",
        ),
    ],
)
def test_settings_that_cannot_be_loaded_are_refused(settings, says):
    with pytest.raises(StratavoxError, match=says):
        catalogue.check({"family": "beats", "model": MODEL} | settings)


def test_pretrained_weights_are_those_that_were_fetched(small):
    """By the receipt of the stage before; another file in that place, or none, is refused."""
    path = Path(save(small, "fetched.safetensors", small[1]))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    receipt = small[0] / "receipt.json"
    tables.write_json({"address": "https://hub/x", "path": str(path), "sha256": sha256}, receipt)
    settings = {"family": "beats", "model": MODEL, "weights": "pretrained"}
    provenance = load(settings | {"receipt": str(receipt)}).provenance
    assert (provenance["weights"], provenance["weights_from"]) == ("pretrained", "https://hub/x")
    assert provenance["weights_sha256"] == sha256
    save(small, "fetched.safetensors", {k: v + 1 for k, v in small[1].items()})
    with pytest.raises(StratavoxError, match="changed since it was fetched"):
        load(settings | {"receipt": str(receipt)})
    path.unlink()
    with pytest.raises(StratavoxError, match=f"no such file any more.*delete {receipt}"):
        load(settings | {"receipt": str(receipt)})


BYTES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F16": 2, "BF16": 2, "I16": 2}
BYTES |= {"U16": 2, "F32": 4, "I32": 4, "U32": 4, "F64": 8, "I64": 8, "U64": 8, "C64": 8}


@pytest.mark.parametrize("kind", BYTES)
def test_numbers_that_are_no_weights_are_refused_by_name(tmp_path, kind):
    """Codes of quantised weights are no values; what is no float in the model may be none."""
    shape, size = {"weight": (2, 3), "bias": (2,)}, BYTES[kind]
    header, at = {}, 0
    for name, (rows, *columns) in shape.items():
        length = rows * (columns or [1])[0] * size
        header[name] = {"dtype": kind, "shape": shape[name], "data_offsets": [at, at + length]}
        at += length
    text = json.dumps(header).encode()
    path = tmp_path / "codes.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))
    if kind in ("F16", "BF16", "F32", "F64"):
        load_exact(nn.Linear(3, 2), path)
    else:
        with pytest.raises(StratavoxError, match=r"codes\.safetensors: .*(kind.*weight|dtype)"):
            load_exact(nn.Linear(3, 2), path)


def test_a_counter_of_the_model_may_be_a_whole_number(tmp_path):
    model = nn.BatchNorm1d(2)
    save_file(model.state_dict(), tmp_path / "norm.safetensors")
    load_exact(model, tmp_path / "norm.safetensors")
    floats = {name: tensor.double() for name, tensor in model.state_dict().items()}
    save_file(floats, tmp_path / "norm.safetensors")
    with pytest.raises(StratavoxError, match="num_batches_tracked float64"):
        load_exact(model, tmp_path / "norm.safetensors")


def test_a_folder_is_no_file_of_weights(tmp_path):
    with pytest.raises(StratavoxError, match=f"{tmp_path}: .*directory"):
        load_exact(nn.Linear(3, 2), tmp_path)
