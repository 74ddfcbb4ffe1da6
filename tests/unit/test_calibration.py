"""The calibration: what is planted in chorus is found, and what cannot be known is not.

Each statement is asserted of a 95 % interval over groups, not of a point. If one of these fails, no
curve of Stratavox can be believed.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from avex import load_model
from avex.models.utils.registry import get_model_spec
from scipy.stats import t as student
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from stratavox.corpus import chorus
from stratavox.embed import part
from stratavox.embed.pooling import pool
from stratavox.encoders import weights
from stratavox.encoders.beats import ARCHITECTURE_OF, BUNDLED, load, train_small
from stratavox.inference.groups import Groups, interval, share_bounds
from stratavox.inference.measures import Balanced, Explained
from stratavox.probe import atlas, nested_cv

SIZES = {"seed": 0, "species": 3, "individuals": 4, "call_types": 4, "renditions": 6}
SETTINGS = {"inner_folds": 3, "c_grid": [1e-4, 1e-3, 1e-2, 0.1, 1.0], "seed": 0}
ENCODERS = {
    "beats_small": {"family": "beats", "weights": "bundled", "precision": "fp32"},
    "random_twin": {
        "family": "beats",
        "weights": "random",
        "seed": 0,
        "architecture": train_small.SETTINGS["architecture"],
        "precision": "fp32",
    },
    "logmel": {"family": "logmel"},
    "duration_level": {"family": "duration_level"},
}


class Set:
    """Calls in memory, their labels, and every readout of every encoder."""

    def __init__(self, confounded: bool, encoders: list[str]):
        calls = list(chorus.calls(**SIZES, sessions=6, confounded=confounded, rate=16000))
        self.labels = pd.DataFrame(
            {
                "species": [f"{call.species}" for call in calls],
                "individual": [f"{call.species}.{call.individual}" for call in calls],
                "call_type": [call.order for call in calls],
                "session": [
                    f"{call.species}.{call.individual}.{call.session}"
                    if confounded
                    else f"{call.session}"
                    for call in calls
                ],
                **{name: [call.values[name] for call in calls] for name in calls[0].values},
            }
        )
        waves = [call.samples.astype(np.float32) for call in calls]
        self.x = {name: pool(part.load(ENCODERS[name]), waves).means for name in encoders}

    def correct(self, encoder: str, readout: str, target: str, group: str, grouped: bool = True):
        """Whether each clip was told rightly (clips,) with groups, or nothing, held out."""
        _, y = np.unique(self.labels[target], return_inverse=True)
        groups = self.labels[group].to_numpy()
        split = StratifiedGroupKFold if grouped else StratifiedKFold
        right = np.zeros(len(y))
        for _, test in split(4, shuffle=True, random_state=0).split(
            y, y, groups if grouped else None
        ):
            tested = np.isin(np.arange(len(y)), test)
            x = self.x[encoder][readout]
            outer, _ = nested_cv.outer_fold(x, y, groups if grouped else None, tested, SETTINGS)
            right[tested] = outer.predicted == y[tested]
        return right

    def interval(self, quantity: np.ndarray, target: str, group: str, bounds=share_bounds):
        """The interval over groups of the class-balanced mean of ``quantity`` (clips,)."""
        named = self.labels[target].to_numpy(str), self.labels[group].to_numpy(str)
        measure = Balanced.of(quantity, *named)
        return interval(measure, Groups.of(measure.clips), bounds)

    def score(self, encoder: str, readout: str, target: str, group: str = "individual"):
        """Balanced accuracy with its interval, groups held out."""
        return self.interval(self.correct(encoder, readout, target, group), target, group)


@pytest.fixture(scope="module")
def crossed() -> Set:
    return Set(False, list(ENCODERS))


@pytest.fixture(scope="module")
def confounded() -> Set:
    return Set(True, ["logmel"])


@pytest.mark.parametrize(
    "encoder, readout",
    [
        ("logmel", "features"),
        ("duration_level", "features"),
        ("beats_small", "patch"),
        ("random_twin", "patch"),
    ],
)
def test_order_is_at_chance_for_averages_over_frames(crossed, encoder, readout):
    estimate = crossed.score(encoder, readout, "call_type")
    # the four together at 95 % (Bonferroni)
    low = estimate.value - student.ppf(1 - 0.025 / 4, estimate.freedom) * estimate.error
    assert low <= 0.25
    assert estimate.value < 0.35


def test_order_is_decodable_after_blocks_that_mix_over_time(crossed):
    for readout in ("block_06", "block_11"):
        assert crossed.score("beats_small", readout, "call_type").low > 0.5


def test_order_is_decoded_better_with_training_than_with_the_architecture_alone(crossed):
    right = [
        crossed.correct(name, "block_11", "call_type", "individual")
        for name in ("beats_small", "random_twin")
    ]
    assert crossed.interval(right[0] - right[1], "call_type", "individual", None).low > 0.1


@pytest.mark.parametrize("encoder, readout", [("logmel", "features"), ("beats_small", "block_11")])
def test_species_is_decodable(crossed, encoder, readout):
    assert crossed.score(encoder, readout, "species").low > 1 / 3


@pytest.mark.parametrize("encoder, readout", [("logmel", "features"), ("beats_small", "block_03")])
def test_individuals_are_decodable_in_sessions_not_heard(crossed, encoder, readout):
    assert crossed.score(encoder, readout, "individual", "session").low > 1 / 12


@pytest.mark.parametrize("factor", ["f0_hz", "bandwidth_hz", "snr_db"])
def test_acoustic_factors_are_decodable_early(crossed, factor):
    labels = crossed.labels
    y = np.unique(labels["species"], return_inverse=True)[1]
    clips = pd.DataFrame({"fold": 0, "group": labels["individual"], "apart": labels["individual"]})
    split = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    for fold, (_, test) in enumerate(split.split(y, y, labels["individual"])):
        clips.loc[test, "fold"] = fold
    clips.attrs["regime"] = "grouped"
    # any name of a descriptor that is taken by its logarithm
    targets = pd.DataFrame({"centroid": labels[factor]})
    x = crossed.x["beats_small"]["input"]
    rows, _ = atlas.regress(x, targets, clips, {"inner_folds": 3, "seed": 0})
    explained = Explained(rows["sse"].to_numpy(), rows["sst"].to_numpy())
    assert interval(explained, Groups.of(rows[["n_clips"]].to_numpy())).low > 0


def test_confounded_sessions_show_as_leakage(crossed, confounded):
    """A random split finds individuals by their sessions' background; sessions held out do not."""
    gaps = []
    for one in (crossed, confounded):
        random, grouped = (
            one.correct("logmel", "features", "individual", "session", apart)
            for apart in (False, True)
        )
        gaps.append(one.interval(random - grouped, "individual", "session", None))
    assert gaps[1].low > 0.1
    assert gaps[0].value < gaps[1].low


