"""Pictures and sounds of clips for the report: what they hold, which clips have them, the page."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile as sf
from matplotlib.image import imread

import stage_jobs
from clip_data import RATE, noise, put_clips
from stratavox import tables
from stratavox.report import listen, player
from stratavox.report.templating import TEMPLATES
from stratavox.sampling import seeded_order

CHROMIUM = Path("/usr/bin/chromium")
STRANGE = "a b/../</script><b>'\"$(x)`é 日本%2F?#.wav"


def tone(hertz: float, seconds: float, level: float = 0.3) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def store(
    root: Path,
    waves: dict[str, np.ndarray],
    targets: dict[str, tuple] | None = None,
    recorded: int = 44100,
) -> dict[str, dict]:
    """Run the stage on ``waves``, half of them in a second part; clip_id -> row of its table.

    ``recorded`` is the sample rate of the recordings in Hz.

    ``targets`` maps a clip_id to class and group of the task call.
    """
    ids = sorted(waves)
    halves = [ids[: len(ids) // 2], ids[len(ids) // 2 :]]
    parts = [
        put_clips(root / f"part-{n:03d}.parquet", {name: waves[name] for name in half})
        for n, half in enumerate(halves)
    ]
    rows = [
        {"clip_id": name, "target": target, "group": group}
        for name, (target, group) in (targets or {}).items()
        for _ in range(2)  # one for each regime
    ]
    schema = pa.schema([(name, pa.string()) for name in ("clip_id", "target", "group")])
    tables.write_table(pa.Table.from_pylist(rows, schema), root / "call.parquet", {})
    known = pa.table({"clip_id": ids, "sample_rate": pa.array([recorded] * len(ids), pa.int32())})
    tables.write_table(known, root / "inspect.parquet", {})
    folder = root / "report/clips"
    inputs = {
        "clips": parts,
        "inspect": [root / "inspect.parquet"],
        "folds": [root / "call.parquet"],
    }
    listen.run(
        stage_jobs.job(
            inputs,
            {"files": folder / "zoo", "table": folder / "zoo.parquet"},
            {"max_clips": 1000, "seed": 0, "groups": {"call": "bird"}},
            provenance={"key": "k"},
        )
    )
    listed = tables.read_table(folder / "zoo.parquet")
    assert listed.schema.equals(listen.SCHEMA)
    return {row["clip_id"]: row for row in listed.to_pylist()}


def picture(root: Path, row: dict) -> np.ndarray:
    """Brightness (height, width) of a clip's picture."""
    return imread(root / f"report/clips/zoo/{row['stem']}.webp")[..., :3].astype(float).sum(axis=2)


def sound(root: Path, row: dict) -> tuple[np.ndarray, int]:
    return sf.read(root / f"report/clips/zoo/{row['stem']}.mp3")


