"""Readouts to their geometry: likeness, rank, neighbours, and maps for looking."""


rule umap:
    input:
        "results/embeddings/{encoder}/{dataset}/encoder.json",
    output:
        "results/geometry/{encoder}/{dataset}/umap.parquet",
    log:
        "results/logs/umap/{encoder}.{dataset}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("umap"),
    params:
        settings=settings("umap"),
        provenance=provenance("umap"),
        embeddings=subpath(input[0], parent=True),
    shell:
        "python -m stratavox.geometry.umap --settings {params.settings:q}"
        " --provenance {params.provenance:q} --embeddings {params.embeddings:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule similarity:
    input:
        of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
    output:
        "results/similarity/{dataset}.parquet",
    log:
        "results/logs/similarity/{dataset}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("similarity"),
    params:
        settings=settings("similarity"),
        provenance=provenance("similarity"),
        embeddings=of_each_encoder("results/embeddings/{encoder}/{dataset}"),
    shell:
        "python -m stratavox.geometry.similarity --settings {params.settings:q}"
        " --provenance {params.provenance:q} --embeddings {params.embeddings:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule shape:
    input:
        "results/embeddings/{encoder}/{dataset}/encoder.json",
    output:
        "results/geometry/{encoder}/{dataset}/shape.parquet",
    log:
        "results/logs/shape/{encoder}.{dataset}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("shape"),
    params:
        settings=settings("shape"),
        provenance=provenance("shape"),
        embeddings=subpath(input[0], parent=True),
    shell:
        "python -m stratavox.geometry.shape --settings {params.settings:q}"
        " --provenance {params.provenance:q} --embeddings {params.embeddings:q} --out {output:q}"
        " 2>&1 | tee {log:q}"


rule neighbours:
    input:
        encoder="results/embeddings/{encoder}/{dataset}/encoder.json",
        folds="results/folds/{dataset}/{task}.parquet",
    output:
        "results/geometry/{encoder}/{dataset}/{task}.neighbours.parquet",
    log:
        "results/logs/neighbours/{encoder}.{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("neighbours"),
    params:
        settings=settings("neighbours"),
        provenance=provenance("neighbours"),
        embeddings=subpath(input.encoder, parent=True),
    shell:
        "python -m stratavox.geometry.neighbours --settings {params.settings:q}"
        " --provenance {params.provenance:q} --embeddings {params.embeddings:q}"
        " --folds {input.folds:q} --out {output:q} 2>&1 | tee {log:q}"
