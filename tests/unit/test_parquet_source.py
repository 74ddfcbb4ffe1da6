"""Parquet files of recordings, as Hugging Face's data sets write them, become clips and labels."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf

from corpus_data import tone
from stage_jobs import default_config
from stratavox.corpus import extract, inspect, manifest, shards
from stratavox.corpus.identity import sha256_of
from stratavox.corpus.label_sets import matrix
from stratavox.errors import StratavoxError
from stratavox.plan import Plan
from stratavox.settings import Settings

AUDIO = pa.struct({"bytes": pa.binary(), "path": pa.string()})
BIRDS = ["amerob", "daejun", "stejay"]
CLASSES = {"names": BIRDS, "_type": "ClassLabel"}
FEATURES = {
    "audio": {"sampling_rate": 8000, "_type": "Audio"},
    "ebird_code": CLASSES,
    "ebird_code_multilabel": {"feature": CLASSES, "_type": "Sequence"},
    "lat": {"dtype": "float64", "_type": "Value"},
}


def sound(hz: float, form: str = "FLAC", seconds: float = 0.2) -> bytes:
    data = io.BytesIO()
    sf.write(data, tone(hz, seconds, 8000), 8000, format=form)
    return data.getvalue()


def put_shard(path: Path, rows: list[dict], features: dict | None = None, **columns) -> Path:
    """A shard with recordings, one class, a set of classes, a number and a list of boxes."""
    types = {
        "audio": AUDIO,
        "ebird_code": pa.int64(),
        "ebird_code_multilabel": pa.list_(pa.int64()),
        "lat": pa.float64(),
        "detected_events": pa.list_(pa.list_(pa.float64())),
        **columns,
    }
    schema = pa.schema(types)
    stated = {"info": {"features": features or FEATURES}}
    schema = schema.with_metadata({"huggingface": json.dumps(stated)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=2)
    return path


def row(number: int, birds: list[int], **more) -> dict:
    return {
        "audio": {"bytes": sound(500 + 50 * number), "path": f"HSN_{number:03d}_000_005.ogg"},
        "ebird_code": birds[0] if birds else None,
        "ebird_code_multilabel": birds,
        "lat": 37.5,
        "detected_events": [[0.0, 1.0]],
        **more,
    }


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A subset of two splits, one of them in two files."""
    monkeypatch.chdir(tmp_path)
    put_shard(
        Path("hsn/data/test_5s-00000-of-00002.parquet"), [row(0, [0, 2]), row(1, []), row(2, [1])]
    )
    put_shard(Path("hsn/data/test_5s-00001-of-00002.parquet"), [row(3, [2])])
    put_shard(Path("hsn/data/train-00000-of-00001.parquet"), [row(4, [1]), row(5, [-1], lat=None)])
    return tmp_path


def entry(**more) -> dict:
    task = {"kind": "multilabel", "target": "ebird_code_multilabel", "separator": "json"}
    tasks = {"birds": task | {"group": None}}
    return {"source": "parquet", "path": "hsn", "shards": 2, "tasks": tasks} | more


def plan(**more) -> Plan:
    changed = default_config() | {"probes": {}}
    changed["datasets"] = {"hsn": entry(**more)}
    changed["run"] = {"datasets": ["hsn"], "encoders": ["logmel"]}
    changed["encoders"] = {"logmel": changed["encoders"]["logmel"]}
    return Plan(changed, Path())


def made(plan: Plan):
    """Clips, labels and hygiene, as the rules make them."""
    corpus = Path("results/corpus/hsn")
    of = Settings(plan)
    settings = of.extraction("hsn") | of.parquet_files("hsn")
    extract.extract(settings, corpus / "raw", corpus / "scan.parquet", Path())
    wanted = plan.corpus_settings("hsn")
    parts = [corpus / f"part-{shard}.parquet" for shard in range(2)]
    for number, part in enumerate(parts):
        settings = of.audio("hsn") | of.folder("hsn")
        inspect.inspect_shard(settings, corpus / "scan.parquet", number, part, {})
    return manifest.make(wanted, corpus / "scan.parquet", parts, Path())