def test_the_picture_of_a_tone_is_brightest_at_its_frequency_and_while_it_sounds(tmp_path):
    quiet = noise(RATE // 2)[0] * 0.01
    rows = store(tmp_path, {"a": np.concatenate([tone(3000, 0.5), quiet]), "b": tone(7000, 0.1)})
    for name, hertz in (("a", 3000), ("b", 7000)):
        bright = picture(tmp_path, rows[name])
        assert bright.shape == (128, 256) and rows[name]["highest_hz"] == 8000
        # pixels of 62.5 Hz, the highest at the top
        brightest = 128 - np.argmax(bright[:, :100].mean(axis=1)) - 0.5
        assert brightest * 8000 / 128 == pytest.approx(hertz, abs=100)
        assert bright[:, :100].max(axis=0).min() > 1.5 * np.median(bright)
    # the first half sounds
    along = picture(tmp_path, rows["a"]).max(axis=0)
    assert along[:120].min() > 2 * along[136:].max()


def test_the_picture_ends_where_the_recording_does(tmp_path):
    row = store(tmp_path, {"a": tone(3000, 0.5)}, recorded=8000)["a"]
    bright = picture(tmp_path, row)
    assert len(bright) == 64 and row["highest_hz"] == 4000
    assert (64 - np.argmax(bright.mean(axis=1)) - 0.5) * 4000 / 64 == pytest.approx(3000, abs=100)


def test_the_sound_is_the_clip_at_one_peak_level(tmp_path):
    t = np.arange(RATE) / RATE
    sweep = np.sin(2 * np.pi * (200 + 3400 * t) * t) * np.hanning(RATE)  # to 7 kHz
    whole = (0.3 * sweep + noise(RATE)[0] / 10).astype(np.float32)
    waves = {"faint": 0.01 * whole, "loud": 2 * whole, "high": tone(7400, 0.5)}
    rows = store(tmp_path, waves)
    for name, wave in waves.items():
        heard, rate = sound(tmp_path, rows[name])
        assert len(heard) / rate == pytest.approx(len(wave) / RATE, abs=1e-3)
        assert np.abs(heard).max() == pytest.approx(0.7, abs=0.2)
        expected = listen.audio.resample(wave, RATE, rate)
        assert np.corrcoef(heard[: len(expected)], expected[: len(heard)])[0, 1] > 0.95


def test_of_a_long_clip_the_loudest_three_seconds(tmp_path):
    faint = 0.01 * noise(8 * RATE)[0]
    faint[4 * RATE : 6 * RATE] += tone(1000, 2)
    rows = store(tmp_path, {"long": faint, "short": tone(500, 1)})
    row = rows["long"]
    assert (row["shown_s"], row["duration_s"]) == (3, 8) and 3 <= row["start_s"] <= 4
    heard, rate = sound(tmp_path, row)
    assert len(heard) / rate == pytest.approx(3, abs=1e-3)
    assert (rows["short"]["start_s"], rows["short"]["shown_s"]) == (0, 1)


def test_the_shortest_and_the_silent_clip_have_files_too(tmp_path):
    rows = store(tmp_path, {"one": tone(500, 1 / RATE), "silent": np.zeros(RATE, np.float32)})
    for row in rows.values():
        assert np.isfinite(sound(tmp_path, row)[0]).all()
        assert picture(tmp_path, row).shape == (128, 256)
    # nothing is shown where there is nothing
    assert picture(tmp_path, rows["silent"]).max() < 30


def test_table_and_folder_agree_whatever_a_clip_is_called(tmp_path):
    targets = {STRANGE: ("trill", "Ada"), "b": ("trill", None)}
    rows = store(tmp_path, dict.fromkeys([STRANGE, "b", "c"], tone(500, 0.1)), targets)
    names = {path.name for path in (tmp_path / "report/clips/zoo").iterdir()}
    assert names == {f"{row['stem']}.{kind}" for row in rows.values() for kind in ("webp", "mp3")}
    assert all(name.replace(".", "").isalnum() and name.isascii() for name in names)
    assert [rows[name]["label"] for name in (STRANGE, "b", "c")] == [
        "call: trill; bird: Ada",
        "call: trill",
        "",
    ]
    index = {"datasets": {"zoo": {"clips": str(tmp_path / "report/clips/zoo.parquet")}}}
    page = tmp_path / "report"
    content = player.clips(index | {"datasets": index["datasets"] | {"x": {"clips": None}}}, page)
    assert list(content) == ["zoo"]
    assert content["zoo"]["folder"] == "clips/zoo" and content["zoo"]["whole"] == 3
    assert content["zoo"]["clips"][STRANGE][:2] == [rows[STRANGE]["stem"], "call: trill; bird: Ada"]
    text = player.as_script(content)
    assert json.loads(text) == content and "<" not in text


def test_a_stage_that_is_stopped_leaves_nothing_and_its_next_run_is_whole(tmp_path, monkeypatch):
    waves = {f"clip {n}": tone(500, 0.1) for n in range(4)}
    write, done = listen.write, []

    def stopped(*given):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(write(*given))

    monkeypatch.setattr(listen, "write", stopped)
    with pytest.raises(KeyboardInterrupt):
        store(tmp_path, waves)
    assert list((tmp_path / "report/clips").iterdir()) == []
    monkeypatch.setattr(listen, "write", write)
    # a worker that was killed leaves its temporary folder
    (tmp_path / "report/clips/.zoo.killed").mkdir()
    store(tmp_path, waves)
    assert {path.name for path in (tmp_path / "report/clips").iterdir()} == {"zoo", "zoo.parquet"}
    assert len(list((tmp_path / "report/clips/zoo").iterdir())) == 8


def many() -> tuple[list[str], list[list]]:
    """3,000 clips of five calls, one of them rare, and of 60 birds of which one calls most."""
    generator = np.random.default_rng(0)
    ids = [f"clip {n}" for n in range(3000)]
    calls = [f"call {k}" for k in generator.choice(4, 3000)]
    calls[:3] = ["rare"] * 3
    birds = [f"bird {k}" for k in np.where(generator.random(3000) < 0.8, 0, generator.choice(60))]
    return ids, [calls, [None if n % 7 == 0 else bird for n, bird in enumerate(birds)]]


def test_every_class_and_group_has_clips_among_those_that_the_maps_show():
    ids, labels = many()
    chosen = listen.choose(ids, labels, 3000, 0)
    assert len(chosen) == 300 == len(set(chosen)) and (np.diff(chosen) > 0).all()
    of_calls = Counter(labels[0][row] for row in chosen)
    assert of_calls["rare"] == 3
    assert {labels[1][row] for row in chosen} >= set(labels[1]) - {None}
    mapped = seeded_order(ids, 5)[:500]
    assert set(listen.choose(ids, labels, 500, 5)) < set(mapped)
    assert listen.choose(ids[:20], [of[:20] for of in labels], 3000, 0).tolist() == [*range(20)]


def test_a_clip_more_replaces_few():
    ids, (calls, birds) = many()
    before = {ids[row] for row in listen.choose(ids, [calls, birds], 3000, 0)}
    for n in range(20):
        more = [f"new {n}", *ids], [["call 1", *calls], ["bird 0", *birds]]
        after = {more[0][row] for row in listen.choose(*more, 4000, 0)}
        assert len(before - after) <= 4


@pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM}: no such browser")
def test_a_browser_shows_and_plays_a_clip(tmp_path):
    """By file://, by mouse and by keyboard; a clip without files is announced."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    store(tmp_path, {STRANGE: tone(500, 0.5), "b": tone(500, 5)}, {STRANGE: ("<i>", "Ada")})
    page = tmp_path / "report"
    index = {"datasets": {"zoo": {"clips": str(page / "clips/zoo.parquet")}}}
    (page / "page.html").write_text(
        "<!doctype html><html lang=en><meta charset=utf-8><title>x</title>"
        f"<style>{(TEMPLATES / 'clips.css').read_text()}</style>"
        "<main><h1>x</h1><button id=point>a point</button></main>"
        f'<script type="application/json" id="clips">'
        f"{player.as_script(player.clips(index, page))}</script>"
        f"<script>{(TEMPLATES / 'clips.js').read_text()}\n"
        'document.querySelector("main").append(clipList("zoo"));'
        'point.onclick = () => showClip("zoo", point.value, 9999, 50);</script>',
        encoding="utf-8",
    )
    problems, box = [], "[role=dialog]"
    with sync_api.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 360, "height": 640})
        shown.on("console", lambda message: problems.append(message.text))
        shown.on("pageerror", lambda error: problems.append(str(error)))
        shown.goto((page / "page.html").as_uri())

        def click(clip: str) -> None:
            shown.evaluate("clip => { point.value = clip }", clip)
            shown.click("#point")

        def focus() -> str:
            return shown.evaluate("document.activeElement.outerHTML")

        click(STRANGE)
        shown.wait_for_function("document.querySelector('audio').readyState == 4")
        assert shown.inner_text(f"{box} h2") == STRANGE
        assert "call: <i>; bird: Ada" in shown.inner_text(box)
        # the duration is known to about a frame of the MP3
        assert shown.evaluate("document.querySelector('audio').duration") == pytest.approx(
            0.5, abs=0.05
        )
        assert shown.evaluate("document.querySelector('audio').paused") is False
        assert shown.evaluate("document.querySelector('img').naturalWidth") == 256
        place = shown.locator(box).bounding_box()
        assert place["x"] >= 0 and place["x"] + place["width"] <= 360
        assert axe.Axe().run(shown).violations_count == 0
        shown.keyboard.press("Escape")
        shown.wait_for_selector(box, state="detached")
        assert "a point" in focus()

        # by keyboard: the list is sorted, and the strange name comes first
        shown.focus("select")
        for key in ("ArrowDown", "Tab", "Enter"):
            shown.keyboard.press(key)
        assert "The loudest 3 s of 5.00 s." in shown.inner_text(box)
        shown.keyboard.press("Tab")
        assert "Close" in focus()
        shown.keyboard.press("Enter")
        shown.wait_for_selector(box, state="detached")
        assert "Show and play" in focus()

        click("toString")
        assert "the page holds 2 of its 2 clips of zoo" in shown.inner_text(box)
        shown.mouse.click(5, 630)
        shown.wait_for_selector(box, state="detached")
        assert problems == []

        (page / "clips/zoo").rename(page / "elsewhere")
        click("b")
        shown.wait_for_function("document.querySelector('[role=status]').textContent")
        assert "The folder clips/zoo, which must be beside this page" in shown.inner_text(box)
        browser.close()
