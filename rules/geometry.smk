"""Readouts to maps: coordinates for looking, never for evidence."""


rule umap:
    input:
        "results/embeddings/{encoder}/{dataset}/encoder.json",
    output:
        "results/geometry/{encoder}/{dataset}/umap.parquet",
    log:
        "results/logs/umap/{encoder}.{dataset}.log",
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("umap"),
        provenance=provenance("umap"),
        embeddings=subpath(input[0], parent=True),
    shell:
        "python -m stratavox.geometry.umap --settings {params.settings:q}"
        " --provenance {params.provenance:q} --embeddings {params.embeddings:q} --out {output:q}"
        " 2>&1 | tee {log:q}"
