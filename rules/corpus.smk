"""Recordings to clips: what is there, what it is worth, and audio at the encoders' rate."""


rule generate:
    output:
        scan="results/corpus/{dataset}/scan.parquet",
        raw=directory("results/corpus/{dataset}/raw"),
    log:
        "results/logs/generate/{dataset}.log",
    wildcard_constraints:
        dataset=datasets_of("chorus"),
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("generate"),
    params:
        settings=settings("generate"),
        provenance=provenance("generate"),
    shell:
        "python -m stratavox.corpus.generate --settings {params.settings:q}"
        " --provenance {params.provenance:q} --raw {output.raw:q} --scan {output.scan:q}"
        " 2>&1 | tee {log:q}"


rule fetch:
    output:
        "results/downloads/{dataset}.json",
    log:
        "results/logs/fetch/{dataset}.log",
    wildcard_constraints:
        dataset=datasets_of("archive"),
    # not on a cluster's nodes: they often have no network
    localrule: True
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("fetch"),
        provenance=provenance("fetch"),
    shell:
        "python -m stratavox.corpus.fetch --settings {params.settings:q}"
        " --provenance {params.provenance:q} --out {output:q} 2>&1 | tee {log:q}"


rule arrange:
    input:
        "results/downloads/{dataset}.json",
    output:
        scan="results/corpus/{dataset}/scan.parquet",
        raw=directory("results/corpus/{dataset}/raw"),
        account="results/corpus/{dataset}/archive.json",
    log:
        "results/logs/arrange/{dataset}.log",
    wildcard_constraints:
        dataset=datasets_of("archive"),
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("arrange"),
    params:
        settings=settings("arrange"),
        provenance=provenance("arrange"),
    shell:
        "python -m stratavox.corpus.arrange --settings {params.settings:q}"
        " --provenance {params.provenance:q} --receipt {input:q} --raw {output.raw:q}"
        " --scan {output.scan:q} --out {output.account:q} 2>&1 | tee {log:q}"


rule inspect:
    input:
        scanned,
    output:
        "results/corpus/{dataset}/inspect/part-{shard}.parquet",
    log:
        "results/logs/inspect/{dataset}.{shard}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("inspect"),
    params:
        settings=settings("inspect"),
        provenance=provenance("inspect"),
    shell:
        "python -m stratavox.corpus.inspect --settings {params.settings:q}"
        " --provenance {params.provenance:q} --scan {input:q} --shard {wildcards.shard}"
        " --out {output:q} 2>&1 | tee {log:q}"


rule manifest:
    input:
        scan=scanned,
        inspect=of_each_shard("results/corpus/{dataset}/inspect/part-{shard}.parquet"),
    output:
        clips="results/corpus/{dataset}/clips.parquet",
        labels="results/corpus/{dataset}/labels.parquet",
        hygiene="results/corpus/{dataset}/hygiene.json",
    log:
        "results/logs/manifest/{dataset}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("manifest"),
    params:
        settings=settings("manifest"),
        provenance=provenance("manifest"),
    shell:
        "python -m stratavox.corpus.manifest --settings {params.settings:q}"
        " --provenance {params.provenance:q} --scan {input.scan:q} --inspect {input.inspect:q}"
        " --out-clips {output.clips:q} --out-labels {output.labels:q}"
        " --out-hygiene {output.hygiene:q} 2>&1 | tee {log:q}"


rule clips:
    input:
        "results/corpus/{dataset}/inspect/part-{shard}.parquet",
    output:
        "results/clips/{dataset}/{rate}/part-{shard}.parquet",
    log:
        "results/logs/clips/{dataset}.{rate}.{shard}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("clips"),
    params:
        settings=settings("clips"),
        provenance=provenance("clips"),
    shell:
        "python -m stratavox.corpus.clips --settings {params.settings:q}"
        " --provenance {params.provenance:q} --inspect {input:q} --rate {wildcards.rate}"
        " --out {output:q} 2>&1 | tee {log:q}"


rule acoustics:
    input:
        f"results/clips/{{dataset}}/{BASELINE_RATE}/part-{{shard}}.parquet",
    output:
        "results/acoustics/{dataset}/part-{shard}.parquet",
    log:
        "results/logs/acoustics/{dataset}.{shard}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("acoustics"),
    params:
        settings=settings("acoustics"),
        provenance=provenance("acoustics"),
    shell:
        "python -m stratavox.corpus.acoustics --settings {params.settings:q}"
        " --provenance {params.provenance:q} --clips {input:q} --out {output:q} 2>&1 | tee {log:q}"
