"""People's real tables: bounds in many units and forms, and times in names, read right or refused.

Each table is of recordings with tones at known places; what is asserted is which samples are read.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as options
from hypothesis import strategies as st

from annotation_files import annotated, put_raven
from corpus_data import put, put_table, settings, to_manifest
from stratavox import tables
from stratavox.corpus import bounds, labels, sound
from stratavox.corpus.scan import scan
from stratavox.errors import StratavoxError
from stratavox.init import bounds as chosen_bounds
from stratavox.init.command import start as init
from stratavox.plan import plan_of
from stratavox.settings import Settings

RATE, LENGTH = 4000, 6.0


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The user's working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recording(place, seconds=LENGTH, rate=RATE):
    """Noise of its own."""
    samples = 0.1 * np.random.default_rng(place).standard_normal(round(seconds * rate))
    return samples.astype("f4")


def calls(folder, header, rows, seconds=LENGTH, rate=RATE, name="calls.csv"):
    """A table of `rows` (file, cells), with two labels and six birds, and its recordings.

    Labels and birds are added to each row.
    """
    for place, file in enumerate(dict.fromkeys(row[0] for row in rows)):
        put(folder, file, recording(place, seconds, rate), rate)
    marked = [[*row, f"call {k % 2}", f"bird {k // 2 % 6}"] for k, row in enumerate(rows)]
    put_table(folder, [["file", *header, "call", "bird"], *marked], name)


def one_a_file(*cells):
    """24 rows, each of a recording of its own; a function of the row's number makes a cell."""
    return [[f"r{k:02d}.wav", *(cell(k) for cell in cells)] for k in range(24)]


def begun(capsys, folder="data"):
    """The dataset's entry that init writes, and what it prints."""
    init(Path(folder), None, True)
    config = yaml.safe_load(Path(f"{folder}.yaml").read_text(encoding="utf-8"))
    return config["datasets"][folder], capsys.readouterr().out


def read_clips(entry, root):
    """The clips of a run of a dataset's entry, with their bounds as samples of their file."""
    keys = ("file", "start", "end", "duration", "units")
    clips, _, hygiene = to_manifest(
        root, settings(table=entry["table"], **{k: entry[k] for k in keys if k in entry})
    )
    rows = {}
    for clip in clips.to_pylist():
        first = round((clip["start_s"] or 0) * clip["sample_rate"])
        rows.setdefault(clip["file"], []).append(
            (first, first + round(clip["duration_s"] * clip["sample_rate"]))
        )
    return rows, hygiene


# ---- one truth, many ways to write it ----

# start and end of call k, in s; multiples of 1/8 s are whole in ms and in samples
START, END = (lambda k: 1 + k % 5 * 0.125), (lambda k: 3 + k % 3 * 0.25)
TRUTH = {f"r{k:02d}.wav": [(round(START(k) * RATE), round(END(k) * RATE))] for k in range(24)}


def clock(seconds, hours=True, mark="."):
    whole, rest = divmod(round(seconds * 1000), 1000)
    minutes, whole = divmod(whole, 60)
    text = f"{minutes:02d}:{whole:02d}{mark}{rest:03d}"
    return f"00:{text}" if hours else text


def scaled(factor):
    return lambda seconds: f"{seconds * factor:g}"


WAYS = {
    "seconds": ("start", "end", "s", scaled(1)),
    "ms by name": ("start_ms", "end_ms", "ms", scaled(1000)),
    "ms in brackets": ("Onset (ms)", "Offset (ms)", "ms", scaled(1000)),
    "ms by values": ("start", "end", "ms", scaled(1000)),
    "microseconds": ("start_us", "stop_us", "us", lambda s: str(round(s * 1e6))),
    "minutes": ("begin_min", "end_min", "min", lambda s: f"{s / 60:.9f}"),
    "samples by name": ("start_sample", "end_sample", "samples", scaled(RATE)),
    "samples by values": ("onset", "offset", "samples", scaled(RATE)),
    "hh:mm:ss": ("Begin time", "End time", "hh:mm:ss", clock),
    "mm:ss": ("start", "end", "hh:mm:ss", lambda s: clock(s, hours=False)),
    "decimal comma": ("start", "end", "hh:mm:ss", lambda s: clock(s, mark=",")),
    "one word": ("Starttime", "Endtime", "s", scaled(1)),
    "camel case": ("startTimeMs", "endTimeMs", "ms", scaled(1000)),
    "scikit-maad": ("min_t", "max_t", "s", scaled(1)),
}


