"""What is used of Snakemake beside its documented language: the contract of one module.

Killed runs, locks and the limit of jobs a second: test_faults.py and test_scheduler.py.
"""

import subprocess
import sys
from importlib.metadata import version

import pytest

from stratavox import snakemake_internals as internals
from stratavox.keys import Keys, Stage

RULES = """
from stratavox import snakemake_internals as internals
from stratavox.keys import Stage

def stage(**of):
    def provenance(wildcards):
        return "the key of " + wildcards.name
    provenance.stage = Stage("stage", **of)
    return {"provenance": provenance}

wildcard_constraints:
    name="[a-z]+",

rule one:
    input:
        first=ancient("given.txt"),
        also="{name}.txt",
    output:
        "results/one/{name}/a.txt",
        "results/one/{name}/b.txt",
    params:
        **stage(content=lambda: ["a digest"]),
    shell:
        "cat {input} | tee {output} > {log}"

rule two:
    input:
        lambda wildcards: [f"results/one/{name}/a.txt" for name in ("x", "y")],
    output:
        "results/two/{name}.txt",
    params:
        **stage(settings=lambda name: {"name": name}),
    shell:
        "cat {input} > {output}"

internals.add_log_and_environment(workflow, "env.yaml")
RULES = internals.Rules(workflow)
"""
TARGET = "results/one/x/a.txt"


@pytest.fixture
def rules(tmp_path, monkeypatch):
    """The rules of a Snakefile, read in the folder where they are to run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Snakefile").write_text(RULES)
    (tmp_path / "config.yaml").write_text("{}")
    (tmp_path / "env.yaml").write_text("dependencies: []")
    for name in ("given", "x", "y"):
        (tmp_path / f"{name}.txt").write_text(name)
    names = internals.load(tmp_path / "Snakefile", tmp_path / "config.yaml", tmp_path)
    return names["RULES"]


def snakemake(*options: str) -> str:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--rerun-incomplete", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_the_installed_version_was_seen_to_hold():
    assert version("snakemake").startswith(internals.SEEN)


def test_rules_say_who_writes_a_file_and_what_he_reads(rules):
    one, wildcards = rules.producer("results/one/x/b.txt")
    assert (one.name, wildcards) == ("one", {"name": "x"})
    assert rules.producer("results/one/X/b.txt") is None  # not what the wildcard may be
    assert rules.producer("x.txt") is None
    assert rules.inputs(one, wildcards) == ["x.txt"]  # less what is marked ancient
    assert rules.outputs(one, wildcards) == ["results/one/x/a.txt", "results/one/x/b.txt"]
    two, wildcards = rules.producer("results/two/z.txt")
    assert rules.inputs(two, wildcards) == ["results/one/x/a.txt", "results/one/y/a.txt"]
    assert rules.with_stage(two.params.provenance.stage) is two
    assert internals.patterns(two) == ["results/two/{name}.txt"]
    assert list(two.expand_log({"name": "z"})) == ["results/logs/two/z.log"]


def test_keys_follow_the_rules_from_a_file_to_what_it_is_made_of(rules, monkeypatch):
    monkeypatch.setattr("stratavox.fingerprint.code", lambda *roots: "code")
    monkeypatch.setattr("stratavox.fingerprint.versions", lambda *roots: {})
    one, _ = rules.producer(TARGET)
    with pytest.raises(Exception, match=r"x\.txt: no rule makes it"):
        Keys(rules).of_file("results/two/z.txt")
    monkeypatch.setattr(rules, "inputs", lambda rule, w: [] if rule is one else [TARGET])
    before = {name: Keys(rules).of_file(f"results/two/{name}.txt") for name in "zw"}
    assert before["z"] != before["w"]
    types = {"two/{name}.txt": {"x": "double"}}
    monkeypatch.setattr("stratavox.columns.types", types.get)
    assert Keys(rules).of_file("results/two/z.txt") != before["z"]
    monkeypatch.setattr("stratavox.columns.types", lambda table: None)
    assert Keys(rules).of_file("results/two/z.txt") == before["z"]
    other = Stage("stage", content=lambda: ["another digest"])
    monkeypatch.setattr(one.params.provenance, "stage", other)
    assert Keys(rules).of_file("results/two/z.txt") != before["z"]


def test_records_of_outputs_are_read_and_marked(rules, tmp_path):
    snakemake(TARGET)
    assert "Nothing to be done" in snakemake(TARGET)
    assert internals.counts_as_made_of(tmp_path, TARGET, "the key of x")
    assert not internals.counts_as_made_of(tmp_path, TARGET, "another key")
    internals.mark_incomplete(tmp_path, TARGET)
    assert "rule one" in snakemake(TARGET)
    assert "Nothing to be done" in snakemake(TARGET)
    # without its record, an output counts as made of anything
    assert internals.counts_as_made_of(tmp_path, "results/two/x.txt", "any key")


def test_locks_of_a_dead_run_are_removed(tmp_path):
    assert not internals.remove_locks(tmp_path)
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/0.input.lock").write_text("results")
    assert internals.remove_locks(tmp_path)
    assert list((tmp_path / "locks").iterdir()) == []
