"""Another workflow imports this one: Snakemake's `module:`."""

from tiny_study import jobs

IMPORTING = """
configfile: "mine.yaml"

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
    printed = study.snakemake(snakefile=snakefile)
    expected = study.after("infer wood", printed=planned)
    assert jobs(printed) == {f"stratavox_{job}" for job in expected} | {"mine"}
    assert (study.here / "copy.html").stat().st_size > 100_000
    assert study.stale() == set()
