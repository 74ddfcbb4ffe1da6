"""The synthetic set: the same bytes for the same seed, sizes as requested, sounds as labelled."""

import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import yaml

import stage_jobs
from corpus_data import settings, to_manifest
from stratavox import tables
from stratavox.config import SCHEMA
from stratavox.corpus import chorus, generate

RATE = 16000
SETTINGS = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["$defs"]["chorus"]["properties"]
DEFAULT = {name: rule["default"] for name, rule in SETTINGS.items() if "default" in rule}
SMALL = DEFAULT | {"species": 2, "individuals": 2, "call_types": 4, "renditions": 2}
SIZES = SMALL | {"renditions": 3}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """The set of `SMALL`, which no test changes."""
    folder = tmp_path_factory.mktemp("small")
    chorus.write(folder, **SMALL)
    return folder


def contents(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def table_of(raw):
    with open(raw / "metadata.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(small, tmp_path):
    for name, seed in (("same", SMALL["seed"]), ("other", SMALL["seed"] + 1)):
        chorus.write(tmp_path / name, **SMALL | {"seed": seed})
    first, again, other = map(contents, (small, tmp_path / "same", tmp_path / "other"))
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first)


def test_more_of_anything_leaves_the_others_as_they_were(small, tmp_path):
    more = {"species": 3, "individuals": 3, "call_types": 5, "renditions": 3}
    chorus.write(tmp_path, **DEFAULT | more)
    few, many = contents(small), contents(tmp_path)
    few.pop("metadata.csv")
    assert few.items() <= many.items()


def test_the_default_set_is_crossed_and_balanced(tmp_path):
    chorus.write(tmp_path, **DEFAULT)
    rows = pd.read_csv(tmp_path / "metadata.csv")
    assert len(rows) == 288
    for one, other, each in (
        ("individual", "call_type", 6),
        ("session", "individual", 4),
        ("session", "call_type", 12),
        ("species", "session", 16),
    ):
        counts = pd.crosstab(rows[one], rows[other])
        assert (counts == each).to_numpy().all(), (one, other)
    # no acoustic factor tells call types, sessions or (F0 apart) animals, nor another factor
    factors = ["sweep_octaves", "bandwidth_hz", "am_rate_hz", "tempo", "level_db", "snr_db"]
    assert rows[["f0_hz", *factors]].corr().abs().stack().loc[lambda r: r < 1].max() < 0.15
    for name in ("call_type", "session", "individual"):
        share = [
            np.corrcoef(rows[f], rows.groupby(name)[f].transform("mean"))[0, 1] for f in factors
        ]
        # what labels at random explain: (classes - 1) / (calls - 1), with room for luck
        assert max(share) ** 2 < 3 * (rows[name].nunique() - 1) / 287


def test_sessions_are_an_individuals_own_where_they_are_confounded(tmp_path):
    chorus.write(tmp_path, **SMALL | {"confounded": True})
    rows = pd.read_csv(tmp_path / "metadata.csv")
    assert rows.groupby("session")["individual"].nunique().eq(1).all()
    assert rows.groupby("individual")["session"].nunique().eq(2).all()


def test_files_are_as_the_table_says(small):
    for row in table_of(small):
        samples, rate = sf.read(small / row["file"])
        assert (rate, sf.info(small / row["file"]).subtype) == (44100, "PCM_16")
        assert len(samples) / rate == pytest.approx(float(row["duration_s"]), abs=1e-4)
        assert 1.0 <= len(samples) / rate <= 1.9
        assert np.abs(samples).max() < 0.99
        assert samples.std() > 0.003


def syllables_of(call) -> list[np.ndarray]:
    """The three pieces of a call that stand out of its background."""
    window = RATE // 50
    power = np.convolve(call.samples**2, np.ones(window) / window, mode="same")
    loud = np.flatnonzero(power > np.quantile(power, 0.3) * 10)
    pieces = np.split(loud, np.flatnonzero(np.diff(loud) > 0.1 * RATE) + 1)
    return [call.samples[piece[0] : piece[-1]] for piece in pieces if len(piece) > 0.03 * RATE]


def test_call_types_are_the_same_syllables_in_another_order():
    """Spectra of the pieces, matched across call types by the order alone."""
    sums = defaultdict(list)
    for call in chorus.calls(**SIZES, rate=RATE):
        pieces = syllables_of(call)
        assert len(pieces) == 3
        for place, piece in zip(call.order, pieces, strict=True):
            power = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 4096)) ** 2
            hertz = np.fft.rfftfreq(4096, 1 / RATE)
            kept = hertz > 150
            centre = (hertz * power)[kept].sum() / power[kept].sum()
            sums[call.species, place, call.order].append(np.log2(centre / call.values["f0_hz"]))
    for species in range(SIZES["species"]):
        middles = {
            place: [np.mean(sums[species, place, order]) for order in chorus.ORDERS[:4]]
            for place in "LMH"
        }
        # a syllable sounds alike wherever it stands, and unlike the others
        within = max(np.ptp(own) for own in middles.values())
        between = np.ptp([np.mean(own) for own in middles.values()])
        assert within < 0.35 < between


