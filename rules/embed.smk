"""Clips to readouts: one pass of the encoder a shard, then one table a readout."""


rule weights:
    output:
        "results/downloads/weights/{encoder}.json",
    log:
        "results/logs/weights/{encoder}.log",
    # the machine that Snakemake runs on has the network
    localrule: True
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("weights"),
        provenance=provenance("weights"),
    shell:
        "python -m stratavox.encoders.hub --settings {params.settings:q}"
        " --provenance {params.provenance:q} --out {output:q} 2>&1 | tee {log:q}"


rule part:
    input:
        unpack(fed),
    output:
        "results/parts/{encoder}/{dataset}/part-{shard}.parquet",
    log:
        "results/logs/part/{encoder}.{dataset}.{shard}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("part"),
    params:
        settings=settings("part"),
        provenance=provenance("part"),
    shell:
        "python -m stratavox.embed.part --settings {params.settings:q}"
        " --provenance {params.provenance:q} --clips {input.clips:q} --out {output:q}"
        " --threads {threads} 2>&1 | tee {log:q}"


rule collect:
    input:
        of_each_shard("results/parts/{encoder}/{dataset}/part-{shard}.parquet"),
    output:
        # written last; the readouts stand beside it
        "results/embeddings/{encoder}/{dataset}/encoder.json",
    log:
        "results/logs/collect/{encoder}.{dataset}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("collect"),
    params:
        settings=settings("collect"),
        provenance=provenance("collect"),
        folder=subpath(output[0], parent=True),
    shell:
        "python -m stratavox.embed.collect --settings {params.settings:q}"
        " --provenance {params.provenance:q} --parts {input:q} --out {params.folder:q}"
        " 2>&1 | tee {log:q}"


rule tokens:
    input:
        unpack(fed),
    output:
        "results/tokens/{encoder}/{dataset}/part-{shard}.parquet",
    log:
        "results/logs/tokens/{encoder}.{dataset}.{shard}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("tokens"),
    params:
        settings=settings("tokens"),
        provenance=provenance("tokens"),
    shell:
        "python -m stratavox.embed.tokens --settings {params.settings:q}"
        " --provenance {params.provenance:q} --clips {input.clips:q} --out {output:q}"
        " --threads {threads} 2>&1 | tee {log:q}"
