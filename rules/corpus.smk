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
        **stage("corpus.generate", SETTINGS.generation),
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
            SETTINGS.archive_identity,
            places=SETTINGS.archive_source,
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
        **stage("corpus.arrange", SETTINGS.arrangement, code=SETTINGS.layout_code),
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
            SETTINGS.extraction,
            places=SETTINGS.parquet_files,
            code=SETTINGS.extraction_code,
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
        **stage("corpus.inspect", SETTINGS.shard, places=SETTINGS.folder),
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
            SETTINGS.manifest,
            places=SETTINGS.tables,
            code=SETTINGS.manifest_code,
        ),
    shell:
        COMMAND


rule clips:
    input:
        inspect=rules.inspect.output.part,
    output:
        clips="results/clips/{dataset}/{rate}/part-{shard}.parquet",
    resources:
        **needs(mb=(1500, 0), minutes=(10, 0.01)),
    params:
        **stage("corpus.clips", SETTINGS.audio, places=SETTINGS.folder),
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
        **stage("corpus.acoustics", SETTINGS.acoustics),
    shell:
        COMMAND
