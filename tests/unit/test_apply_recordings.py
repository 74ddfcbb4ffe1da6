"""New recordings of `apply`: which segments, which samples, and what is written of them."""

import tracemalloc
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile as sf

from annotation_files import put_lines, put_raven, put_text, textgrid
from corpus_data import put, put_table, settings, tone
from encoder_examples import EXAMPLES
from stratavox import tables
from stratavox.apply import predict, recordings, stream
from stratavox.apply.recordings import Request, Segment, listed
from stratavox.apply.write import Outputs, table, write
from stratavox.audio import AudioError
from stratavox.corpus import clips as corpus_clips
from stratavox.corpus import from_start, inspect, sound
from stratavox.corpus.annotations import table as annotated
from stratavox.corpus.listing import list_clips
from stratavox.corpus.scan import scan
from stratavox.embed import part
from stratavox.errors import StratavoxError

AUDIO = {"channel": "mean", "trim_zeros": False}


def noise(seconds=1.0, rate=16000, channels=1, seed=0):
    samples = 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * rate), channels))
    return samples.astype("f4")


def bounds(segments):
    return [(s.file, s.start_s, s.end_s) for s in segments]


def wanted(folder, dataset=None, longest_s=10.0, **request):
    return listed(Request(folder, **request), dataset or {}, "call", longest_s)


# ---- which segments ----


def test_whole_files_without_hidden_ones_and_other_files(tmp_path):
    for name in ("b.wav", "sub/a.flac", ".hidden.wav"):
        put(tmp_path, name, tone(seconds=0.5))
    put_text(tmp_path, "notes.txt", "no recording")
    segments, left_out = wanted(tmp_path)
    assert bounds(segments) == [("b.wav", 0.0, 0.5), ("sub/a.flac", 0.0, 0.5)]
    assert not left_out and all(s.bounds == (None, None) for s in segments)


@pytest.mark.parametrize(
    ("length", "edges"),
    [(1.0, [0, 1.0]), (6.0, [0, 3, 6]), (7.4, [0, 3, 7.4]), (7.5, [0, 3, 6, 7.5])],
)
def test_windows_cover_the_recording_and_a_short_rest_joins_the_last(tmp_path, length, edges):
    put(tmp_path, "a.wav", noise(length, 8000), 8000)
    segments, _ = wanted(tmp_path, windows=3.0)
    assert bounds(segments) == [("a.wav", s, e) for s, e in zip(edges, edges[1:], strict=False)]


def test_bad_files_cost_only_themselves(tmp_path):
    put(tmp_path, "good.wav")
    put_text(tmp_path, "text.wav", "no audio")
    put_text(tmp_path, "empty.wav", "")
    put(tmp_path, "loud.wav", 9 * tone(), subtype="FLOAT")
    put(tmp_path, "cut.wav", noise(1.0)).write_bytes((tmp_path / "cut.wav").read_bytes()[:9000])
    segments, left_out = wanted(tmp_path)
    reasons = {each.file: each.reason for each in left_out}
    for group in predict.clips(tmp_path, segments, AUDIO, 16000):
        reasons |= {each.file: each.reason for each in group.left_out}
        assert [segment.file for segment in group.segments] == ["good.wav"]
    assert set(reasons) == {"text.wav", "empty.wav", "loud.wav", "cut.wav"}
    assert "times full scale" in reasons["loud.wav"] and "truncated" in reasons["cut.wav"]


def test_a_long_recording_is_no_clip_unless_training_clips_are_as_long(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "GROUP_S", 1.0)
    put(tmp_path, "long.wav", noise(3.0, 8000), 8000)
    segments, left_out = wanted(tmp_path, longest_s=0.5)
    assert not segments and "--windows" in left_out[0].reason
    assert len(wanted(tmp_path, longest_s=3.0)[0]) == 1
    assert len(wanted(tmp_path, longest_s=0.5, windows=0.5)[0]) == 6


def test_rows_of_a_table_named_as_in_the_labelled_dataset(tmp_path):
    put(tmp_path, "a.wav", noise(2.0))
    rows = [["path", "from", "to", "call", "note"]]
    rows += [["a.wav", "0.1", "0.4", "owl", "x"], ["a.wav", "1", "1.5", "", ""]]
    rows += [["a.wav", "0.1", "0.4", "owl", "y"], ["gone.wav", "0", "1", "", ""], ["a.wav", "b"]]
    path = put_table(tmp_path, rows, "rows.csv")
    dataset = {"file": "path", "start": "from", "end": "to"}
    segments, left_out = wanted(tmp_path, dataset, table=path)
    # the repeated row is one clip though the note differs
    assert bounds(segments) == [("a.wav", 0.1, 0.4), ("a.wav", 1.0, 1.5)]
    assert [segment.label for segment in segments] == ["owl", ""]
    assert {each.reason.split()[0] for each in left_out} == {"missing", "2"}


