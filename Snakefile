from snakemake.utils import min_version

min_version("9.27")


configfile: f"{workflow.current_basedir.get_path_or_uri(secret_free=False)}/config.yaml"


report: "workflow/report/workflow.rst"


include: "rules/common.smk"
include: "rules/corpus.smk"
include: "rules/embed.smk"
include: "rules/probe.smk"
include: "rules/geometry.smk"
include: "rules/report.smk"
include: "rules/ending.smk"


rule all:
    default_target: True
    input:
        rules.summary.output.page,
        figures(),


connect_rules()
