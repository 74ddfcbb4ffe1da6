"""Another workflow imports this one: Snakemake's `module:`."""

from tiny_study import jobs

IMPORTING = """
configfile: "mine.yaml"

rule own:
    output: "own.txt"
    params: provenance="of its own"
    shell: "touch {{output}}"

module stratavox:
    snakefile: "{project}/Snakefile"
    config: config

use rule * from stratavox as stratavox_*

rule mine:
    default_target: True
    input: rules.stratavox_all.input
    output: "copy.html"
    shell: "cp results/report/summary.html {{output}}"
"""


def test_a_foreign_snakefile_of_a_few_lines_runs_the_study(study, planned):
    """Its rules are ours under other names: what a run of ours made is fresh, and no more is."""
    (study.here / "Snakefile").write_text(IMPORTING.format(project=study.project))
    snakefile = study.here / "Snakefile"
    config = study.config
    config["datasets"]["wood"]["probes"] = {"margin": 0.05}
    study.config = config
    printed = study.snakemake("--dry-run", snakefile=snakefile)
    expected = study.after("infer wood", printed=planned)
    assert jobs(printed) == {f"stratavox_{job}" for job in expected} | {"mine"}
    # what costs less is run: the page shows the config, and needs the scores that are gone
    config["datasets"]["wood"]["probes"] = {}
    config["datasets"]["field"]["speed"] = 1
    study.config = config
    (study.here / "results/notebook/logmel/field/kind.parquet").unlink()
    printed = study.snakemake(snakefile=snakefile)
    expected = study.after("notebook logmel field", printed=planned)
    assert jobs(printed) == {f"stratavox_{job}" for job in expected} | {"mine"}
    assert "results/logs/own" not in study.snakemake("own.txt", snakefile=snakefile)
    assert (study.here / "copy.html").stat().st_size > 100_000
    assert study.stale() == set()


def test_the_snakefile_that_the_catalog_looks_for_runs_the_same_jobs(study, planned):
    snakefile = study.project / "workflow/Snakefile"
    assert jobs(study.snakemake("--dry-run", snakefile=snakefile)) <= {"run"}
    printed = study.snakemake("--dry-run", "--forceall", snakefile=snakefile)
    assert jobs(printed) - {"run"} == jobs(planned)
