"""Readouts to their geometry: likeness, rank, neighbours, and maps for looking."""


rule umap:
    input:
        encoder=rules.collect.output.encoder,
    output:
        umap="results/geometry/{encoder}/{dataset}/umap.parquet",
    resources:
        **needs(mb=(2000, 0.1), minutes=(20, 0.01), at_most=mapped_clips),
    params:
        **stage("geometry.umap", lambda: PLAN.config["figures"]["umap"]),
    shell:
        COMMAND


rule similarity:
    input:
        encoders=of_each_encoder(rules.collect.output.encoder),
    output:
        similarity="results/similarity/{dataset}.parquet",
    resources:
        **needs(mb=(2000, 0.2), minutes=(10, 0.01), at_most=compared_clips),
    params:
        **stage("geometry.similarity", of_geometry("max_clips", "seed")),
    shell:
        COMMAND


rule shape:
    input:
        encoder=rules.collect.output.encoder,
    output:
        shape="results/geometry/{encoder}/{dataset}/shape.parquet",
    resources:
        **needs(mb=(2000, 0.001), minutes=(10, 0.005)),
    params:
        **stage("geometry.shape", of_geometry("matched_clips", "draws", "seed")),
    shell:
        COMMAND


rule neighbours:
    input:
        encoder=rules.collect.output.encoder,
        folds=rules.folds.output.folds,
    output:
        neighbours="results/geometry/{encoder}/{dataset}/{task}.neighbours.parquet",
    resources:
        **needs(mb=(1500, 0.1), minutes=(10, 0.02), at_most=compared_clips),
    params:
        **stage("geometry.neighbours", of_geometry("max_clips", "seed")),
    shell:
        COMMAND