def test_avex_loads_the_bundled_file_itself_and_gives_the_same_tokens():
    official = get_model_spec(ARCHITECTURE_OF)
    sizes = load.small_config(train_small.SETTINGS["architecture"]).model_dump()
    small = official.model_copy(update={"init_config": sizes})
    path = str(BUNDLED)
    model = load_model(small, checkpoint_path=path, return_features_only=True).eval()
    call = next(chorus.calls(**SIZES, sessions=6, confounded=False, rate=16000))
    encoder = part.load(ENCODERS["beats_small"])
    wave = call.samples[None, : encoder.grid.fed(len(call.samples))].astype(np.float32)
    with torch.no_grad():
        theirs = model(torch.from_numpy(wave)).numpy()
    ours = encoder.tokens(wave, ["block_11"])["block_11"]
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_the_bundled_file_is_small_and_has_its_training_settings():
    assert BUNDLED.stat().st_size < 25e6
    facts = weights.metadata(BUNDLED)
    assert {"settings", "log", "held_out", "held_out_before_training", "versions"} <= set(facts)


def test_training_runs_from_the_command_to_a_file_that_loads(tmp_path, monkeypatch):
    few = {"species": 2, "individuals": 3, "call_types": 2, "renditions": 4}
    settings = train_small.SETTINGS | {
        "architecture": {"layers": 1, "width": 32, "heads": 2},
        "train": {"seed": 1, **few},
        "held_out": {"seed": 2, **few, "individuals": 6},
        "epochs": 1,
    }
    out = tmp_path / "own.safetensors"
    monkeypatch.setattr(train_small, "SETTINGS", settings)
    monkeypatch.setattr("sys.argv", ["train_small", "--out", str(out)])
    train_small.main()
    monkeypatch.setattr(load, "BUNDLED", out)
    encoder = part.load({"family": "beats", "weights": "bundled"})
    assert encoder.widths["block_00"] == 32