@pytest.mark.parametrize(
    ("way", "as_duration"),
    [
        *((way, False) for way in WAYS),
        *((way, True) for way in ("seconds", "ms by name", "hh:mm:ss")),
    ],
)
def test_bounds_in_any_unit_are_the_same_samples(here, capsys, way, as_duration):
    start, end, unit, write = WAYS[way]
    last = END
    if as_duration:
        end = end.replace("end", "duration").replace("End", "Duration")
        last = lambda k: END(k) - START(k)  # noqa: E731
    rows = one_a_file(lambda k: write(START(k)), lambda k: write(last(k)))
    calls(here / "data", [start, end], rows)
    entry, printed = begun(capsys)
    assert (entry["start"], entry["duration" if as_duration else "end"]) == (start, end)
    assert entry.get("units", "s") == unit
    called = {"s": "in seconds", "ms": "in milliseconds", "hh:mm:ss": "in hh:mm:ss"}
    assert called.get(unit, "bound the clips, in") in printed
    assert ("look: in seconds they would not lie" in printed) == ("by values" in way)
    assert read_clips(entry, here)[0] == TRUTH
    # and the plan of the run takes the same config
    plan = plan_of(Path("data.yaml").read_text(encoding="utf-8"), here)
    assert plan.clip_count("data") == 24


def test_start_and_duration_may_have_two_units(here, capsys):
    rows = one_a_file(START, lambda k: f"{(END(k) - START(k)) * 1000:g}")
    calls(here / "data", ["start_s", "duration_ms"], rows)
    entry, printed = begun(capsys)
    assert entry["units"] == {"start": "s", "duration": "ms"}
    assert "end = start + duration" in printed
    assert read_clips(entry, here)[0] == TRUTH


def test_kaleidoscopes_offset_is_a_start(here, capsys):
    rows = one_a_file(START, lambda k: END(k) - START(k))
    calls(here / "data", ["OFFSET", "DURATION"], rows)
    entry, _ = begun(capsys)
    assert (entry["start"], entry["duration"]) == ("OFFSET", "DURATION")
    assert read_clips(entry, here)[0] == TRUTH


# ---- what is no bound ----


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("start_freq_khz", "end_freq_khz"), "are frequencies by their names"),
        (("begin hz", "end hz"), "are frequencies by their names"),
        (("StartFreq", "EndFreq"), "are frequencies by their names"),
        (("start_frame", "end_frame"), "look: 'start_frame' and 'end_frame' count frames"),
    ],
)
def test_frequencies_and_frames_bound_nothing(here, capsys, names, message):
    rows = one_a_file(lambda k: 2 + k % 5 / 10, lambda k: 4 + k % 5 / 10)
    calls(here / "data", list(names), rows)
    entry, printed = begun(capsys)
    assert not {"start", "end", "units"} & entry.keys()
    assert message in printed
    assert read_clips(entry, here)[0] == {row[0]: [(0, round(LENGTH * RATE))] for row in rows}
    # nor are they where a person writes them into the config
    with pytest.raises(StratavoxError, match=r"column '.*' \(config key 'start'\)"):
        read_clips(entry | {"start": names[0], "end": names[1]}, here)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("recording_end", lambda k: LENGTH),
        ("File length (s)", lambda k: LENGTH),
        ("end", lambda k: LENGTH),
        ("total_duration", lambda k: LENGTH),
    ],
)
def test_the_end_of_a_recording_is_not_the_end_of_a_call(here, capsys, name, cell):
    calls(here / "data", ["start", name], one_a_file(START, cell))
    entry, printed = begun(capsys)
    assert "start" not in entry
    assert "  look: " in printed and "'start'" in printed


def test_the_end_of_a_recording_beside_a_duration(here, capsys):
    rows = one_a_file(START, lambda k: LENGTH, lambda k: END(k) - START(k))
    calls(here / "data", ["start", "end", "duration"], rows)
    entry, _ = begun(capsys)
    assert (entry["start"], entry["duration"]) == ("start", "duration")
    assert read_clips(entry, here)[0] == TRUTH


@pytest.mark.parametrize("name", ["start_time", "time", "onset_s", "Timestamp"])
def test_a_time_without_an_end_is_named(here, capsys, name):
    calls(here / "data", [name], one_a_file(START))
    entry, printed = begun(capsys)
    assert "start" not in entry
    assert f"look: '{name}' is not used, though named as times" in printed
    assert "each clip is a whole file" in printed


def test_a_length_that_is_the_files_needs_no_look(here, capsys):
    rows = one_a_file(lambda k: LENGTH, lambda k: "0:06", lambda k: 3.5)
    calls(here / "data", ["duration_s", "length", "wing_length"], rows)
    entry, printed = begun(capsys)
    assert "start" not in entry and "look" not in printed


