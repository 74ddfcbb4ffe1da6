"""BatDetect2 is the package's model: the same values, pooled over the clip alone; its controls."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.encoders.batdetect2 import installed
from stratavox.encoders.batdetect2 import load as family
from stratavox.errors import StratavoxError

torch.set_num_threads(1)
TRAINED = {"family": "batdetect2", "weights": "batdetect2"}
PERMUTED = TRAINED | {"weights": "permuted", "seed": 3}
MILLISECOND = 256


def clip(samples: int, seed: int = 0) -> np.ndarray:
    return 0.05 * np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


@pytest.fixture(scope="module")
def encoder():
    return load(TRAINED)


@pytest.fixture(scope="module")
def package():
    """The package's own spectrogram and features of a clip (width, bands, steps)."""
    from batdetect2.detector.parameters import DEFAULT_SPECTROGRAM_PARAMETERS
    from batdetect2.utils import detector_utils

    cpu = torch.device("cpu")
    model, _ = detector_utils.load_model(device=cpu)

    def features(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        _, spectrogram, _ = detector_utils.compute_spectrogram(
            samples, 256000, DEFAULT_SPECTROGRAM_PARAMETERS, cpu
        )
        with torch.inference_mode():
            return spectrogram[0, 0].numpy(), model(spectrogram).features[0].numpy()

    return features


# a call, a spectrogram that needs no padding, and a whole window
@pytest.mark.parametrize("samples", [1280, 96 * MILLISECOND + 384, 256000])
def test_values_are_those_of_the_package(encoder, package, samples):
    wave = clip(samples)
    spectrogram, features = package(wave)
    inside = encoder.grid.tokens(samples)
    assert inside == (samples - 384) // MILLISECOND
    means = pool(encoder, [wave]).means
    # the highest band is the package's first, and stays so
    np.testing.assert_allclose(
        means["input"][0], spectrogram[:, :inside].mean(axis=1), rtol=1e-4, atol=1e-6
    )
    wanted = features[:, :, :inside].mean(axis=(1, 2))
    difference = np.abs(means["block_09"][0] - wanted).max()
    assert difference < 1e-5 * np.abs(wanted).max()


def test_a_step_at_the_clips_end_counts_by_its_share(encoder):
    """Of a map with steps of 8 ms: 19 ms are two steps and three eighths of the third."""
    wave = clip(640 + 18 * MILLISECOND)
    assert encoder.grid.tokens(len(wave)) == 19
    model = family.Net2D().eval()
    state = torch.load(installed(), map_location="cpu", weights_only=True)["state_dict"]
    assert set(model.load_state_dict(state, strict=False).unexpected_keys) == {
        f"conv_{head}_op.{part}" for head in ("size", "classes") for part in ("weight", "bias")
    }
    fed = np.pad(wave, (0, encoder.grid.fed(len(wave)) - len(wave)))[None]
    with torch.inference_mode():
        maps = family.spectrogram(fed)
        for stage in (model.conv_dn_0, model.conv_dn_1, model.conv_dn_2):
            maps = stage(maps)
    steps = maps[0].mean(dim=1).numpy()
    wanted = (steps[:, 0] * 8 + steps[:, 1] * 8 + steps[:, 2] * 3) / 19
    got = pool(encoder, [wave]).means["block_02"][0]
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_permuted_weights_are_the_same_values_in_another_order():
    models = {}
    for name, settings in {"trained": TRAINED, "permuted": PERMUTED}.items():
        model = family.Net2D()
        family._packaged(model, settings)
        models[name] = model.state_dict()
    moved = 0
    for name, tensor in models["trained"].items():
        other = models["permuted"][name]
        assert torch.equal(tensor.flatten().sort()[0], other.flatten().sort()[0]), name
        if name.endswith("coords") or tensor.numel() < 2:
            assert torch.equal(tensor, other)
        else:
            moved += not torch.equal(tensor, other)
    assert moved > 40
    provenance = load(PERMUTED).provenance
    assert (provenance["weights"], provenance["seed"]) == ("permuted", 3)
    assert provenance["licence"] == "CC BY-NC 4.0"
    assert provenance["weights_sha256"].startswith("c4e39912")


def test_a_package_that_is_missing_or_broken_is_named(monkeypatch, tmp_path):
    broken = tmp_path / "Net2DFast_UK_same.pth.tar"
    broken.write_bytes(Path(installed()).read_bytes()[:100_000])
    monkeypatch.setattr(family, "installed", lambda: str(broken))
    with pytest.raises(StratavoxError, match="Net2DFast_UK_same.pth.tar: not BatDetect2's weights"):
        load(TRAINED)

    def absent(name: str):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("stratavox.encoders.batdetect2.files", absent)
    with pytest.raises(
        StratavoxError, match="weights: .* batdetect2 1.3.1, which is not installed"
    ):
        load(TRAINED)
