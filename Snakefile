from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/corpus.smk"
include: "rules/embed.smk"
include: "rules/probe.smk"
include: "rules/geometry.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        "results/report/summary.html",
        figures(),