def test_clips_that_were_cut_out_keep_whole_files(here, capsys):
    rows = one_a_file(lambda k: 30 + k, lambda k: 30 + k + LENGTH)
    calls(here / "data", ["start", "end"], rows)
    entry, printed = begun(capsys)
    assert "start" not in entry
    assert "look: columns 'start' and 'end' are not used as bounds: 24 of 24 clips" in printed


def test_minutes_that_pass_for_seconds_are_doubted(here, capsys):
    rows = one_a_file(lambda k: 0.3 + k % 5 / 10, lambda k: 0.35 + k % 5 / 10)
    calls(here / "data", ["start", "end"], rows, seconds=60)
    _, printed = begun(capsys)
    assert "look: all clips lie in the first 1.2% of their files" in printed


def looked_at(**columns):
    """What is chosen from columns of 24 rows in recordings of 20 s, without files."""
    cells = {name: [str(cell(k)) for k in range(24)] for name, cell in columns.items()}
    files = [f"r{k}.wav" for k in range(24)]
    header = SimpleNamespace(samplerate=16000, duration=20.0)
    return chosen_bounds.choose(chosen_bounds.Rows(cells, files, [header] * 24))


@pytest.mark.parametrize(
    ("columns", "entry"),
    [
        # ELAN's three forms of one time
        (
            {
                "Begin Time - hh:mm:ss.ms": lambda k: f"00:00:0{k % 5}.250",
                "Begin Time - ss.msec": lambda k: k % 5 + 0.25,
                "End Time - hh:mm:ss.ms": lambda k: f"00:00:0{k % 5 + 2}.250",
                "End Time - ss.msec": lambda k: k % 5 + 2.25,
            },
            {
                "start": "Begin Time - hh:mm:ss.ms",
                "end": "End Time - hh:mm:ss.ms",
                "units": "hh:mm:ss",
            },
        ),
        # Raven counts from the first of several files; the offset is in the own file
        (
            {
                "Begin Time (s)": lambda k: k * 20 + 3.0,
                "End Time (s)": lambda k: k * 20 + 4.0,
                "File Offset (s)": lambda k: 3.0,
                "Delta Time (s)": lambda k: 1.0,
            },
            {"start": "File Offset (s)", "duration": "Delta Time (s)"},
        ),
        # rounded to whole seconds, past a file of 20 s by less than one
        (
            {"start": lambda k: f"0:0{k % 5}", "end": lambda k: f"0:2{k % 2}"},
            {"start": "start", "end": "end", "units": "hh:mm:ss"},
        ),
        (
            {"start": lambda k: f"0:0{k % 5}", "duration": lambda k: 1.5},
            {
                **{"start": "start", "duration": "duration"},
                "units": {"start": "hh:mm:ss", "duration": "s"},
            },
        ),
        # no time in a recording
        (
            {
                "start": lambda k: f"2021-05-10 18:00:0{k % 9}",
                "end": lambda k: f"2021-05-10 18:00:1{k % 9}",
            },
            {},
        ),
        ({"from": lambda k: k % 5 + 1, "to": lambda k: k * 3 % 5 + 1}, {}),
    ],
)
def test_columns_of_programs(columns, entry):
    chosen = looked_at(**columns)
    assert chosen.entry == entry
    assert entry or any("look: " in message for message in chosen.messages)


def test_recordings_whose_headers_were_not_read_hide_no_bounds():
    cells = {"start_sample": ["100"] * 24, "end_sample": ["4000"] * 24}
    files = [f"r{k}.wav" for k in range(24)]
    headers = [SimpleNamespace(samplerate=16000, duration=20.0), *[None] * 23]
    chosen = chosen_bounds.choose(chosen_bounds.Rows(cells, files, headers))
    assert chosen.entry == {"start": "start_sample", "end": "end_sample", "units": "samples"}


def test_a_unit_that_the_name_denies_is_suggested_and_not_taken():
    chosen = looked_at(start_s=lambda k: 1000 * (k % 5 + 1), end_s=lambda k: 1000 * (k % 5 + 2))
    assert chosen.entry == {}
    assert "in ms they would lie in their files" in chosen.messages[0]


# ---- the run, with a config of a person's own ----


def by_hand(folder, header, rows, **entry):
    calls(folder / "data", header, rows)
    return {"table": "calls.csv", "file": "file"} | entry


