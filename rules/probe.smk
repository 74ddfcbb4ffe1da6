"""Readouts to answers: shared folds, probes of every readout, inference over groups."""


rule folds:
    input:
        # not the manifest's labels: those change with every column, a task with its own alone
        scan=scanned,
        inspect=of_each_shard("results/corpus/{dataset}/inspect/part-{shard}.parquet"),
    output:
        folds="results/folds/{dataset}/{task}.parquet",
        summary="results/folds/{dataset}/{task}.json",
    log:
        "results/logs/folds/{dataset}.{task}.log",
    # a task that cannot be tested should be known before hours of embedding
    priority: 10
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("folds"),
    params:
        settings=settings("folds"),
        provenance=provenance("folds"),
    shell:
        "python -m stratavox.probe.folds --settings {params.settings:q}"
        " --provenance {params.provenance:q} --scan {input.scan:q} --inspect {input.inspect:q}"
        " --out-folds {output.folds:q} --out-summary {output.summary:q} 2>&1 | tee {log:q}"


rule confounds:
    input:
        scan=scanned,
        folds="results/folds/{dataset}/{task}.parquet",
    output:
        "results/confounds/{dataset}/{task}.json",
    log:
        "results/logs/confounds/{dataset}.{task}.log",
    priority: 10
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("confounds"),
    params:
        settings=settings("confounds"),
        provenance=provenance("confounds"),
    shell:
        "python -m stratavox.probe.confounds --settings {params.settings:q}"
        " --provenance {params.provenance:q} --scan {input.scan:q} --folds {input.folds:q}"
        " --out {output:q} 2>&1 | tee {log:q}"


rule linear:
    input:
        encoder="results/embeddings/{encoder}/{dataset}/encoder.json",
        folds="results/folds/{dataset}/{task}.parquet",
    output:
        scores="results/scores/{encoder}/{dataset}/{task}.parquet",
        predictions="results/predictions/{encoder}/{dataset}/{task}.parquet",
        weights="results/weights/{encoder}/{dataset}/{task}.parquet",
    log:
        "results/logs/linear/{encoder}.{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    threads: spare_cores
    resources:
        **needs("linear"),
    params:
        settings=settings("linear"),
        provenance=provenance("linear"),
        embeddings=subpath(input.encoder, parent=True),
    shell:
        "python -m stratavox.probe.linear --settings {params.settings:q}"
        " --provenance {params.provenance:q} --embeddings {params.embeddings:q}"
        " --folds {input.folds:q} --out-scores {output.scores:q}"
        " --out-predictions {output.predictions:q} --out-weights {output.weights:q}"
        " --threads {threads} 2>&1 | tee {log:q}"


rule notebook:
    input:
        encoder="results/embeddings/{encoder}/{dataset}/encoder.json",
        folds="results/folds/{dataset}/{task}.parquet",
    output:
        "results/notebook/{encoder}/{dataset}/{task}.parquet",
    log:
        "results/logs/notebook/{encoder}.{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("notebook"),
    params:
        settings=settings("notebook"),
        provenance=provenance("notebook"),
        embeddings=subpath(input.encoder, parent=True),
    shell:
        "python -m stratavox.probe.notebook --settings {params.settings:q}"
        " --provenance {params.provenance:q} --embeddings {params.embeddings:q}"
        " --folds {input.folds:q} --out {output:q} 2>&1 | tee {log:q}"


rule atlas:
    input:
        encoder="results/embeddings/{encoder}/{dataset}/encoder.json",
        folds="results/folds/{dataset}/{task}.parquet",
        acoustics=of_each_shard("results/acoustics/{dataset}/part-{shard}.parquet"),
    output:
        "results/atlas/{encoder}/{dataset}/{task}.parquet",
    log:
        "results/logs/atlas/{encoder}.{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    threads: spare_cores
    resources:
        **needs("atlas"),
    params:
        settings=settings("atlas"),
        provenance=provenance("atlas"),
        embeddings=subpath(input.encoder, parent=True),
    shell:
        "python -m stratavox.probe.atlas --settings {params.settings:q}"
        " --provenance {params.provenance:q} --embeddings {params.embeddings:q}"
        " --acoustics {input.acoustics:q} --folds {input.folds:q} --out {output:q}"
        " --threads {threads} 2>&1 | tee {log:q}"


rule conditional:
    input:
        encoder="results/embeddings/{encoder}/{dataset}/encoder.json",
        folds="results/folds/{dataset}/{task}.parquet",
        acoustics=of_each_shard("results/acoustics/{dataset}/part-{shard}.parquet"),
    output:
        "results/conditional/{encoder}/{dataset}/{task}.parquet",
    log:
        "results/logs/conditional/{encoder}.{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    threads: spare_cores
    resources:
        **needs("conditional"),
    params:
        settings=settings("conditional"),
        provenance=provenance("conditional"),
        embeddings=subpath(input.encoder, parent=True),
    shell:
        "python -m stratavox.probe.conditional --settings {params.settings:q}"
        " --provenance {params.provenance:q} --embeddings {params.embeddings:q}"
        " --acoustics {input.acoustics:q} --folds {input.folds:q} --out {output:q}"
        " --threads {threads} 2>&1 | tee {log:q}"


rule attention:
    input:
        folds="results/folds/{dataset}/{task}.parquet",
        tokens=of_each_shard("results/tokens/{encoder}/{dataset}/part-{shard}.parquet"),
    output:
        scores="results/token_scores/{encoder}/{dataset}/{task}.parquet",
        predictions="results/token_predictions/{encoder}/{dataset}/{task}.parquet",
    log:
        "results/logs/attention/{encoder}.{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("attention"),
    params:
        settings=settings("attention"),
        provenance=provenance("attention"),
    shell:
        "python -m stratavox.probe.attention --settings {params.settings:q}"
        " --provenance {params.provenance:q} --tokens {input.tokens:q} --folds {input.folds:q}"
        " --out-scores {output.scores:q} --out-predictions {output.predictions:q}"
        " --threads {threads} 2>&1 | tee {log:q}"


rule infer:
    input:
        **further_probes(),
        summary="results/folds/{dataset}/{task}.json",
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
        scores=of_each_encoder("results/scores/{encoder}/{dataset}/{task}.parquet"),
        predictions=of_each_encoder(
            "results/predictions/{encoder}/{dataset}/{task}.parquet"
        ),
        weights=of_each_encoder("results/weights/{encoder}/{dataset}/{task}.parquet"),
    output:
        **answers(),
    log:
        "results/logs/infer/{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("infer"),
    params:
        settings=settings("infer"),
        provenance=provenance("infer"),
        folder=subpath(output.summary, parent=True),
    shell:
        "python -m stratavox.inference.infer --settings {params.settings:q}"
        " --provenance {params.provenance:q} --folds-summary {input.summary:q}"
        " --encoders {input.encoders:q} --scores {input.scores:q}"
        " --predictions {input.predictions:q} --weights {input.weights:q}"
        " --conditional {input.conditional:q}"
        " --atlas {input.atlas:q} --token-scores {input.token_scores:q}"
        " --token-predictions {input.token_predictions:q} --out {params.folder:q}"
        " 2>&1 | tee {log:q}"
