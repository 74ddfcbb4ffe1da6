"""Clips to readouts: one pass of the encoder a shard, then one table a readout."""


rule fetch_weights:
    output:
        receipt="results/downloads/weights/{encoder}.json",
    # the machine that Snakemake runs on has the network
    localrule: True
    params:
        **stage("encoders.hub", SETTINGS.published, versioned=False),
    shell:
        COMMAND


rule part:
    input:
        clips=clips_at_rate,
        receipt=receipt_of_weights,
    output:
        part="results/parts/{encoder}/{dataset}/part-{shard}.parquet",
    resources:
        **needs(mb=(3500, 0), minutes=(20, 0.05)),
    params:
        **stage(
            "embed.part",
            SETTINGS.encoder_in_key,
            places=SETTINGS.encoder,
            code=SETTINGS.family_code,
            content=SETTINGS.weights,
        ),
    shell:
        COMMAND


rule collect:
    input:
        parts=of_each_shard(rules.part.output.part),
    output:
        # written last; the readouts are beside it
        encoder="results/embeddings/{encoder}/{dataset}/encoder.json",
    resources:
        **needs(mb=(2500, 0.001), minutes=(10, 0.002)),
    params:
        **stage("embed.collect"),
    shell:
        COMMAND


rule tokens:
    input:
        clips=clips_at_rate,
        receipt=receipt_of_weights,
    output:
        tokens="results/tokens/{encoder}/{dataset}/part-{shard}.parquet",
    resources:
        **needs(mb=(3500, 0.8), minutes=(20, 0.05)),
    params:
        **stored_tokens("attention"),
    shell:
        COMMAND


use rule tokens as all_tokens with:
    output:
        tokens="results/all_tokens/{encoder}/{dataset}/part-{shard}.parquet",
    params:
        **stored_tokens("all_blocks"),
