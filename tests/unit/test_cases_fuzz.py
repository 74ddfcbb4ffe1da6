"""One small true table, written in many ways: the same clips, or a refusal, and nothing else.

Encodings x separators x marks of decimals x units x styles of paths x marks of no value, through
`init` and the list of clips as the run makes it. Nothing is decoded.
"""

import copy
import csv
import io
import random
import unicodedata
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from corpus_data import put, tone
from stratavox.errors import StratavoxError
from stratavox.init import encoding, guess, write
from stratavox.init.from_table import of_table
from stratavox.init.look import look
from stratavox.plan import plan_of

RATE, SECONDS = 2000, 100
# names of recorders recur in folders; others have letters beyond ASCII and a blank
FILES = ["north/0430.wav", "north/0530.wav", "south/0430.wav", "south/0530.wav"]
FILES += ["east/Tümpel 1.wav", "east/Tümpel 2.wav"]
LABELS, BIRDS = ("Río", "wren", None), ("b0", "b1", "b2", "b3", None)
# (file, start in ms, end in ms, label, bird): no two clips overlap, and each file has all labels
TRUTH = [
    (FILES[k % 6], 15000 * (k // 6) + 137 * k, 15000 * (k // 6) + 137 * k + 400 + 77 * k)
    + (LABELS[k % 7 % 3], BIRDS[k % 5])
    for k in range(36)
]
MARKS = ["", "NA", "N/A", "nan", "NaN", "none", "?", "unknown", "-", "<NA>"]

PATHS = {
    "relative": lambda file: file,
    "windows": lambda file: file.replace("/", "\\"),
    "drive": lambda file: "D:\\July\\" + file.replace("/", "\\"),
    "another root": lambda file: "/home/ana/july/" + file,
    "no ending": lambda file: file.removesuffix(".wav"),
    "capitals": lambda file: file.removesuffix("wav") + "WAV",
    "percent": quote,
    "decomposed": lambda file: unicodedata.normalize("NFD", file),
    "name alone": lambda file: file.rpartition("/")[2],
}


def clock(ms: int) -> str:
    minutes, rest = divmod(ms, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


UNITS = {
    "s": ("start_s end_s duration_s", lambda ms: f"{ms / 1000:.3f}"),
    "seconds": ("Begin Time (s)|End Time (s)|Delta Time (s)", lambda ms: f"{ms / 1000:g}"),
    "no unit": ("onset offset duration", lambda ms: f"{ms / 1000:.3f}"),
    "ms": ("start_ms end_ms duration_ms", str),
    "ms, not said": ("start end duration", str),
    "min": ("start_min end_min duration_min", lambda ms: repr(ms / 60_000)),
    "samples": ("start_sample end_sample duration_samples", lambda ms: str(ms * RATE // 1000)),
    "samples, not said": ("start end duration", lambda ms: str(ms * RATE // 1000)),
    "clock": ("start end duration", clock),
}

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "mac-roman"]

WAYS = st.fixed_dictionaries(
    {
        "encoding": st.sampled_from(ENCODINGS),
        "separator": st.sampled_from(",;\t|"),
        "decimal": st.sampled_from(".,"),
        "unit": st.sampled_from(sorted(UNITS)),
        "duration": st.booleans(),
        "path": st.sampled_from(sorted(PATHS)),
        "marks": st.lists(st.sampled_from(MARKS), min_size=1, max_size=3),
        "ending": st.sampled_from([".csv", ".tsv", ".txt"]),
        "end": st.sampled_from(["\n", "\r\n"]),
        "quoted": st.sampled_from(["all", "needed", "none"]),
        "last": st.booleans(),
        "seed": st.integers(0, 99),
    }
)


def written(way: dict) -> bytes:
    """`TRUTH` as a table; ``seed`` gives the order of rows and columns."""
    names, unit = UNITS[way["unit"]]
    start, end, duration = names.split("|") if "|" in names else names.split()

    def cell(ms: int) -> str:
        return unit(ms).replace(".", way["decimal"])

    order = random.Random(way["seed"])
    marks = iter(way["marks"] * len(TRUTH))
    rows = []
    for file, begin, finish, label, bird in TRUTH:
        last = {duration: cell(finish - begin)} if way["duration"] else {end: cell(finish)}
        row = {"file": PATHS[way["path"]](file), start: cell(begin), **last}
        row |= {"call": label or next(marks), "individual": bird or next(marks)}
        rows.append(row)
    order.shuffle(rows)
    columns = list(rows[0])
    order.shuffle(columns)
    text = io.StringIO()
    extra = [""] if way["last"] else []
    lines = [columns + extra, *([*(row[name] for name in columns), *extra] for row in rows)]
    if way["quoted"] == "none":
        # as programs do that know no quotes: a comma in a number is a cell more
        text.writelines(way["separator"].join(line) + way["end"] for line in lines)
    else:
        quoting = csv.QUOTE_ALL if way["quoted"] == "all" else csv.QUOTE_MINIMAL
        form = {"delimiter": way["separator"], "lineterminator": way["end"], "quoting": quoting}
        csv.writer(text, **form).writerows(lines)
    return text.getvalue().encode(way["encoding"])


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("july")
    for k, file in enumerate(FILES):
        put(folder / "data", file, tone(100 + k, SECONDS, RATE), RATE)
    return folder


def listed(contents, plan_root: Path) -> tuple[dict[tuple, tuple], list[str]]:
    """The clips of the table in ``contents``, and what `init` says of the table.

    Each clip has its label and individual, "" where there is none.
    """
    source = of_table(contents)
    if source is None:
        raise StratavoxError("no column names the recordings")
    tasks, why = guess.tasks(source.columns)
    plan = plan_of(write.config("data", "", contents, source, tasks, why), plan_root)
    kept = [row for row in plan.scans["data"].to_pylist() if row["reason"] is None]
    cells = {row["row"]: row for row in plan.cells["data"].to_pylist()}
    clips = {
        (row["file"], row["start_s"], row["end_s"], row["channel"]): tuple(
            cells[row["row"]][name] for name in ("call", "individual")
        )
        for row in kept
    }
    return clips, source.messages


def test_however_a_table_is_written_its_clips_are_the_same_or_it_is_refused(
    recordings, monkeypatch
):
    monkeypatch.chdir(recordings)
    # the schema is read again for each plan: most of the time of this test
    load = cache(yaml.safe_load)
    monkeypatch.setattr(yaml, "safe_load", lambda text: copy.deepcopy(load(text)))
    contents = look(Path("data"))
    truth = {
        (file, begin / 1000, end / 1000, None): (label or "", bird or "")
        for file, begin, end, label, bird in TRUTH
    }
    counts = Counter()

    @hypothesis_settings(
        max_examples=500,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(way=WAYS)
    def check(way):
        name = "calls" + way["ending"]
        try:
            data = written(way)
        except UnicodeEncodeError:  # a decomposed name in cp1252
            data = written(way | {"encoding": "utf-8"})
        Path("data", name).write_bytes(data)
        encoding.needed.cache_clear()  # the path is the same
        try:
            clips, messages = listed(replace(contents, tables=[name]), Path())
        except StratavoxError:
            counts["refused"] += 1
            return
        finally:
            Path("data", name).unlink()
        # an encoding that is guessed may give another word, which is shown to be checked
        shown = " ".join(line for line in messages if "are these words right?" in line)
        words = {label for label, _ in clips.values()} - {"wren", ""}
        if shown and words != {"Río"}:
            (word,) = words
            assert word in shown, way
            clips = {k: ("Río" if call == word else call, b) for k, (call, b) in clips.items()}
        assert clips.items() <= truth.items(), way
        counts["whole" if len(clips) == len(truth) else "part"] += 1

    check()
    print(counts)
    assert counts["whole"] > 250
