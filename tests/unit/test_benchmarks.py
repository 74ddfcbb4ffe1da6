"""What the benchmarks say of the machine and of the clips they take."""

from __future__ import annotations

from benchmarks import data, large, machine, precision, profile, scale

from stratavox import config as configs


def test_bf16_instructions_are_read_from_the_flags_alone(tmp_path):
    flags = "flags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16 amx_tile\nmodel name\t: X\n"
    for text, instructions in (
        (flags, ["amx_bf16", "avx512_bf16"]),
        (flags.replace(" amx_bf16", ""), ["avx512_bf16"]),
        ("flags\t\t: fpu avx2\nmodel name\t: amx_bf16s\n", []),
    ):
        (tmp_path / "cpuinfo").write_text(text)
        assert machine.bf16_instructions(tmp_path / "cpuinfo") == instructions
    assert machine.bf16_instructions(tmp_path / "none") == []


def test_the_digits_are_compared_on_speakers_held_out(shared):
    recordings = shared / "data/spoken_digits"
    rows = data.rows(recordings, 240)
    split = precision.by_speaker(rows, data.manifest([recordings / row["path"] for row in rows]))
    folds = split.to_pandas()
    assert set(folds["regime"]) == {"grouped"}
    assert (folds.groupby(["repeat", "group"])["fold"].nunique() == 1).all()
    # the files say digit and speaker themselves: 7_jackson_12.wav
    parts = folds["clip_id"].str.split("_", expand=True)
    assert (parts[0] == folds["target"]).all()
    assert (parts[1] == folds["group"]).all()
    assert len(set(folds["clip_id"])) == 240


LOG = """Provided cores: 2
[Mon Nov 23 05:52:47 2026]
localrule inspect:
    output: a.parquet
    jobid: 6
    wildcards: dataset=wood, shard=000
    resources: tmpdir=/tmp
[Mon Nov 23 05:52:48 2026]
rule part:
    output: b.parquet
    jobid: 7
    wildcards: encoder=whisper_base, dataset=wood, shard=000
Select jobs to execute...
[Mon Nov 23 05:52:50 2026]
Finished jobid: 6 (Rule: inspect)
1 of 3 steps (33%) done
[Mon Nov 23 06:02:48 2026]
Finished jobid: 7 (Rule: part)
[Mon Nov 23 06:02:48 2026]
localrule all:
    jobid: 0
[Mon Nov 23 06:02:49 2026]
Finished jobid: 0 (Rule: all)
"""


def test_a_job_s_seconds_are_from_its_start_to_its_end_in_the_log():
    assert list(profile.jobs(LOG)) == [
        profile.Job("inspect", "dataset=wood, shard=000", 3),
        profile.Job("part", "encoder=whisper_base, dataset=wood, shard=000", 600),
    ]
    assert [job.encoder for job in profile.jobs(LOG)] == [None, "whisper_base"]
    assert profile.wall(LOG) == 602


def test_every_rule_that_runs_a_stage_has_its_module():
    modules = profile.stage_modules()
    assert modules["part"] == "stratavox.embed.part"
    assert modules["classification_figures"] == "stratavox.report.draw"
    assert set(profile.FORWARD + profile.PROBES) < set(modules)


def test_scale_knows_the_stage_of_a_process_by_its_command():
    """Not the shell that starts it, and not another program."""
    job = ["-m", "stratavox", "stage", "probe.linear", "--job", "{}"]
    assert scale.stage_of(["python", *job]) == "probe.linear"
    assert scale.stage_of(["bash", "-c", " ".join(["python", *job])]) is None
    assert scale.stage_of(["python", "-m", "stratavox", "verify"]) is None
    assert scale.stage_of(["python", "-m", "snakemake", "-n"]) == scale.SNAKEMAKE


def test_the_large_study_is_a_config_and_its_plan_is_counted():
    run = configs.check(large.study(datasets=3, encoders=4, tasks=5))
    assert {len(of["tasks"]) for of in run["datasets"].values()} == {5}
    assert (len(run["run"]["datasets"]), len(run["run"]["encoders"])) == (3, 4)
    assert large.planned("job      count\n-----  -------\natlas        4\ntotal       53\n\n") == 53