def test_a_unit_in_a_name_must_be_in_the_config(here):
    rows = one_a_file(lambda k: START(k) * 1000, lambda k: END(k) * 1000)
    entry = by_hand(here, ["start_ms", "end_ms"], rows, start="start_ms", end="end_ms")
    with pytest.raises(StratavoxError, match=r"'start_ms'.*has the unit ms .*write units: ms, or"):
        read_clips(entry, here)
    assert read_clips(entry | {"units": "ms"}, here)[0] == TRUTH


@pytest.mark.parametrize(("unit", "factor"), [("ms", 1000), ("samples", RATE)])
def test_clips_that_mostly_lie_after_their_recordings_stop_the_run(here, unit, factor):
    rows = one_a_file(lambda k: int(START(k) * factor), lambda k: int(END(k) * factor))
    entry = by_hand(here, ["start", "end"], rows, start="start", end="end")
    with pytest.raises(StratavoxError) as refusal:
        read_clips(entry, here)
    message = str(refusal.value)
    assert "data/calls.csv: 24 of 24 clips go on after the ends of their recordings" in message
    assert "row 2" in message and "which lasts 6 s" in message
    assert f"Read as {unit} they lie in them: if that is their unit, write units: {unit}" in message


def test_times_of_day_stop_the_run(here):
    rows = one_a_file(lambda k: f"18:00:0{k % 5}", lambda k: f"18:00:0{k % 5 + 2}")
    entry = by_hand(here, ["start", "end"], rows, start="start", end="end", units="hh:mm:ss")
    with pytest.raises(StratavoxError, match=r"24 of 24 clips go on after .* Times of day"):
        read_clips(entry, here)


def test_clock_times_without_the_unit_are_refused_with_what_to_write(here):
    rows = one_a_file(lambda k: clock(START(k)), lambda k: clock(END(k)))
    entry = by_hand(here, ["start", "end"], rows, start="start", end="end")
    wanted = settings(table="calls.csv", **{k: entry[k] for k in ("start", "end")})
    reasons = scan(wanted, here, here / "scan.parquet")["reason"].to_pylist()
    assert reasons[0] == (
        "start '00:00:01.000' is not a number of seconds; for clock times write units: hh:mm:ss"
    )


@pytest.mark.parametrize("cell", ["00:61", "1:60:00", "00:00:03:12", "3 s", "", "noon", "-0:03"])
def test_what_is_no_time_is_a_reason(cell):
    with pytest.raises(ValueError, match=r"start '.*' is not a "):
        bounds.to_seconds("start", cell, "hh:mm:ss")


@given(st.integers(0, 10**8), st.booleans(), st.sampled_from(".,"))
def test_clock_times_are_read_as_they_are_written(ms, hours, mark):
    seconds, rest = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    text = f"{seconds:02d}{mark}{rest:03d}"
    text = f"{minutes // 60}:{minutes % 60:02d}:{text}" if hours else f"{minutes % 60}:{text}"
    read = bounds.to_seconds("start", text, "hh:mm:ss")
    assert round(read * 1000) == (ms if hours else ms % 3_600_000)