@pytest.mark.parametrize("form", ["raven", "audacity", "textgrid", "csv"])
def test_boxes_of_annotation_files_need_no_labels(tmp_path, form):
    put(tmp_path, "REC.wav", noise(3.0))
    dataset = {}
    if form == "raven":
        put_raven(tmp_path, "REC.Table.1.selections.txt", [("0.5", "1.0", "")])
    elif form == "audacity":
        put_lines(tmp_path, "REC.txt", [["0.5", "1.0", ""]])
    elif form == "textgrid":
        text = textgrid({"calls": [("0.5", "1.0", "x")]}, 3.0, long=True)
        put_text(tmp_path, "REC.TextGrid", text)
    else:
        put_text(tmp_path, "REC.csv", "on,off\n0.5,1.0\n")
        entry = {"format": "csv", "start": "on", "end": "off", "label": "call", "min_s": 0.02}
        dataset = {"annotations": entry}
    segments, left_out = wanted(tmp_path, dataset, annotations=form)
    assert bounds(segments) == [("REC.wav", 0.5, 1.0)] and not left_out
    assert segments[0].bounds == (0.5, 1.0)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"annotations": "avisoft"}, "--annotations: found 'avisoft'; allowed: raven, audacity"),
        ({"annotations": "csv"}, "give one table with --table"),
        ({"table": "none.csv"}, "none.csv: no such file"),
        ({"table": "bad.csv"}, "no column 'file'.*its columns are: name"),
        ({"table": "half.csv"}, "'start_s' without the other of start_s and end_s"),
    ],
)
def test_what_cannot_be_read_at_all_is_refused(tmp_path, monkeypatch, request_, message):
    monkeypatch.chdir(tmp_path)
    put(tmp_path, "a.wav")
    put_table(tmp_path, [["name"], ["a.wav"]], "bad.csv")
    put_table(tmp_path, [["file", "start_s"], ["a.wav", "0"]], "half.csv")
    if "table" in request_:
        request_ = {"table": tmp_path / request_["table"]}
    with pytest.raises(StratavoxError, match=message):
        wanted(tmp_path, **request_)


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(StratavoxError, match="no recordings below it; read are .3gp"):
        wanted(tmp_path)
    with pytest.raises(StratavoxError, match="no such folder"):
        wanted(tmp_path / "none")


# ---- which samples ----


@pytest.mark.parametrize("form", ["wav", "flac", "ogg", "mp3"])
def test_segments_are_what_reading_each_gives(tmp_path, monkeypatch, form):
    monkeypatch.setattr(from_start, "BLOCK", 5000)
    path = put(tmp_path, f"a.{form}", noise(3.0, 22050, channels=2), 22050)
    several = [(0.0, 0.5), (0.25, 1.0), (0.3, 0.35), (1.5, 2.0), (1.5, 3.0), (2.9, 4.0), (3.5, 4.0)]
    read = list(stream.segments(path, several, trim_zeros=False))
    for (start, end), segment in zip(several[:-1], read, strict=False):
        alone = sound.read(path, start, end)
        assert np.array_equal(segment.samples, alone.samples) and segment.rate == alone.rate
    assert isinstance(read[-1], AudioError) and "past the file's end" in str(read[-1])


@pytest.mark.parametrize("form", ["wav", "ogg"])
def test_memory_does_not_grow_with_the_recording(tmp_path, monkeypatch, form):
    for module in (recordings, predict):
        monkeypatch.setattr(module, "GROUP_S", 4.0)
    monkeypatch.setattr(from_start, "BLOCK", 1 << 13)
    peaks = []
    for seconds in (20, 80):
        folder = tmp_path / str(seconds)
        put(folder, f"a.{form}", noise(seconds, 8000), 8000)
        segments, _ = wanted(folder, windows=1.0)
        tracemalloc.start()
        count = sum(len(g.waves) for g in predict.clips(folder, segments, AUDIO, 16000))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == seconds
    assert peaks[1] < 1.3 * peaks[0]


@dataclass
class Same:
    """In the place of the probe: gives the readout itself back."""

    width: int

    @property
    def classes(self):
        return range(self.width)

    @property
    def neighbours(self):
        return self

    def log_probabilities(self, x):
        return x

    def distances(self, x):
        return np.zeros(len(x))


@pytest.mark.parametrize("family", ["beats", "transformers, whisper", "logmel"])
def test_a_labelled_clip_gets_the_workflows_embedding(data, monkeypatch, family):
    """Files and segments, in stereo, at other rates, longer and shorter than a window."""
    lengths = {"a.wav": (1.7, 44100, 2), "b.flac": (0.05, 8000, 1), "c.ogg": (2.6, 22050, 1)}
    for name, (seconds, rate, channels) in lengths.items():
        put(data, name, noise(seconds, rate, channels, seed=len(name)), rate)
    rows = [["file", "start_s", "end_s"], ["a.wav", "0.2", "1.3"], ["a.wav", "0.5", "0.9"]]
    rows += [["b.flac", "0", "0.05"], ["c.ogg", "0.1", "2.5"], ["c.ogg", "1", "1.2"]]
    path = put_table(data, rows)
    here = data.parent
    workflow = settings(start="start_s", end="end_s")
    scan(workflow, here, here / "scan.parquet")
    inspect.inspect_shard(workflow, here / "scan.parquet", 0, here / "inspect.parquet", {})
    encoder = part.load(EXAMPLES[family](here, monkeypatch).settings)
    stored = here / "clips.parquet"
    corpus_clips.store(workflow, here / "inspect.parquet", encoder.rate, stored, {})
    part.embed(encoder, stored, here / "part.parquet", {})
    embedded = tables.read_table(here / "part.parquet")
    ids = embedded["clip_id"].to_pylist()
    segments, _ = wanted(data, table=path)
    for readout, width in encoder.widths.items():
        of = predict.predict(data, segments, AUDIO, encoder, readout, Same(width))
        named = [f"{s.file}@{s.start_s:.6f}-{s.end_s:.6f}" for s in of.segments]
        workflows = tables.embedding_matrix(embedded[readout])[[ids.index(name) for name in named]]
        assert len(named) == 5 and np.abs(of.log_p - workflows).max() < 1e-5, readout


