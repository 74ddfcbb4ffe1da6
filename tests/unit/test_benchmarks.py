"""What the benchmarks say of the machine and of the clips they take."""

from __future__ import annotations

from benchmarks import data, machine, precision


def test_bf16_instructions_are_read_from_the_flags_alone(tmp_path):
    flags = "flags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16 amx_tile\nmodel name\t: X\n"
    for text, found in (
        (flags, ["amx_bf16", "avx512_bf16"]),
        (flags.replace(" amx_bf16", ""), ["avx512_bf16"]),
        ("flags\t\t: fpu avx2\nmodel name\t: amx_bf16s\n", []),
    ):
        (tmp_path / "cpuinfo").write_text(text)
        assert machine.bf16_instructions(tmp_path / "cpuinfo") == found
    assert machine.bf16_instructions(tmp_path / "none") == []


def test_the_digits_are_compared_on_speakers_held_out(shared):
    recordings = shared / "data/spoken_digits"
    rows = data.rows(recordings, 240)
    split = precision.by_speaker(rows, data.manifest([recordings / row["path"] for row in rows]))
    folds = split.to_pandas()
    assert set(folds["regime"]) == {"grouped"}
    assert (folds.groupby(["repeat", "group"])["fold"].nunique() == 1).all()
    # the files say digit and speaker themselves: 7_jackson_12.wav
    told = folds["clip_id"].str.split("_", expand=True)
    assert (told[0] == folds["target"]).all()
    assert (told[1] == folds["group"]).all()
    assert len(set(folds["clip_id"])) == 240
