"""Recordings to clips: what is there, what it is worth, and audio at the encoders' rate."""


rule generate:
    output:
        scan="results/corpus/{dataset}/scan.parquet",
        raw=directory("results/corpus/{dataset}/raw"),
    wildcard_constraints:
        dataset=datasets_of("chorus"),
    resources:
        **needs(mb=(1000, 0), minutes=(10, 0)),
    params:
        **stage("corpus.generate", lambda wildcards: PLAN.generation(wildcards.dataset)),
    shell:
        COMMAND


rule fetch:
    output:
        receipt="results/downloads/{dataset}.json",
    wildcard_constraints:
        dataset=datasets_of("archive"),
    # not on a cluster's nodes: they often have no network
    localrule: True
    params:
        **stage(
            "corpus.fetch",
            lambda wildcards: PLAN.archive_identity(wildcards.dataset),
            places=lambda wildcards: PLAN.archive_source(wildcards.dataset),
            versioned=False,
        ),
    shell:
        COMMAND


rule arrange:
    input:
        receipt=rules.fetch.output.receipt,
    output:
        scan="results/corpus/{dataset}/scan.parquet",
        raw=directory("results/corpus/{dataset}/raw"),
        account="results/corpus/{dataset}/archive.json",
    wildcard_constraints:
        dataset=datasets_of("archive"),
    resources:
        **needs(mb=(1000, 0), minutes=(20, 0.01)),
    params:
        **stage(
            "corpus.arrange",
            lambda wildcards: PLAN.arrangement(wildcards.dataset),
            code=lambda wildcards: PLAN.layout_code(wildcards.dataset),
        ),
    shell:
        COMMAND


rule extract:
    output:
        scan="results/corpus/{dataset}/scan.parquet",
        raw=directory("results/corpus/{dataset}/raw"),
    wildcard_constraints:
        dataset=datasets_of("parquet"),
    resources:
        **needs(mb=(1000, 0.005), minutes=(10, 0.01)),
    params:
        **stage(
            "corpus.extract",
            lambda wildcards: PLAN.extraction(wildcards.dataset),
            places=lambda wildcards: PLAN.parquet_files(wildcards.dataset),
        ),
    shell:
        COMMAND


rule inspect:
    input:
        scan=scanned,
    output:
        part="results/corpus/{dataset}/inspect/part-{shard}.parquet",
    resources:
        **needs(mb=(1000, 0), minutes=(10, 0.01)),
    params:
        **stage(
            "corpus.inspect",
            lambda wildcards: PLAN.shard(wildcards.dataset, wildcards.shard),
            places=lambda wildcards: PLAN.folder(wildcards.dataset),
        ),
    shell:
        COMMAND


rule manifest:
    input:
        scan=scanned,
        inspect=of_each_shard(rules.inspect.output.part),
    output:
        clips="results/corpus/{dataset}/clips.parquet",
        labels="results/corpus/{dataset}/labels.parquet",
        hygiene="results/corpus/{dataset}/hygiene.json",
    resources:
        **needs(mb=(1000, 0.005), minutes=(10, 0)),
    params:
        **stage(
            "corpus.manifest",
            lambda wildcards: PLAN.manifest(wildcards.dataset),
            places=lambda wildcards: PLAN.tables(wildcards.dataset),
            code=lambda wildcards: PLAN.manifest_code(wildcards.dataset),
        ),
    shell:
        COMMAND


rule clips:
    input:
        inspect=rules.inspect.output.part,
    output:
        clips="results/clips/{dataset}/{rate}/part-{shard}.parquet",
    resources:
        **needs(mb=(1000, 0), minutes=(10, 0.01)),
    params:
        **stage(
            "corpus.clips",
            lambda wildcards: PLAN.audio(wildcards.dataset),
            places=lambda wildcards: PLAN.folder(wildcards.dataset),
        ),
    shell:
        COMMAND


rule acoustics:
    input:
        clips=clips_described,
    output:
        acoustics="results/acoustics/{dataset}/part-{shard}.parquet",
    resources:
        **needs(mb=(1500, 0), minutes=(10, 0.02)),
    params:
        **stage("corpus.acoustics", lambda wildcards: PLAN.acoustics(wildcards.dataset)),
    shell:
        COMMAND