@given(st.integers(1, 10**7), st.integers(1, 10**6), st.sampled_from([8000, 44100, 250_000]))
@options(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_of_samples_are_kept_to_the_sample(first, count, rate):
    of_clip = bounds.Bounds("a", "b", True, ("samples", "samples"))
    start, end = of_clip.seconds(str(first), str(count), lambda: rate)
    assert (round(start * rate), round(end * rate)) == (first, first + count)


@pytest.mark.parametrize("unit", ["s", "ms", "samples", "hh:mm:ss"])
def test_annotation_tables_have_the_same_units(here, unit):
    factor = {"s": 1, "ms": 1000, "samples": RATE}
    write = clock if unit == "hh:mm:ss" else scaled(factor[unit])
    for k in range(4):
        put(here / "data", f"r{k:02d}.wav", recording(k), RATE)
        cells = [write(START(k)), write(END(k) - START(k)), "song"]
        put_table(here / "data", [["onset", "dur", "Species"], cells], f"r{k:02d}.csv")
    keys = {"start": "onset", "duration": "dur", "units": unit}
    wanted = annotated("csv", **keys)
    clips, _, _ = to_manifest(here, wanted)
    spans = {
        row["file"]: [(round(row["start_s"] * RATE), round(row["end_s"] * RATE))]
        for row in clips.to_pylist()
    }
    assert spans == {f"r{k:02d}.wav": TRUTH[f"r{k:02d}.wav"] for k in range(4)}


# ---- windows that a program pads ----


def windows(folder, seconds=7.2, window=3):
    rows = [
        [f"s{k}.wav", float(begin), float(begin + window)]
        for k in range(12)
        for begin in np.arange(0, seconds, window)
    ]
    calls(folder / "data", ["Start (s)", "End (s)"], rows, seconds=seconds)
    return rows


def test_a_padded_window_ends_with_its_file(here, capsys):
    windows(here)
    entry, printed = begun(capsys)
    assert (entry["start"], entry["end"]) == ("Start (s)", "End (s)")
    assert "look: 12 clips go on after the end of their file" in printed
    spans, hygiene = read_clips(entry, here)
    last = (6 * RATE, round(7.2 * RATE))
    assert spans["s0.wav"] == [(0, 3 * RATE), (3 * RATE, 6 * RATE), last]
    assert len(hygiene["cut_at_file_end"]) == 12 and hygiene["rejected"] == []
    assert hygiene["cut_at_file_end"][0] == {
        **{"clip_id": "s0.wav@6.000000-9.000000", "end_s": 9.0, "file_end_s": 7.2}
    }
    samples = sound.read(here / "data/s0.wav", 6, 9).samples[:, 0]
    assert np.array_equal(samples, sf.read(here / "data/s0.wav", dtype="f4")[0][last[0] :])


def test_a_window_that_begins_after_the_end_is_rejected(here, capsys):
    rows = [*windows(here), ["s0.wav", 7.2, 10.2]]
    calls(here / "data", ["Start (s)", "End (s)"], rows, seconds=7.2)
    entry, _ = begun(capsys)
    _, hygiene = read_clips(entry, here)
    (lost,) = hygiene["rejected"]
    assert lost["reason"] == "starts at 7.200000 s, past the file's end at 7.200000 s"


# ---- boxes that are all too short ----


def bats(folder, short=("Pipistrellus",)):
    for k in range(4):
        put(folder / "data", f"BAT{k}.wav", recording(k, 4, 16000), 16000)
        boxes = []
        for n in range(12):
            species = ("Pipistrellus", "Rhinolophus", "Tadarida")[n % 3]
            length = 0.008 if species in short else 0.04
            boxes.append((n * 0.3, round(n * 0.3 + length, 6), species))
        put_raven(folder / "data", f"BAT{k}.Table.1.selections.txt", boxes)


def test_a_class_that_min_s_wipes_out_is_named(here, capsys):
    bats(here)
    _, printed = begun(capsys)
    why = "no clip is left: 16 are shorter than annotations.min_s (0.02 s); lower it"
    assert f"look: left out: 'Pipistrellus': 0 clips, {why}" in printed
    # what the run writes into Species.json comes from the same settings
    plan = plan_of(Path("data.yaml").read_text(encoding="utf-8"), here)
    too_short = Settings(plan).folds("data", "Species")["too_short"]
    assert too_short == {"min_s": 0.02, "clips": {"Pipistrellus": 16}}


def test_with_one_class_left_the_message_counts_those_that_min_s_took(here, capsys):
    bats(here, short=("Pipistrellus", "Tadarida"))
    with pytest.raises(StratavoxError, match=r"1 of 3 classes .* 'Tadarida': no clip is left: 16"):
        begun(capsys)


def test_where_all_are_too_short_the_run_says_so(here):
    bats(here, short=("Pipistrellus", "Rhinolophus", "Tadarida"))
    with pytest.raises(StratavoxError, match=r"48 of 48 rows cannot be used .*\n.*min_s.* 0\.008"):
        to_manifest(here, annotated())


# ---- times in names ----


def test_recorders_that_write_utc_give_the_day(here):
    for day in ("10", "11"):
        name = f"SWIFT01_202105{day}_230000Z"
        put(here / "data", f"{name}.wav")
        put_raven(here / "data", f"{name}.Table.1.selections.txt", [(0.1, 0.3, "amro")])
    wanted = annotated()
    scanned = scan(wanted, here, here / "scan.parquet")
    with_days = labels.with_recorders(labels.label_columns(wanted, here), scanned)
    assert with_days["recorded_on"].to_pylist() == ["2021-05-10", "2021-05-11"]
    assert with_days["recorded_at"].to_pylist()[0] == "2021-05-10T23:00:00+00:00"
    assert tables.read_table(here / "scan.parquet")["recorded_at"].null_count == 0


def test_times_with_words_in_their_cells_are_named():
    chosen = looked_at(begin=lambda k: f"{k}.5 Uhr", end=lambda k: f"{k + 1} Uhr")
    assert chosen.entry == {}
    line = "look: 'begin' is not used, though named as times: its cells, such as '0.5 Uhr', are"
    assert any(line in message for message in chosen.messages)