def test_silences_are_longer_than_a_patch_and_vary_by_a_step():
    starts, gaps = [], []
    for call in chorus.calls(**SIZES, rate=RATE):
        window = RATE // 50
        power = np.convolve(call.samples**2, np.ones(window) / window, mode="same")
        loud = np.flatnonzero(power > np.quantile(power, 0.3) * 10)
        gaps += [gap / RATE for gap in np.diff(loud) if gap > 0.1 * RATE]
        starts.append(loud[0] / RATE)
    patch_s, step_s = 0.175, 0.16
    # 50 ms of a gap may still be reverberation, and the window blurs 20 ms
    assert min(gaps) > patch_s - 0.02
    assert np.ptp(starts) > 0.8 * step_s and np.ptp(gaps) > 0.8 * step_s


def test_level_and_signal_to_noise_are_as_the_table_says():
    for call in chorus.calls(**SIZES, rate=RATE):
        room = chorus.room_of(0, call.session, [])
        power = np.convolve(call.samples**2, np.full(RATE // 20, 20 / RATE), mode="valid")
        loudest = 10 * np.log10(power.max())
        # every call starts with 50 ms of background at least
        quietest = 10 * np.log10(power[0])
        assert loudest == pytest.approx(call.values["level_db"] + room.gain_db, abs=0.5)
        assert loudest - quietest == pytest.approx(call.values["snr_db"], abs=4)


def test_the_stage_makes_a_set_that_passes_the_other_stages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw = Path("results/corpus/chorus/raw")
    out = {"raw": raw, "scan": "scan.parquet"}
    generate.run(stage_jobs.job({}, out, SMALL | {"shards": 2}))
    scanned = tables.read_table("scan.parquet")
    assert scanned.num_rows == 32
    assert scanned["reason"].null_count == 32
    assert tables.read_provenance("scan.parquet")["path"] == "results/corpus/chorus/raw"
    clips, labels, hygiene = to_manifest(tmp_path, settings(path=str(raw), shards=2))
    assert len(clips) == 32
    assert {"call_type", "individual", "session", "species", "f0_hz"} <= set(labels.column_names)
    assert (hygiene["rejected"], hygiene["silent"], hygiene["clipped"]) == ([], [], 0)


def test_the_stage_as_a_command(small, tmp_path):
    out, wanted = {"raw": "raw", "scan": "scan.parquet"}, SMALL | {"shards": 1}
    done = stage_jobs.run("corpus.generate", {}, out, wanted, process={"cwd": tmp_path})
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "raw") == contents(small)
    assert len(tables.read_table(tmp_path / "scan.parquet")) == 32
