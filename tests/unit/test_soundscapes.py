"""Synthetic soundscapes: the same bytes for the same seed, and calls where the labels say so."""

import csv

import numpy as np
import pytest
import soundfile as sf

from stratavox.corpus import chorus, soundscapes

SIZES = {"seed": 0, "species": 2, "individuals": 2, "call_types": 2, "sites": 2, "clips": 12}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("soundscapes")
    soundscapes.write(folder, **SIZES)
    return folder


def rows_of(folder):
    with open(folder / "metadata.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_gives_the_same_bytes_and_fewer_clips_are_the_first(small, tmp_path):
    soundscapes.write(tmp_path, **SIZES | {"clips": 2})
    files = sorted(tmp_path.rglob("*.wav"))
    assert len(files) == 4
    for path in files:
        assert path.read_bytes() == (small / path.relative_to(tmp_path)).read_bytes()
    soundscapes.write(tmp_path, **SIZES | {"clips": 2, "seed": 1})
    again = small / files[0].relative_to(tmp_path)
    assert files[0].read_bytes() != again.read_bytes()


def test_a_clip_is_loud_where_a_species_calls_and_the_unheard_one_adds_nothing(small):
    loudest = {True: [], False: []}
    for row in rows_of(small):
        calling = {*row["species"].split("|")} - {soundscapes.NONE, soundscapes.UNHEARD}
        samples, rate = sf.read(small / row["file"])
        assert (rate, len(samples)) == (chorus.RATE, soundscapes.CLIP_S * chorus.RATE)
        parts = samples[: len(samples) // 2205 * 2205].reshape(-1, 2205)
        loudest[bool(calling)].append(np.sqrt(np.square(parts).mean(axis=1)).max())
    assert min(map(len, loudest.values())) >= 3
    assert min(loudest[True]) > 2 * max(loudest[False])


def test_there_are_negatives_and_clips_of_several_species(small):
    sets = {row["species"] for row in rows_of(small)}
    assert {soundscapes.NONE, "sp0|sp1"} <= sets
    assert any(soundscapes.UNHEARD in own for own in sets)
