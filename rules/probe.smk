"""Readouts to scores: shared folds, linear probes of every readout, estimates over groups."""


rule folds:
    input:
        # not the manifest's labels: those change with every column, a task with its own alone
        scan=scanned,
        inspect=inspected,
    output:
        folds="results/folds/{dataset}/{task}.parquet",
        summary="results/folds/{dataset}/{task}.json",
    log:
        "results/logs/folds/{dataset}.{task}.log",
    # a task that cannot be tested should be known before hours of embedding
    priority: 10
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("folds"),
        provenance=provenance("folds"),
    shell:
        "python -m stratavox.probe.folds --settings {params.settings:q}"
        " --provenance {params.provenance:q} --scan {input.scan:q} --inspect {input.inspect:q}"
        " --out-folds {output.folds:q} --out-summary {output.summary:q} 2>&1 | tee {log:q}"


rule linear:
    input:
        encoder="results/embeddings/{encoder}/{dataset}/encoder.json",
        folds="results/folds/{dataset}/{task}.parquet",
    output:
        scores="results/scores/{encoder}/{dataset}/{task}.parquet",
        predictions="results/predictions/{encoder}/{dataset}/{task}.parquet",
    log:
        "results/logs/linear/{encoder}.{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    threads: 4
    params:
        settings=settings("linear"),
        provenance=provenance("linear"),
        embeddings=subpath(input.encoder, parent=True),
    shell:
        "python -m stratavox.probe.linear --settings {params.settings:q}"
        " --provenance {params.provenance:q} --embeddings {params.embeddings:q}"
        " --folds {input.folds:q} --out-scores {output.scores:q}"
        " --out-predictions {output.predictions:q} --threads {threads} 2>&1 | tee {log:q}"


rule infer:
    input:
        summary="results/folds/{dataset}/{task}.json",
        scores=of_each_encoder("results/scores/{encoder}/{dataset}/{task}.parquet"),
        predictions=of_each_encoder(
            "results/predictions/{encoder}/{dataset}/{task}.parquet"
        ),
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
    output:
        estimates="results/estimates/{dataset}/{task}.parquet",
        contrasts="results/contrasts/{dataset}/{task}.parquet",
        summary="results/estimates/{dataset}/{task}.json",
    log:
        "results/logs/infer/{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("infer"),
        provenance=provenance("infer"),
    shell:
        "python -m stratavox.probe.infer --settings {params.settings:q}"
        " --provenance {params.provenance:q} --folds-summary {input.summary:q}"
        " --scores {input.scores:q} --predictions {input.predictions:q}"
        " --encoders {input.encoders:q} --out-estimates {output.estimates:q}"
        " --out-contrasts {output.contrasts:q} --out-summary {output.summary:q}"
        " 2>&1 | tee {log:q}"
