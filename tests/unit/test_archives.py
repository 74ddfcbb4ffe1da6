"""Published archives: their table, their names, and the way from an address to a dataset."""

import csv
import json
import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import soundfile

import archive_data as data
import stage_jobs
from stratavox import config, tables
from stratavox.corpus import archives, giant_otter, zebra_finch
from stratavox.corpus.arrange import arrange
from stratavox.corpus.fetch import fetch
from stratavox.errors import StratavoxError
from stratavox.plan import Plan
from stratavox.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def finch_names(shared):
    return data.finch_table(shared)


# ---- the table ----


def test_the_shipped_table_holds_what_is_known_of_each_archive():
    shipped = archives.table()
    (otters,) = shipped["giant_otter"]["files"]
    assert otters["checksum"] == "md5:610685f7c192147f0b04c662d1080de9"
    assert otters["address"] == "https://archive.org/download/giant_otters/giant_otters.zip"
    (meows,) = shipped["catmeows"]["files"]
    assert meows["checksum"] == "md5:b5fa911bcd6514e39dfef6876f747df4"
    page = (ROOT / "docs/archives.md").read_text(encoding="utf-8")
    for name, entry in shipped.items():
        assert entry["licence"].startswith("CC BY") and entry["doi"] and entry["citation"]
        assert archives.columns(entry)[0] == "file"
        assert f"| `{name}` |" in page


def test_an_entry_of_ones_own_table_takes_the_place_of_a_shipped_one(tmp_path):
    file = {"name": "mirror.zip", "address": "http://127.0.0.1/mirror.zip"}
    own = data.write_table(
        tmp_path / "own.yaml",
        giant_otter=data.entry("giant_otter", [file]),
        mine=data.entry("zebra_finch", [file]),
    )
    assert archives.entry("giant_otter", own)["files"][0] == file | {
        "bytes": None,
        "checksum": None,
    }
    assert archives.entry("mine", own)["members"] == {}
    assert archives.entry("zebra_finch", own) == archives.entry("zebra_finch")
    with pytest.raises(StratavoxError, match=r"'otters'; allowed: .*giant_otter, mine, "):
        archives.entry("otters", own)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"layuot": "x"}, ["mine", "'layuot'", "did you mean 'layout'", "licence"]),
        ({"layout": "seal"}, ["mine.layout", "'seal'", "giant_otter, spoken_digits, zebra_finch"]),
        ({"licence": None}, ["mine.licence", "None"]),
        ({"files": []}, ["mine.files"]),
        ({"files": [{"name": "a.zip"}]}, ["mine.files.0", "'address'", "missing"]),
        ({"files": [{"name": "../a.zip", "address": "http://x/a"}]}, ["files.0.name", "../a.zip"]),
        ({"files": [{"name": "a.zip", "address": "file:///a"}]}, ["files.0.address", "file:"]),
        (
            {"files": [{"name": "a.zip", "address": "http://x", "checksum": "md5:12"}]},
            ["files.0.checksum", "md5:12"],
        ),
        ({"files": [{"name": "a.zip", "address": "http://x"}] * 2}, ["mine.files", "'a.zip'"]),
        ({"unpacked_bytes": 0}, ["mine.unpacked_bytes", "0"]),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_key(tmp_path, change, parts):
    entry = data.entry("giant_otter", [{"name": "a.zip", "address": "http://x/a.zip"}]) | change
    own = data.write_table(tmp_path / "own.yaml", mine=entry)
    with pytest.raises(StratavoxError) as error:
        archives.table(own)
    for part in (str(own), *parts):
        assert part in str(error.value)


@pytest.mark.parametrize("text", [None, "", "a: [", "- a list"])
def test_what_is_no_table_is_refused(tmp_path, text):
    own = tmp_path / "own.yaml"
    if text is not None:
        own.write_text(text)
    with pytest.raises(StratavoxError, match="own.yaml"):
        archives.table(own)


# ---- names ----


def test_the_otters_441_names_give_21_call_types(tmp_path):
    for name in data.otter_names():
        fields = giant_otter.row(name)
        label = re.search(r"\d_(.+)\.wav", name).group(1)
        assert fields["call_name"] == label and fields["call_type"] == label.lower()
        assert (fields["hydrophone"] == "true") == (label == "underwater call")
        assert name == f"Audio S{fields['number']}_{fields['call_name']}.wav"
    counts = Counter(giant_otter.row(name)["call_type"] for name in data.otter_names())
    assert counts == {label.lower(): count for label, count in data.OTTER_CALLS.items()}
    assert len(counts) == 21 and counts.total() == 441
    assert set(counts) == giant_otter.CALL_TYPES


