"""Tables to figures and the report."""


rule task_figures:
    input:
        answers="results/answers/{dataset}/{task}/summary.json",
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
        neighbours=of_each_encoder(
            "results/geometry/{encoder}/{dataset}/{task}.neighbours.parquet"
        ),
    output:
        **drawn("{dataset}/{task}", TASK_FIGURES),
    log:
        "results/logs/figures/{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("figures"),
    params:
        settings=settings("task_figures"),
        provenance=provenance("task_figures"),
        answers=subpath(input.answers, parent=True),
        encoders=embedding_folders,
        neighbours=paths_by_encoder("neighbours"),
        folder=subpath(output[0], parent=True),
    shell:
        "python -m stratavox.report.draw --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --task {wildcards.task} --answers {params.answers:q} --encoders {params.encoders:q}"
        " --neighbours {params.neighbours:q} --out {params.folder:q} 2>&1 | tee {log:q}"


rule protocol_figure:
    input:
        answers="results/answers/{dataset}/{task}/summary.json",
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
        notebook=of_each_encoder("results/notebook/{encoder}/{dataset}/{task}.parquet"),
    output:
        **drawn("{dataset}/{task}", ["protocol"]),
    log:
        "results/logs/figures/{dataset}.{task}.protocol.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("figures"),
    params:
        settings=settings("protocol_figure"),
        provenance=provenance("protocol_figure"),
        answers=subpath(input.answers, parent=True),
        encoders=embedding_folders,
        notebook=paths_by_encoder("notebook"),
        folder=subpath(output[0], parent=True),
    shell:
        "python -m stratavox.report.draw --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --task {wildcards.task} --answers {params.answers:q} --encoders {params.encoders:q}"
        " --notebook {params.notebook:q} --out {params.folder:q} 2>&1 | tee {log:q}"


rule nuisance_figures:
    input:
        answers="results/answers/{dataset}/{task}/summary.json",
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
    output:
        **drawn("{dataset}/nuisance/{task}", NUISANCE_FIGURES),
    log:
        "results/logs/figures/{dataset}.{task}.nuisance.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("figures"),
    params:
        settings=settings("nuisance_figures"),
        provenance=provenance("nuisance_figures"),
        answers=subpath(input.answers, parent=True),
        encoders=embedding_folders,
        folder=subpath(output[0], parent=True),
    shell:
        "python -m stratavox.report.draw --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --task {wildcards.task} --answers {params.answers:q} --encoders {params.encoders:q}"
        " --out {params.folder:q} 2>&1 | tee {log:q}"


rule dataset_figures:
    input:
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
        similarity="results/similarity/{dataset}.parquet",
        shape=of_each_encoder("results/geometry/{encoder}/{dataset}/shape.parquet"),
    output:
        **drawn("{dataset}", DATASET_FIGURES),
    log:
        "results/logs/figures/{dataset}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("figures"),
    params:
        settings=settings("dataset_figures"),
        provenance=provenance("dataset_figures"),
        encoders=embedding_folders,
        shape=paths_by_encoder("shape"),
        folder=subpath(output[0], parent=True),
    shell:
        "python -m stratavox.report.overview --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --encoders {params.encoders:q} --similarity {input.similarity:q}"
        " --shape {params.shape:q} --out {params.folder:q} 2>&1 | tee {log:q}"


rule panels:
    input:
        umap="results/geometry/{encoder}/{dataset}/umap.parquet",
        folds="results/folds/{dataset}/{task}.parquet",
        summary="results/folds/{dataset}/{task}.json",
        encoder="results/embeddings/{encoder}/{dataset}/encoder.json",
    output:
        **drawn("{dataset}/{encoder}", ["umap_{task}"]),
    log:
        "results/logs/panels/{encoder}.{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("figures"),
    params:
        settings=settings("panels"),
        provenance=provenance("panels"),
        embeddings=subpath(input.encoder, parent=True),
        stem=subpath(output[0], strip_suffix=".svg"),
    shell:
        "python -m stratavox.report.panels --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --task {wildcards.task} --encoder {wildcards.encoder} --umap {input.umap:q}"
        " --folds {input.folds:q} --folds-json {input.summary:q}"
        " --embeddings {params.embeddings:q} --out-stem {params.stem:q} 2>&1 | tee {log:q}"


rule summary:
    input:
        report_tables(),
        figures(),
    output:
        page=report(
            "results/report/summary.html",
            caption="../workflow/report/summary.rst",
            category="Summary",
        ),
        json="results/report/summary.json",
        config="results/report/config.yaml",
        tables=directory("results/tables"),
    log:
        "results/logs/summary.log",
    conda:
        "../envs/stratavox.yaml"
    resources:
        **needs("summary"),
    params:
        index=index,
        provenance=provenance("summary"),
    shell:
        "python -m stratavox.report.summary --index {params.index:q}"
        " --provenance {params.provenance:q} --out results/report --tables {output.tables:q}"
        " 2>&1 | tee {log:q}"