# ---- what is written ----


def predictions(segments):
    n = len(segments)
    p = np.full((n, 2), 0.25)
    p[:, 1] = 0.75
    log_p, far = np.log(p), np.arange(n, dtype=float)
    return predict.Predictions(segments, [22050] * n, log_p, far, [])


def written(folder, segments, classes=("low\tcall", "owl")):
    of = predictions(segments)
    rows = table(of, list(classes), 1.5, "call")
    to = Outputs(folder / "new")
    write(rows, of, [], to, "call", {"probe": {"key": "k"}})
    return to


@pytest.mark.parametrize("form", ["raven", "audacity"])
def test_selections_are_read_back_as_the_same_clips(tmp_path, form):
    for name in ("day/REC.wav", "day/REC.flac", "night/other.wav"):
        put(tmp_path, name, noise(3.0, 22050), 22050)
    segments, _ = wanted(tmp_path, windows=0.7)
    to = written(tmp_path, segments)
    folder = {"raven": to.raven, "audacity": to.audacity}[form]
    for path in folder.rglob("*.txt"):  # beside the recordings, as a user opens them
        put_text(tmp_path, path.relative_to(folder).as_posix(), path.read_text())
    entry = {"format": form, "label": "call", "min_s": 0.02, "files": "[dn]*/*.txt"}
    boxes = annotated.read(entry, tmp_path)
    names = annotated.BOUNDS | {"shards": 1}
    clips = list_clips(names, tmp_path, boxes, {}, {}).to_pylist()
    back = {(c["file"], c["start_s"], c["end_s"]) for c in clips if c["reason"] is None}
    assert back == set(bounds(segments)) and len(clips) == len(segments)
    labels = {label.removesuffix(" unlike training") for label in boxes.columns["call"]}
    assert labels == {"owl" if form == "raven" else "owl 0.75"}


def test_a_selection_table_has_score_flag_and_frequencies(tmp_path):
    segments = [Segment("a b.wav", 0.0, 1.0), Segment("a b.wav", 90000.123456, 90001.5)]
    segments += [Segment("a b.wav", 90002.0, 90003.0, low_hz="500", high_hz="4000")]
    to = written(tmp_path, segments)
    text = (to.raven / "a b.wav.Table.1.selections.txt").read_text()
    lines = [line.split("\t") for line in text.splitlines()]
    assert lines[0][:7] == [
        *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)"),
        *("Low Freq (Hz)", "High Freq (Hz)"),
    ]
    assert lines[2][3:10] == [
        *("90000.123456", "90001.500000", "0.000", "11025.000", "a b.wav", "owl", "0.7500")
    ]
    assert lines[3][5:7] == ["500", "4000"]
    assert [line[-1] for line in lines[1:]] == ["no", "no", "yes"]


def test_rows_hold_bounds_probabilities_and_provenance(tmp_path):
    segments = [Segment("a.wav", 90000.123456, 90001.5, label="owl"), Segment("b.wav", 0.0, 1.0)]
    to = written(tmp_path, segments, ("cat", "owl"))
    rows = tables.read_table(to.parquet).to_pylist()
    assert rows[0] == {
        **{"file": "a.wav", "start_s": 90000.123456, "end_s": 90001.5, "predicted": "owl"},
        **{"probability": pytest.approx(0.75), "distance": 0.0, "unlike_training": False},
        **{"label: call": "owl", "p: cat": pytest.approx(0.25), "p: owl": pytest.approx(0.75)},
    }
    assert tables.read_provenance(to.parquet) == {"probe": {"key": "k"}}
    lines = to.csv.read_text().splitlines()
    assert lines[1].startswith("a.wav,90000.123456,90001.500000,owl,0.75,0,no,owl,0.25,0.75")
    assert not to.left_out.exists()


def test_times_in_samples_survive(tmp_path):
    """A window's edge read back from a label track is the same sample of a 96 kHz recording."""
    rate = 96000
    put(tmp_path, "a.wav", noise(1.0, rate), rate)
    segments, _ = wanted(tmp_path, windows=1 / 3)
    file = sf.SoundFile(tmp_path / "a.wav")
    edges = [round(s.start_s * rate) for s in segments] + [round(segments[-1].end_s * rate)]
    assert edges[-1] == file.frames and edges == [0, 32000, 64000, 96000]
    file.close()