@pytest.mark.parametrize("name", ["bark.wav", "Audio S12 bark.wav", "Audio S12_.wav", "12_a.wav.x"])
def test_other_names_are_no_otters(name):
    assert giant_otter.row(name) is None


def test_each_finch_name_is_read_as_the_independent_parse_has_it(finch_names):
    assert len(finch_names) == 3405
    for known in finch_names:
        fields = zebra_finch.row(known["fn"])
        assert fields["bird"] == known["bird"], known
        assert fields["bird_name"] == known["bird_raw"], known
        assert fields["named_bird"] == known["named_bird"].lower(), known
        assert fields["date"] == known["date_yymmdd"], known
        assert fields["call_code"] == known["call_raw"], known
        assert fields["call_type"] == known["call_type"], known
        assert fields["rendition"] == known["rendition"], known


def test_published_counts_of_the_finches(finch_names):
    rows = [zebra_finch.row(known["fn"]) for known in finch_names]
    assert Counter(row["call_type"] for row in rows) == {
        **{"Te": 613, "DC": 607, "Ne": 580, "Th": 301, "Be": 262, "Tu": 240, "LT": 215},
        **{"Ag": 200, "So": 192, "Wh": 175, "Di": 20},
    }
    assert len({row["individual"] for row in rows} - {""}) == 45
    unknown = {row["bird"] for row in rows if not row["individual"]}
    assert len(unknown) == 4 and all(bird.startswith("unknown") for bird in unknown)
    # three dates have seven digits: which day that was is not known
    assert sum(row["bird_day"] == "" for row in rows) == 3


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("GreRas2400_110615_TetC-28.wav", ("greras2400", "110615", "Te", "TetC", "28")),
        ("BlaLbl8026_110608-Nest-C-14.wav", ("blalbl8026", "110608", "Ne", "Nest-C", "14")),
        ("GreOra1817_1108201-AggC-31.wav", ("greora1817", "1108201", "Ag", "AggC", "31")),
        ("HPiHPi4748_110620-Song-15dcut.wav", ("hpihpi4748", "110620", "So", "Song", "15dcut")),
        ("LblBlu1630_110225-Beggseq-04_a.wav", ("lblblu1630", "110225", "Be", "Beggseq", "04_a")),
        ("BlaLbl8026_110609-NestC-32B.wav", ("blalbl8026", "110609", "Ne", "NestC", "32B")),
        ("BlaBla0506-WC-01.wav", ("blabla0506", "", "Wh", "WC", "01")),
        ("YelOra2575_110623-TukC-0.wav", ("yelora2575", "110623", "Tu", "TukC", "0")),
    ],
)
def test_irregular_finch_names(name, fields):
    row = zebra_finch.row(name)
    keys = ("bird", "date", "call_type", "call_code", "rendition")
    assert tuple(row[key] for key in keys) == fields
    assert row["bird_day"] == (f"{fields[0]}_{fields[1]}" if len(fields[1]) == 6 else "")


@pytest.mark.parametrize(
    "name", ["notes.wav", "Bird_110101-XX-01.wav", "Bird_110101-DC.wav", "_110101-DC-01.wav"]
)
def test_other_names_are_no_finches(name):
    assert zebra_finch.row(name) is None


# ---- from the address to the dataset ----


