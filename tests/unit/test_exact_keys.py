"""A key covers only the corpus code that a job runs: closures of stages, readers loaded by name."""

import importlib
import pkgutil

import pytest
import yaml

from stratavox import fingerprint
from stratavox.config import SCHEMA
from stratavox.corpus import labels
from stratavox.corpus.annotations import formats
from stratavox.probe import kinds

FORMATS = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
CLIPS = {"identity", "tables", "audio", "sound", "from_start", "containers", "expansion", "ffmpeg"}
TEXT = {"user_table", "text_table"}
LABELS = {"identity", "tables", "labels", "join", "values"} | TEXT
LISTING = {"identity", "tables", "listing", "reasons", "files"} | TEXT
LISTING |= {"recorder", "containers", "expansion", "named_times"}


def closure(*modules: str) -> set[str]:
    """Last names of the modules that a key of these modules covers, without packages."""
    reached = fingerprint.closure(tuple(f"stratavox.{module}" for module in modules))
    paths = {module: fingerprint._path(module) for module in reached}
    return {m.rpartition(".")[2] for m, path in paths.items() if path.name != "__init__.py"}


@pytest.mark.parametrize(
    ("stage", "others"),
    [
        ("corpus.inspect", CLIPS),
        ("corpus.clips", CLIPS),
        ("corpus.acoustics", {"audio", "tables", "targets", "descriptors", "voice"}),
        ("corpus.generate", LISTING | {"chorus", "soundscapes", "synthesis"}),
        ("corpus.arrange", LISTING | {"layout", "unpack"}),
        ("corpus.manifest", LABELS | {"reasons", "headers", "lost"}),
        (
            "probe.folds",
            LABELS
            | {
                "alike",
                "kinds",
                "sampling",
                "splits",
                "limits",
                "linked",
                "official",
                "transfer",
                "regimes",
            },
        ),
        ("probe.confounds", LABELS),
    ],
)
def test_a_key_covers_what_the_stage_runs_for_every_dataset(stage, others):
    assert closure(stage) == others | {stage.rpartition(".")[2]}


def test_a_task_of_another_kind_has_its_own_modules_alone():
    kind = kinds.KINDS["regression"]
    own = closure("probe.linear", kind.folds, kind.probe, kind.inference)
    assert {"numbers", "regression", "ridge"} <= own
    assert own.isdisjoint({"crossvalidate", "classes"})


def test_a_dataset_with_a_table_alone_needs_no_further_reader():
    assert labels.reader_code({"path": "data", "table": "metadata.csv", "file": "file"}) == []


def test_tables_that_are_no_text_bring_their_readers_alone():
    entry = {"table": "a.parquet", "join": {"table": "b.jsonl", "by": "bird"}}
    readers = labels.reader_code(entry)
    assert readers == ["corpus.table_formats.parquet", "corpus.table_formats.jsonl"]
    assert labels.reader_code({"table": "a.tsv", "join": {"table": "b.csv", "by": "bird"}}) == []


@pytest.mark.parametrize("form", FORMATS)
def test_a_dataset_with_annotations_needs_the_reader_of_its_format_alone(form):
    modules = labels.reader_code({"annotations": {"format": form}})
    own = {"table", "box", "recordings", "match", "walk", "reasons", "ffmpeg", form} | TEXT
    own |= {"bounds", "time_names"} if form == "csv" else set()
    assert closure(*modules) == own


def test_the_formats_are_those_that_the_schema_allows():

    annotations = yaml.safe_load(SCHEMA.read_text())["$defs"]["annotations"]["properties"]
    assert sorted(annotations["format"]["enum"]) == FORMATS
    for form in FORMATS:
        reader = importlib.import_module(f"{formats.__name__}.{form}")
        assert callable(reader.boxes) and reader.PATTERN.startswith("**/*.")


def test_an_unknown_module_is_refused():
    with pytest.raises(fingerprint.StratavoxError, match=r"no_such: no such module"):
        fingerprint.closure(("stratavox.corpus.annotations.formats.no_such",))


@pytest.mark.parametrize("layout", ["giant_otter", "zebra_finch"])
def test_a_layout_of_an_archive_brings_itself_alone(layout):
    assert closure("corpus.arrange", f"corpus.{layout}") - closure("corpus.arrange") == {layout}