def test_a_downloaded_subset_runs_by_its_path(here):
    run = plan()
    clips, labels, hygiene = made(run)
    assert clips["clip_id"].to_pylist() == [
        *(f"test_5s/HSN_{n:03d}_000_005.flac" for n in range(4)),
        *(f"train/HSN_{n:03d}_000_005.flac" for n in (4, 5)),
    ]
    assert labels["ebird_code"].to_pylist() == ["amerob", "", "daejun", "stejay", "daejun", ""]
    assert labels["split"].to_pylist() == ["test_5s"] * 4 + ["train"] * 2
    assert labels["lat"].to_pylist() == ["37.5"] * 5 + [""]
    assert "detected_events" not in labels.column_names
    assert (run.clip_count("hsn"), hygiene["clips"], hygiene["rejected"]) == (6, 6, [])
    sets = matrix(labels, run.datasets["hsn"]["tasks"]["birds"])
    assert sets.classes == tuple(BIRDS)
    assert sets.present.sum(axis=1).tolist() == [2, 0, 1, 1, 1, 0]
    # the class -1 of a row is Hugging Face's mark of no label
    assert sets.known.all()


def test_the_samples_are_those_of_the_bytes(here):
    made(plan())
    stored, rate = sf.read("results/corpus/hsn/raw/test_5s/HSN_002_000_005.flac")
    original, _ = sf.read(io.BytesIO(sound(600)))
    assert rate == 8000 and np.array_equal(stored, original)


def test_one_split_alone(here):
    clips, labels, _ = made(plan(splits=["test_5s"]))
    assert len(clips) == 4 and set(labels["split"].to_pylist()) == {"test_5s"}
    with pytest.raises(StratavoxError, match="no file of the split 'dev'.*test_5s, train"):
        plan(splits=["dev"])


def test_fields_of_the_names_are_columns(here):
    _, labels, _ = made(plan(name="{place}_{site}_{begin}_{end}"))
    assert labels["site"].to_pylist() == [f"{number:03d}" for number in range(6)]


def test_what_decides_that_files_are_read_again(here):
    before = Settings(plan()).extraction("hsn")
    file = Path("hsn/data/train-00000-of-00001.parquet")
    file.touch()
    assert Settings(plan()).extraction("hsn") == before
    put_shard(file, [row(4, [2])])
    assert Settings(plan()).extraction("hsn") != before
    one_split = Settings(plan(splits=["test_5s"])).extraction("hsn")
    assert one_split["sha256"].keys() == {
        "data/test_5s-00000-of-00002.parquet",
        "data/test_5s-00001-of-00002.parquet",
    }


def test_unchanged_files_are_hashed_once(here, monkeypatch):
    plan()
    monkeypatch.setattr("stratavox.corpus.files.sha256_of", None)
    plan()


def test_a_file_that_changes_meanwhile_is_refused(here):
    run = plan()
    put_shard(Path("hsn/data/train-00000-of-00001.parquet"), [row(4, [2])])
    with pytest.raises(StratavoxError, match="changed since it was scanned"):
        made(run)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("data/train-00000-of-00002.parquet", "train"),
        ("test_5s-00001-of-00002-0123456789abcdef.parquet", "test_5s"),
        ("HSN/partial-train/0000.parquet", "train"),
        ("validation.parquet", "validation"),
        ("esc50.parquet", ""),
    ],
)
def test_the_split_is_in_the_name_of_a_file(name, split):
    assert shards.split_of(name) == split


def test_files_that_are_not_there_are_known_by_the_others_names():
    names = ["a/train-00000-of-00003.parquet", "a/test-00000-of-00001.parquet"]
    assert shards.lacking(names) == [f"a/train-0000{n}-of-00003.parquet" for n in (1, 2)]


