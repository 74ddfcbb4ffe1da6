"""What holds for the encoders of every family; a new family is tested by its entry in EXAMPLES."""

from __future__ import annotations

import importlib
import json
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from clip_data import noise
from encoder_examples import EXAMPLES
from stage_jobs import ROOT, copied_package, default_config, python
from stratavox import config, fingerprint
from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.encoders import catalogue
from stratavox.encoders.sites import blocks
from stratavox.errors import StratavoxError

torch.set_num_threads(1)


@pytest.fixture(scope="module", params=list(EXAMPLES))
def example(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield EXAMPLES[request.param](tmp_path_factory.mktemp("example"), patch)


@pytest.fixture(scope="module")
def encoder(example):
    return load(example.settings)


def checked(entry: dict) -> dict:
    """The entry as the config of a run gives it, defaults filled in."""
    run = default_config()
    run["encoders"]["example"] = entry
    return config.check(run)["encoders"]["example"]


def test_every_family_has_an_example(tmp_path_factory):
    folders = {family: tmp_path_factory.mktemp(family) for family in EXAMPLES}
    with pytest.MonkeyPatch.context() as patch:
        examples = [EXAMPLES[name](folder, patch) for name, folder in folders.items()]
    assert {example.settings["family"] for example in examples} == set(catalogue.families())


def test_what_is_declared_is_so(example, encoder):
    settings, provenance = example.settings, encoder.provenance
    catalogue.check(settings)
    assert encoder.rate == provenance["rate"] == catalogue.rate(settings)
    assert provenance["blocks"] == blocks(encoder.readouts)
    assert bool(provenance["blocks"]) == catalogue.has_blocks(settings)
    assert (encoder.tokens is not None) == catalogue.has_tokens(settings)
    assert provenance["family"] == settings["family"] and provenance["kind"]
    assert {"model", "weights", "weights_sha256", "precision", "versions"} <= provenance.keys()
    assert provenance["readouts"] == encoder.readouts and provenance["widths"] == encoder.widths
    assert json.loads(json.dumps(provenance)) == provenance
    (clip,) = noise(min(encoder.rate, encoder.grid.context or encoder.rate))
    pooled = pool(encoder, [clip])
    assert {name: values.shape for name, values in pooled.means.items()} == {
        name: (1, width) for name, width in encoder.widths.items()
    }
    assert all(values.dtype == np.float32 for values in pooled.means.values())
    assert pooled.n_tokens.tolist() == [encoder.grid.tokens(len(clip))]
    if encoder.tokens is not None:
        fed = encoder.grid.fed(len(clip))
        wave = np.pad(clip[:fed], (0, fed - len(clip[:fed])))[None]
        for name, tokens in encoder.tokens(wave, encoder.readouts).items():
            mean = tokens[0, : pooled.n_tokens[0]].mean(0)
            np.testing.assert_allclose(pooled.means[name][0], mean, atol=2e-5, err_msg=name)


def test_a_clip_does_not_depend_on_its_batch(example, encoder):
    """As many clips as tokens among them, where a guessed order of axes mixes clips up."""
    grid = encoder.grid
    second = min(encoder.rate, grid.context or encoder.rate)
    tokens = grid.tokens(second)
    alike = [second] * (tokens if 1 < tokens < 60 else 8)
    edges = [grid.size, grid.size + grid.hop, 3 * second, grid.size + 10 * grid.hop]
    lengths = [*alike, 1, 100, second // 2, *(n + d for n in edges for d in (-1, 0, 1))]
    clips = noise(*(n for n in lengths if n > 0))
    clips += [40 * clip for clip in noise(second // 2, second // 2)]
    together = pool(encoder, clips)
    for place, clip in enumerate(clips):
        alone = pool(encoder, [clip])
        assert alone.n_tokens[0] == together.n_tokens[place]
        for readout in encoder.readouts:
            wanted = alone.means[readout][0]
            np.testing.assert_allclose(
                together.means[readout][place],
                wanted,
                atol=example.tolerance * scale_of(example, wanted),
                rtol=0,
                err_msg=f"{readout} of {len(clip)} samples",
            )
    # clips differ, or the above would hold for any mixture of them
    last = together.means[encoder.readouts[-1]]
    assert np.abs(np.diff(last, axis=0)).max() > 1e-3 * scale_of(example, last)


def scale_of(example, values: np.ndarray) -> float:
    return np.abs(values).max() if example.relative else 1.0


def test_a_second_encoder_gives_the_same_and_moves_no_generator(example, encoder):
    clips = noise(8000, 5000)
    pool(encoder, noise(7000))  # moves no statistics of its norms
    wanted = pool(encoder, clips).means
    torch.manual_seed(99)
    np.random.seed(99)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    again = pool(load(example.settings), clips).means
    assert torch.equal(torch.get_rng_state(), before[0]), "torch's generator was moved"
    assert np.array_equal(np.random.get_state()[1], before[1]), "NumPy's generator was moved"
    for readout in encoder.readouts:
        np.testing.assert_array_equal(again[readout], wanted[readout])


def test_random_weights_are_those_of_the_seed(example, encoder):
    if "seed" not in keys(example):
        pytest.skip("no weights")
    clips, last = noise(8000), encoder.readouts[-1]
    random = example.settings | {"weights": example.control}
    first, again, other = (
        pool(load(random | {"seed": seed}), clips).means[last] for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    for means in (other, pool(encoder, clips).means[last]):
        assert np.abs(first - means).max() > 1e-3 * scale_of(example, means)
    provenance = load(random | {"seed": 5}).provenance
    assert (provenance["weights"], provenance["seed"]) == (example.control, 5)
    # permuted ones are a file's
    assert (provenance["weights_sha256"] is None) == (example.control == "random")
    without = {key: value for key, value in random.items() if key != "seed"}
    with pytest.raises(
        StratavoxError, match=f"encoders.example: weights: {example.control} needs a seed"
    ):
        checked(without)


def test_permuted_weights_are_the_same_values_in_another_order(example, tmp_path):
    """Another seed gives another order. Of graphs: test_graphs.py, and the test above."""
    if example.with_file is None or example.control == "permuted":
        pytest.skip("no weights, or a graph's")
    trained = example.trained or of_random_values(example, tmp_path / "trained.safetensors")
    permuted = trained | {"weights": "permuted"}
    if trained.get("weights", "batdetect2") != "batdetect2":
        with pytest.raises(StratavoxError, match="example: weights: permuted needs of|'of'"):
            checked(permuted | {"seed": 5})
        permuted |= {"of": trained["weights"]}
    clips, means, values = noise(8000), {}, {}
    digest = load(trained).provenance["weights_sha256"]
    for name, seed in (("trained", None), ("first", 5), ("again", 5), ("other", 6)):
        settings = trained if seed is None else permuted | {"seed": seed}
        encoder, values[name] = watched(settings)
        means[name] = pool(encoder, clips).means[encoder.readouts[-1]]
        provenance = encoder.provenance
        assert provenance["weights_sha256"] == digest is not None
        if seed is not None:
            assert (provenance["weights"], provenance["seed"]) == ("permuted", seed)
            catalogue.check(checked(settings))
    np.testing.assert_array_equal(means["first"], means["again"])
    for one, other in (("trained", "first"), ("first", "other")):
        apart = np.abs(means[one] - means[other]).max()
        assert apart > 1e-3 * scale_of(example, means["trained"])
        for tensor, same in zip(values[one].values(), values[other].values(), strict=True):
            np.testing.assert_array_equal(np.sort(tensor), np.sort(same))
    with pytest.raises(StratavoxError, match="encoders.example: weights: permuted needs a seed"):
        checked(permuted)
    with pytest.raises(StratavoxError, match="encoders.example.of: only with weights: permuted"):
        checked(trained | {"of": "other.safetensors"})


def of_random_values(example, path) -> dict:
    """The settings of a file that has the values of the example's random weights."""
    _, values = watched(example.settings, flat=False)
    save_file(values, path)
    return example.with_file(path)


def watched(settings: dict, flat: bool = True) -> tuple:
    """The encoder, and the tensors of its model just after they were filled."""
    values = {}

    def watch(own, model, *args, **kwargs):
        result = own(model, *args, **kwargs)
        values.update({key: tensor.clone() for key, tensor in model.state_dict().items()})
        return result

    module = importlib.import_module(f"stratavox.encoders.{settings['family']}.load")
    with pytest.MonkeyPatch.context() as patch:
        for name in {"fill", "fit", "permute"} & set(vars(module)):
            patch.setattr(module, name, partial(watch, getattr(module, name)))
        encoder = load(settings)
    return encoder, {key: t.flatten().numpy() if flat else t for key, t in values.items()}


def keys(example) -> dict:
    """The keys that the family's entry may have."""
    return config.entry(example.settings["family"])["properties"]


def test_silence_is_finite(encoder):
    for values in pool(encoder, [np.zeros(16000, dtype=np.float32)]).means.values():
        assert np.isfinite(values).all()


def test_the_config_takes_the_entry_and_refuses_an_unknown_key(example):
    entry = checked(example.settings)
    assert entry == entry | example.settings
    for key, rule in keys(example).items():
        if "default" in rule:
            assert entry[key] == example.settings.get(key, rule["default"])
    with pytest.raises(StratavoxError, match="encoders.example: unknown key 'layerz'"):
        checked(example.settings | {"layerz": 1})


def test_a_file_of_another_model_is_refused_by_name(example, tmp_path):
    if example.with_file is None:
        assert "weights" not in keys(example)
        return
    path = tmp_path / example.other
    save_file({"some.weight": torch.zeros(3)}, path)
    settings = example.with_file(path)
    checked(settings)
    with pytest.raises(StratavoxError, match=example.refused):
        load(settings)


@pytest.mark.parametrize("family", catalogue.families())
def test_a_familys_key_has_neither_facts_nor_other_families(family):
    """A change of one family, or of the wording of facts, makes nothing else again."""
    root = "stratavox.encoders"
    modules = fingerprint.closure(("stratavox.embed.part", f"{root}.{family}.load"))
    assert f"{root}.{family}.load" in modules
    folders = {name.split(".")[2] for name in modules if name.count(".") > 2 and root in name}
    assert folders == {family}
    assert not [name for name in modules if name.endswith(".facts")]


def test_facts_and_config_need_nothing_heavy():
    code = (
        "import sys; from stratavox import config; from stratavox.encoders import catalogue as c;"
        "b = {'family': 'beats', 'model': 'esp_aves2_sed_birdcode_beats_encoder'};"
        "assert c.rate(b) == 32000 and c.rate({'family': 'logmel'}) == 16000;"
        "assert c.weight_files(b | {'weights': 'a/b.safetensors'}) == ['a/b.safetensors'];"
        "assert c.weight_files(b | {'weights': 'random'}) == [];"
        "assert c.weight_files({'family': 'duration_level'}) == [];"
        "assert c.rate({'family': 'avex', 'model': 'aves_bio'}) == 16000;"
        "assert all(c.facts(family).TABLE for family in c.families());"
        "heavy = {'torch', 'numpy', 'pandas', 'avex', 'transformers'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    python(ROOT / "workflow", "-c", code)


FACTS = """
ENTRY = "{required: [size], properties: {size: {type: integer, minimum: 1}}}"
TABLE = (("a toy", "`features`", "not at all"),)
"""
LOAD = """
import numpy as np

from stratavox.encoders.encoder import Grid, baseline


def load(settings, threads=1):
    def forward(waves, counts):
        return {"features": np.repeat(waves.mean(axis=1)[:, None], settings["size"], axis=1)}

    return baseline("toy", settings["size"], Grid(size=1, hop=1), forward, {})
"""
USE = """
import json, sys
import numpy as np, yaml
from stratavox import config, fingerprint
from stratavox.encoders import catalogue
from stratavox.embed.part import load, pool

known = catalogue.families()
report = {"families": known}
report["keys"] = [
    fingerprint.code(stage, f"stratavox.encoders.{family}.load")
    for stage in ("stratavox.embed.part", "stratavox.embed.tokens")
    for family in known
    if family != "toy"
]
if "toy" in known:
    given = yaml.safe_load(open(sys.argv[1]))
    given["encoders"]["toy"] = {"family": "toy", "size": 5}
    entry = config.check(given)["encoders"]["toy"]
    given["encoders"]["toy"]["size"] = 0
    try:
        config.check(given)
    except config.StratavoxError as error:
        report["refused"] = str(error)
    report["width"] = pool(load(entry), [np.ones(800, "f4")]).means["features"].shape[1]
    report["facts"] = [catalogue.rate(entry), catalogue.has_blocks(entry)]
print(json.dumps(report))
"""


def test_a_new_family_is_two_files_and_changes_no_key(tmp_path):
    """In a copy of the package: its schema, the catalogue and the loading take it as it is."""
    package = copied_package(tmp_path)

    def used() -> dict:
        return json.loads(python(package, "-c", USE, str(ROOT / "config.yaml")))

    before = used()
    assert "toy" not in before["families"] and len(before["keys"]) > 4
    folder = package / "stratavox/encoders/toy"
    folder.mkdir()
    (folder / "facts.py").write_text(FACTS)
    (folder / "load.py").write_text(LOAD)
    after = used()
    assert set(after["families"]) == {*before["families"], "toy"}
    assert after["keys"] == before["keys"]
    assert after["width"] == 5 and after["facts"] == [16000, False]
    assert "encoders.toy.size: found 0" in after["refused"]