def arranged(tmp_path, monkeypatch, server, name, entry, shards=2):
    """Fetch and arrange the archive ``name`` in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    own = data.write_table(tmp_path / "own.yaml", **{name: entry})
    receipt = fetch(name, {"folder": str(tmp_path / "cache"), "archives": str(own)})
    fields = ("layout", "unpacked_bytes", "unpacked_files", "members")
    whole = archives.entry(name, own)
    settings = {key: whole[key] for key in fields} | {"shards": shards} | archives.bounds(whole)
    account = arrange(settings, receipt, Path("raw"), tmp_path / "scan.parquet", Path())
    with open("raw/metadata.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return account, rows


def test_otters_from_address_to_scan(tmp_path, monkeypatch):
    data.otter_archive(tmp_path / "site/giant_otters.zip")
    with data.serving(tmp_path / "site") as server:
        md5 = data.checksum(tmp_path / "site/giant_otters.zip", "md5")
        file = server.file("giant_otters.zip", checksum=md5)
        entry = data.entry("giant_otter", [file])
        account, rows = arranged(tmp_path, monkeypatch, server, "giant_otter", entry)
    assert account["counts"] == {
        **{"files": 444, "clips": 441, "merged": 0, "merged_different": 0},
        **{"unread": 0, "not_used": 3, "irregular": 0},
    }
    assert account["licence"] == "CC BY 4.0" and account["files"][0]["verified"] == "md5"
    assert [Path(name).suffix for name in account["notes"]["not_used"]] == [
        ".wav",
        ".docx",
        ".xlsx",
    ]
    assert tuple(rows[0]) == giant_otter.COLUMNS
    assert Counter(row["call_type"] for row in rows)["hum gradation"] == 29
    scanned = tables.read_table("scan.parquet")
    assert len(scanned) == 441 and scanned["reason"].null_count == 441
    assert set(scanned["shard"].to_pylist()) == {0, 1}
    # audio as published, and only that
    first = soundfile.info(Path("raw", rows[0]["file"]))
    assert (first.subtype, first.channels) == ("PCM_24", 1) and first.samplerate in (48000, 96000)
    wavs = {p.relative_to("raw").as_posix() for p in Path("raw").rglob("*") if p.is_file()}
    assert wavs == {row["file"] for row in rows} | {"metadata.csv"}


def test_finches_from_the_article_to_the_table(tmp_path, monkeypatch, finch_names):
    inner = data.finch_archives(tmp_path / "inner", finch_names, differing=3)
    data.finch_article(tmp_path / "site/article.zip", inner)
    members = {inner[0].name: data.checksum(inner[0])}
    with data.serving(tmp_path / "site") as server:
        file = server.file("article.zip", checksum=None, bytes=None)
        entry = data.entry("zebra_finch", [file], members=members)
        account, rows = arranged(tmp_path, monkeypatch, server, "finches", entry)
    known = {row["fn"]: row for row in finch_names}
    assert {Path(row["file"]).name for row in rows} == set(known) and len(rows) == 3405
    for row in rows:
        name = Path(row["file"]).name
        assert row["age"] == known[name]["age_folder"] and row["file"] == f"{row['age']}/{name}"
    assert tuple(rows[0]) == zebra_finch.COLUMNS
    counts = account["counts"]
    assert (counts["files"], counts["clips"], counts["merged"]) == (2969 + 464 + 1, 3405, 28)
    assert (counts["merged_different"], counts["unread"], counts["not_used"]) == (3, 0, 1)
    odd = {Path(row["file"]).name for row in account["notes"]["irregular"]}
    plain = re.compile(r"[A-Za-z0-9]+_\d{6}-[A-Za-z]+-\d+\.wav")
    assert {name for name in known if not plain.fullmatch(name)} <= odd
    assert sum("_TetC-" in name or "_DC-" in name for name in odd) == 38
    # thirteen begging calls lie among the adults, of birds that are chicks on that day
    doubtful = [row for row in account["notes"]["irregular"] if "is a chick that day" in row["why"]]
    assert len(doubtful) == 13 and counts["irregular"] == len(odd)
    # the chicks' audio is kept where the two differ
    _, chicks = data.finch_folders(finch_names)
    apart = {Path(row["kept"]).name for row in account["notes"]["merged"] if not row["identical"]}
    assert apart == set(chicks[:3])
    with zipfile.ZipFile(inner[1]) as opened:
        for name in apart:
            kept = opened.read(f"ChickVocalizations/{name}")
            assert Path("raw/chick", name).read_bytes() == kept
    sound, rate = soundfile.read(Path("raw", rows[0]["file"]))
    assert rate == 44100 and sound.shape[1] == 2 and (sound[:, 0] != sound[:, 1]).any()


def test_finches_from_two_files_of_a_mirror(tmp_path, monkeypatch, finch_names):
    chicks = [row for row in finch_names if row["age_folder"] == "chick"][:5]
    adults = [row for row in finch_names if row["age_folder"] == "adult"][:5]
    data.finch_archives(tmp_path / "site", adults + chicks, both=2)
    odd = {
        "ChickVocalizations/LTC of a chick.wav": data.wav(1, 44100, 2, 16),
        "LblGre0001_130521-LTC-99.wav": data.wav(2, 44100, 2, 16),
    }
    data.zipped(tmp_path / "site/more.zip", odd)
    with data.serving(tmp_path / "site") as server:
        names = ("AdultVocalizations.zip", "ChickVocalizations.zip", "more.zip")
        entry = data.entry("zebra_finch", [server.file(name) for name in names])
        account, rows = arranged(tmp_path, monkeypatch, server, "finches", entry)
    assert Counter(row["age"] for row in rows) == {"adult": 5, "chick": 5}
    assert account["counts"]["merged"] == 2 and account["counts"]["merged_different"] == 0
    why = {Path(row["file"]).name: row["why"] for row in account["notes"]["unread"]}
    assert "name is not" in why["LTC of a chick.wav"]
    assert "no folder of adults or chicks" in why["LblGre0001_130521-LTC-99.wav"]


def of_real_names(shared, dataset) -> list[dict[str, str]]:
    with open(shared / "data" / dataset / "metadata.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("layout", "dataset", "archive", "columns"),
    [
        (
            *("catmeows", "catmeows", data.cat_archive),
            ("label", "individual", "breed", "sex", "owner", "session"),
        ),
        ("spoken_digits", "spoken_digits", data.digit_archive, ("label", "individual")),
    ],
)
def test_real_names_give_what_another_read_in_them(
    tmp_path, monkeypatch, shared, layout, dataset, archive, columns
):
    known = {Path(row["path"]).name: row for row in of_real_names(shared, dataset)}
    archive(tmp_path / "site/a.zip", [*known, "a_name_that_does_not_fit.wav"])
    with data.serving(tmp_path / "site") as server:
        entry = data.entry(layout, [server.file("a.zip")])
        account, rows = arranged(tmp_path, monkeypatch, server, layout, entry)
    assert {row["file"] for row in rows} == set(known)
    for row in rows:
        assert {key: row[key] for key in columns} == {
            key: known[row["file"]][key] for key in columns
        }
    (odd,) = account["notes"]["unread"]
    assert odd["file"].endswith("a_name_that_does_not_fit.wav") and "name" in odd["why"]


# ten entities, each ten of the one before
LAUGHS = b"<!DOCTYPE S [<!ENTITY a0 'ha'>" + b"".join(
    b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10)
)
LAUGHS += b"]><S>&a9;</S>"
# the first notes that the published Annotation.xml of Bird0 has
BIRD0 = [
    ("0.wav", 32000, [(2240, 2688, "0"), (8256, 2784, "0"), (21088, 2336, "1")]),
    ("0.wav", 75168, [(1152, 2336, "0"), (5280, 2656, "1")]),
    ("1.wav", 32000, [(2016, 2816, "0")]),
]


def bengalese(tmp_path, monkeypatch, birds, seconds=3.0):
    data.bengalese_archive(tmp_path / "site/article.zip", birds, seconds)
    with data.serving(tmp_path / "site") as server:
        entry = data.entry("bengalese_finch", [server.file("article.zip")])
        return arranged(tmp_path, monkeypatch, server, "bengalese", entry)


def test_notes_lie_in_their_songs_where_another_cut_them(tmp_path, monkeypatch, shared):
    account, rows = bengalese(tmp_path, monkeypatch, {"Bird0": BIRD0})
    assert [(row["song"], row["label"]) for row in rows] == [
        *(("Bird0/0", f"Bird0:{label}") for label in "00101"),
        ("Bird0/1", "Bird0:0"),
    ]
    cut = [row for row in of_real_names(shared, "bengalese_finch_syllables")]
    theirs = [row for row in cut if row["source_file"] == "birdsongrec/Bird0/Wave/0.wav"]
    ours = {round(float(row["start_s"]), 3): row for row in rows if row["song"] == "Bird0/0"}
    met = [row for row in theirs if float(row["onset_s"]) in ours]
    assert met
    for row in met:
        same = ours[float(row["onset_s"])]
        assert same["label"] == row["label"]
        assert float(same["end_s"]) == pytest.approx(float(row["offset_s"]), abs=1e-3)
    # the scan has the notes as parts of whole songs, of which nothing was cut
    scanned = tables.read_table("scan.parquet").to_pylist()
    assert len(scanned) == 6 and not any(row["reason"] for row in scanned)
    first = min(scanned, key=lambda row: (row["file"], row["start_s"]))
    assert (first["start_s"], first["end_s"]) == (34240 / 32000, 36928 / 32000)
    assert soundfile.info("raw/Bird0/0.wav").frames == 96000
    counts = account["counts"]
    assert (counts["files"], counts["clips"], counts["not_used"]) == (3, 2, 1)


def test_of_many_notes_a_sample_from_all_songs_is_taken_and_told(tmp_path, monkeypatch):
    many = [(f"{song}.wav", 0, [(100 * n, 90, "a") for n in range(9)]) for song in range(30)]
    rare = [("7.wav", 2000, [(0, 90, "b"), (200, 90, "b")])]
    account, rows = bengalese(tmp_path, monkeypatch, {"Bird3": many + rare}, seconds=0.1)
    assert Counter(row["label"] for row in rows) == {"Bird3:a": 40, "Bird3:b": 2}
    assert len({row["song"] for row in rows if row["syllable"] == "a"}) == 30
    (told,) = account["notes"]["sampled"]
    assert (told["clips"], told["of"]) == (42, 272) and "40 of each label" in told["why"]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"<Sequences><Sequence>", "no element found"),
        (data.annotation([("0.wav", 0, [(1, 2, "")])]), "a Note without Label"),
        (data.annotation([("0.wav", 0, [("x", 2, "a")])]), "'x'"),
        (b'<!DOCTYPE S [<!ENTITY e SYSTEM "file:///etc/hostname">]><S>&e;</S>', "undefined entity"),
        (LAUGHS, "amplification"),
    ],
)
def test_an_annotation_that_is_none_is_named(tmp_path, monkeypatch, content, part):
    bird = {"Bird0/Annotation.xml": content, "Bird0/Wave/0.wav": data.wav(0, 32000, 1, 16)}
    data.zipped(tmp_path / "site/Bird0.zip", bird)
    with data.serving(tmp_path / "site") as server:
        entry = data.entry("bengalese_finch", [server.file("Bird0.zip")])
        with pytest.raises(StratavoxError) as error:
            arranged(tmp_path, monkeypatch, server, "bengalese", entry)
    assert "Bird0/Annotation.xml" in str(error.value) and part in str(error.value)


def test_songs_that_are_not_there_are_told(tmp_path, monkeypatch):
    songs = [("0.wav", 0, [(0, 90, "a")]), ("../../0.wav", 0, [(0, 90, "a")])]
    bird = {
        "Bird0/Annotation.xml": data.annotation(songs),
        "Bird0/Wave/0.wav": data.wav(0, 32000, 1, 16),
    }
    data.zipped(tmp_path / "site/Bird0.zip", bird)
    with data.serving(tmp_path / "site") as server:
        entry = data.entry("bengalese_finch", [server.file("Bird0.zip")])
        account, rows = arranged(tmp_path, monkeypatch, server, "bengalese", entry)
    assert len(rows) == 1
    (odd,) = account["notes"]["irregular"]
    assert "songs that are not in the archive (1), such as ../../0.wav" in odd["why"]


def few_otters(tmp_path, server, **more):
    data.otter_archive(tmp_path / "site/giant_otters.zip", most=1)
    return data.entry("giant_otter", [server.file("giant_otters.zip")], **more)


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        ({"unpacked_bytes": 10_000}, ["giant_otters.zip", "unpacked_bytes"]),
        ({"unpacked_files": 3}, ["giant_otters.zip", "unpacked_files"]),
        ({"layout": "zebra_finch"}, ["no clip was found", "AdultVocalizations", "24 other files"]),
        ({"members": {"in.zip": "md5:" + "0" * 32}}, ["in.zip is not in the archive", "members"]),
    ],
)
def test_an_archive_that_is_not_as_its_entry_says_leaves_nothing(
    tmp_path, monkeypatch, more, parts
):
    (tmp_path / "site").mkdir()
    with data.serving(tmp_path / "site") as server:
        entry = few_otters(tmp_path, server) | more
        with pytest.raises(StratavoxError) as error:
            arranged(tmp_path, monkeypatch, server, "giant_otter", entry)
    for part in parts:
        assert part in str(error.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "own.yaml", "site"]


def test_a_file_inside_that_is_not_the_published_one(tmp_path, monkeypatch, finch_names):
    inner = data.finch_archives(tmp_path / "inner", finch_names[:3], both=0)
    data.finch_article(tmp_path / "site/article.zip", inner)
    with data.serving(tmp_path / "site") as server:
        wrong = {"AdultVocalizations.zip": "sha256:" + "0" * 64}
        entry = data.entry("zebra_finch", [server.file("article.zip")], members=wrong)
        with pytest.raises(StratavoxError) as error:
            arranged(tmp_path, monkeypatch, server, "finches", entry)
    for part in ("AdultVocalizations.zip", data.checksum(inner[0]), wrong[inner[0].name]):
        assert part in str(error.value)


def test_an_unsafe_zip_inside_is_refused_by_name(tmp_path, monkeypatch):
    bad = data.zipped(tmp_path / "AdultVocalizations.zip", {"../../out.wav": b"1"})
    data.finch_article(tmp_path / "site/article.zip", [bad])
    with data.serving(tmp_path / "site") as server:
        entry = data.entry("zebra_finch", [server.file("article.zip")])
        with pytest.raises(StratavoxError, match=r"AdultVocalizations.zip: '../../out.wav' leads"):
            arranged(tmp_path, monkeypatch, server, "finches", entry)


def test_zips_two_deep_are_not_unpacked(tmp_path, monkeypatch, finch_names):
    (deep, _) = data.finch_archives(tmp_path / "deep", finch_names[:3], both=0)
    content = {row["fn"]: data.wav(1, 44100, 2, 16) for row in finch_names[3:6]}
    content["deep.zip"] = deep.read_bytes()
    inner = data.zipped(tmp_path / "AdultVocalizations.zip", content)
    data.finch_article(tmp_path / "site/article.zip", [inner])
    with data.serving(tmp_path / "site") as server:
        entry = data.entry("zebra_finch", [server.file("article.zip")])
        account, rows = arranged(tmp_path, monkeypatch, server, "finches", entry)
    assert {Path(row["file"]).name for row in rows} == set(content) - {"deep.zip"}
    assert any(name.endswith("deep.zip") for name in account["notes"]["not_used"])


def test_an_archive_lost_or_changed_since_it_was_fetched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site").mkdir()
    with data.serving(tmp_path / "site") as server:
        entry = few_otters(tmp_path, server)
        own = data.write_table(tmp_path / "own.yaml", giant_otter=entry)
        receipt = fetch("giant_otter", {"folder": "cache", "archives": str(own)})
    settings = archives.entry("giant_otter", own) | {"shards": 1}
    path = tmp_path / "cache/archives/giant_otter/giant_otters.zip"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"!")
    for message in ("changed since it was fetched", "no longer there after it was fetched"):
        with pytest.raises(StratavoxError) as error:
            arrange(settings, receipt, Path("raw"), Path("scan.parquet"), Path())
        assert message in str(error.value) and "results/downloads" in str(error.value)
        path.unlink(missing_ok=True)


def test_commands_write_receipt_account_and_scan(tmp_path):
    (tmp_path / "site").mkdir()
    here = {"cwd": tmp_path, "check": True}
    with data.serving(tmp_path / "site") as server:
        own = data.write_table(tmp_path / "own.yaml", giant_otter=few_otters(tmp_path, server))
        downloads = {"folder": "cache", "archives": str(own)}
        wanted = {"archive": "giant_otter", "downloads": downloads}
        out, key = {"receipt": "receipt.json"}, {"key": "k"}
        stage_jobs.run("corpus.fetch", {}, out, wanted, provenance=key, process=here)
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    assert receipt["provenance"] == {"key": "k"} and receipt["citation"]
    assert receipt["files"][0]["path"] == str(
        tmp_path / "cache/archives/giant_otter/giant_otters.zip"
    )
    settings = archives.entry("giant_otter", own) | {"shards": 1}
    read = {"receipt": "receipt.json"}
    out = {"raw": "raw", "scan": "scan.parquet", "account": "archive.json"}
    done = stage_jobs.run("corpus.arrange", read, out, settings, process=here)
    assert "21 recordings of 24 files are read" in done.stdout
    assert json.loads((tmp_path / "archive.json").read_text())["counts"]["clips"] == 21
    assert len(tables.read_table(tmp_path / "scan.parquet")) == 21


# ---- the plan ----


def study(**more) -> dict:
    """The default config with the otters for its dataset."""
    config = stage_jobs.default_config()
    task = {"target": "call_type", "group": None}
    config["datasets"]["otters"] = {
        "source": "archive",
        "archive": "giant_otter",
        "tasks": {"call": task},
    } | more
    config["run"]["datasets"] = ["otters"]
    return config


def test_the_plan_is_made_without_the_archive(tmp_path):
    plan = Plan(study(shards=3), tmp_path)
    assert plan.generated("otters") and plan.shards("otters") == ["000", "001", "002"]
    assert Settings(plan).tables("otters")["path"] == "results/corpus/otters/raw"
    assert plan.archive_about("otters")["licence"] == "CC BY 4.0"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "parts"),
    [
        ({"archive": "otter"}, ["datasets.otters: archive", "'otter'", "giant_otter"]),
        ({"archive": None}, ["datasets.otters"]),
        ({"path": "x"}, ["datasets.otters", "path: only with source: folder"]),
        ({"source": "chorus"}, ["datasets.otters.archive: only with source: archive"]),
        ({"recording": "day"}, ["recording: no column 'day'", "call_type", "hydrophone"]),
        (
            {"tasks": {"call": {"target": "call", "group": None}}},
            ["datasets.otters: tasks.call.target: no column 'call'", "giant_otter", "call_type"],
        ),
    ],
)
def test_what_the_archive_will_not_have_is_refused_before_it_is_fetched(tmp_path, more, parts):
    changed = study(**more)
    if changed["datasets"]["otters"]["archive"] is None:
        del changed["datasets"]["otters"]["archive"]
    with pytest.raises(StratavoxError) as error:
        Plan(changed, tmp_path)
    for part in parts:
        assert part in str(error.value)


def keys(tmp_path, config, **entry) -> dict[str, str]:
    """The keys of the stages, with an own table whose entry is changed by ``entry``."""
    file = {"name": "a.zip", "address": "http://here/a.zip", "checksum": "md5:" + "0" * 32}
    archive = data.entry("giant_otter", [file]) | entry
    data.write_table(tmp_path / "own.yaml", giant_otter=archive)
    config["downloads"] = {"archives": "own.yaml"}
    files = {
        "fetch": "results/downloads/otters.json",
        "arrange": "results/corpus/otters/archive.json",
        "inspect": "results/corpus/otters/inspect/part-000.parquet",
        "folds": "results/folds/otters/call.parquet",
        "summary": "results/report/summary.html",
    }
    return stage_jobs.keys(config, tmp_path, files)


FILE = {"name": "a.zip", "address": "http://here/a.zip", "checksum": "md5:" + "0" * 32}


@pytest.mark.parametrize(
    ("changes", "entry", "stale"),
    [
        ({}, {"files": [FILE | {"checksum": "md5:" + "1" * 32}]}, "fetch"),
        # the same content from elsewhere, or into another folder
        ({}, {"files": [FILE | {"address": "http://mirror/a.zip"}]}, None),
        ({"downloads": {"folder": "elsewhere"}}, {}, None),
        ({}, {"citation": "B Person (2015)"}, "summary"),
        ({"shards": 7}, {}, "arrange"),
        ({}, {"unpacked_bytes": 5}, "arrange"),
    ],
)
def test_keys_follow_what_the_archive_holds(tmp_path, changes, entry, stale):
    before = keys(tmp_path, study())
    changed = study(**{key: value for key, value in changes.items() if key == "shards"})
    changed |= {key: value for key, value in changes.items() if key == "downloads"}
    after = keys(tmp_path, changed, **entry)
    stages = list(before)
    first = stages.index(stale) if stale else len(stages)
    assert [before[stage] != after[stage] for stage in stages] == [
        place >= first for place in range(len(stages))
    ]


def test_without_a_checksum_the_address_is_in_the_key(tmp_path):
    free = {"name": "a.zip", "address": "http://here/a.zip"}
    before = keys(tmp_path, study(), files=[free])
    after = keys(tmp_path, study(), files=[free | {"address": "http://here/b.zip"}])
    assert all(before[stage] != after[stage] for stage in before)


def test_the_downloads_have_defaults_and_no_other_keys():
    assert config.check(study())["downloads"] == {"folder": None, "archives": None}
    with pytest.raises(StratavoxError, match="downloads: unknown key 'floder'"):
        config.check(study() | {"downloads": {"floder": "x"}})