def test_names_that_lead_elsewhere_or_occur_twice(here):
    bytes_ = {"bytes": sound(700, "WAV")}
    rows = [
        row(0, [0], audio=bytes_ | {"path": "../../escape.wav"}),
        row(1, [0], audio=bytes_ | {"path": "C:\\x\\escape.wav"}),
        row(2, [0], audio=bytes_ | {"path": None}),
    ]
    put_shard(Path("odd/some.parquet"), rows)
    clips, _, _ = made(plan(path="odd/some.parquet"))
    assert clips["clip_id"].to_pylist() == [
        *("clips/escape.wav", "clips/escape_some_1.wav", "clips/some_2.wav")
    ]
    assert not Path("escape.wav").exists()


def test_columns_with_names_of_the_workflows_tables_are_renamed(here):
    rows = [row(0, [0], file="x.ogg")]
    put_shard(Path("odd/some.parquet"), rows, file=pa.string())
    _, labels, _ = made(plan(path="odd"))
    assert labels["file_"].to_pylist() == ["x.ogg"]


def test_rows_without_a_recording_are_listed(here):
    rows = [row(0, [0]), row(1, [1], audio={"bytes": None, "path": "a.wav"})]
    put_shard(Path("odd/some.parquet"), rows)
    _, _, hygiene = made(plan(path="odd", max_bad=0.5))
    assert [(bad["row"], bad["reason"]) for bad in hygiene["rejected"]] == [(3, "missing file")]
    put_shard(Path("odd/some.parquet"), rows[1:])
    with pytest.raises(StratavoxError, match="no row holds a recording: column 'audio' has paths"):
        made(plan(path="odd"))


def refusal(**more) -> str:
    with pytest.raises(StratavoxError) as error:
        plan(**more)
    return str(error.value)


def test_what_cannot_be_read_is_refused(here):
    assert "no such file or folder" in refusal(path="hsm")
    Path("empty").mkdir()
    assert "no .parquet file below it" in refusal(path="empty")
    Path("empty/a.parquet").write_bytes(b"PAR1")
    assert "not a whole Parquet file" in refusal(path="empty")
    pq.write_table(pa.table({"label": ["a"]}), "empty/a.parquet")
    assert "no column holds recordings" in refusal(path="empty")
    put_shard(Path("several/a.parquet"), [row(0, [0])], second=AUDIO)
    assert "the columns audio, second hold recordings" in refusal(path="several")
    put_shard(Path("several/b.parquet"), [row(0, [0])])
    assert "b.parquet: there is no column 'second'" in refusal(path="several", file="audio")
    tasks = {"birds": {"target": "bird", "group": None}}
    assert "tasks.birds.target: no column 'bird'" in refusal(tasks=tasks)
    birds = {"birds": {"kind": "multilabel", "target": "label", "group": None}}
    message = refusal(windows={"length_s": 5}, tasks=birds)
    assert "one column must hold the boxes" in message and "such columns: none" in message


def test_a_class_without_a_name_is_refused(here):
    put_shard(Path("odd/some.parquet"), [row(0, [7])])
    with pytest.raises(StratavoxError, match="found the class 7, but there are 3 names"):
        made(plan(path="odd"))


def test_memory_does_not_grow_with_the_files(tmp_path):
    """Peak memory of two extractions, of 20 and of 120 MB."""
    peaks = []
    for count in (20, 120):
        folder = tmp_path / str(count)
        folder.mkdir()
        schema = pa.schema({"audio": AUDIO, "label": pa.string()})
        file = folder / "train-00000-of-00001.parquet"
        with pq.ParquetWriter(file, schema, compression="none", use_dictionary=False) as writer:
            for number in range(0, count, 10):
                rows = [
                    {"audio": {"bytes": bytes([n]) * 1_000_000, "path": f"{n}.wav"}, "label": "a"}
                    for n in range(number, number + 10)
                ]
                writer.write_table(pa.Table.from_pylist(rows, schema))
        settings = {"path": str(file), "sha256": {file.name: sha256_of(file)}, "shards": 1}
        code = (
            "import json, resource, sys; from pathlib import Path; "
            "from stratavox.corpus.extract import extract; "
            "extract(json.loads(sys.argv[1]), Path('raw'), Path('scan.parquet'), Path()); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps(settings)],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] < peaks[0] + 40, peaks
