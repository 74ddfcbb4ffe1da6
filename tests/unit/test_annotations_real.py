"""Real syllables in long recordings: annotation files cut the clips that a table cuts."""

import csv

import numpy as np
import pytest
import soundfile as sf

from annotation_files import annotated, put_lines, put_raven, put_text, textgrid
from corpus_data import put, put_table, settings, to_manifest
from stratavox import audio, tables
from stratavox.corpus import clips

SHORTEST = 0.0108  # one syllable of the set is below min_s


@pytest.fixture(scope="module")
def songs(shared) -> dict[str, dict]:
    """By name: rate, samples and syllables (start, end, label) of three recordings.

    The syllables are real and stand where they stood; between them the recordings are silent.
    """
    folder = shared / "data/bengalese_finch_syllables"
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    short = [r for r in rows if float(r["offset_s"]) - float(r["onset_s"]) < SHORTEST]
    wanted = {
        "Bird0/0.wav": "birdsongrec/Bird0/Wave/0.wav",
        # names with dots are no suffixes
        "bl26/0723.7915.wav": "cbins/bl26lb16/042112/bl26lb16_210412_0723.7915.cbin",
        "short.wav": short[0]["source_file"],
    }
    songs = {}
    for name, source in wanted.items():
        mine = [r for r in rows if r["source_file"] == source]
        rate = int(mine[0]["sample_rate"])
        samples = np.zeros(round((max(float(r["offset_s"]) for r in mine) + 0.5) * rate))
        for r in mine:
            sound, _ = sf.read(folder / r["path"])
            at = round(float(r["onset_s"]) * rate)
            samples[at : at + len(sound)] = sound[: len(samples) - at]
        boxes = [(r["onset_s"], r["offset_s"], r["label"]) for r in mine]
        songs[name] = {"rate": rate, "samples": samples, "boxes": sorted(boxes, key=by_start)}
    return songs


def by_start(box):
    return float(box[0])


def written(root, wanted, songs):
    """Each clip's label and its audio at 16 kHz, and the hygiene report."""
    for name, song in songs.items():
        put(root / "data", name, song["samples"], song["rate"], subtype="PCM_16")
    _, labels, hygiene = to_manifest(root, wanted)
    clips.store(wanted, root / "inspect/part-000.parquet", 16000, root / "stored.parquet", {})
    stored = tables.read_table(root / "stored.parquet").to_pylist()
    sounds = {row["clip_id"]: audio.decode(row["audio"]["bytes"])[0] for row in stored}
    column = "label" if "label" in labels.column_names else "Species"
    label_of = dict(zip(labels["clip_id"].to_pylist(), labels[column].to_pylist(), strict=True))
    return label_of, sounds, hygiene


@pytest.fixture(scope="module")
def by_table(songs, tmp_path_factory):
    root = tmp_path_factory.mktemp("table")
    rows = [(name, *box) for name, song in songs.items() for box in song["boxes"]]
    rows = [row for row in rows if float(row[2]) - float(row[1]) >= 0.02]
    put_table(root / "data", [["file", "on", "off", "label"], *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        return written(root, settings(start="on", end="off"), songs)


def write_raven(data, name, song):
    put_raven(data, name.replace(".wav", ".Table.1.selections.txt"), song["boxes"])


def write_audacity(data, name, song):
    lines = []
    for start, end, label in song["boxes"]:
        lines += [[start, end, label], ["\\", "500.0", "-1.000000"]]
    put_lines(data, name.replace(".wav", ".txt"), lines)


def write_textgrid(data, name, song):
    end = len(song["samples"]) / song["rate"]
    tiers = {"song": [("0", str(end), "all of it")], "syllables": song["boxes"]}
    # Praat writes UTF-16 with a mark where a text is not ASCII
    text = textgrid(tiers, end, long="0723" in name)
    encoding = "utf-16" if name.startswith("Bird0") else "utf-8"
    put_text(data, name.replace(".wav", ".TextGrid"), text, encoding)


def write_csv(data, name, song):
    rows = [["on", "off", "Species", "quality"], *([*box, "good"] for box in song["boxes"])]
    put_table((data / name).parent, rows, name.rsplit("/")[-1].replace(".wav", ".csv"))


@pytest.mark.parametrize(
    ("write", "wanted"),
    [
        (write_raven, annotated()),
        (write_audacity, annotated("audacity")),
        (write_textgrid, annotated("textgrid", tier="syllables")),
        (write_csv, annotated("csv", start="on", end="off")),
    ],
    ids=["raven", "audacity", "textgrid", "csv"],
)
def test_clips_are_those_of_the_table(by_table, songs, tmp_path, monkeypatch, write, wanted):
    monkeypatch.chdir(tmp_path)
    for name, song in songs.items():
        write(tmp_path / "data", name, song)
    labels, sounds, hygiene = written(tmp_path, wanted, songs)
    expected_labels, expected_sounds, expected = by_table
    assert labels == expected_labels
    assert len(labels) > 30 and len(set(labels.values())) > 10
    assert sounds.keys() == expected_sounds.keys()
    for clip, sound in sounds.items():
        np.testing.assert_array_equal(sound, expected_sounds[clip])
    assert hygiene["clips"] == expected["clips"] and hygiene["rejected"] == []
    assert (hygiene["too_short"], hygiene["unannotated"], hygiene["overlapping"]) == (1, 0, 0)
    assert max(np.abs(sound).max() for sound in sounds.values()) > 0.01
