"""Tables to figures and the report."""


rule task_figure:
    input:
        answers="results/answers/{dataset}/{task}/summary.json",
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
    output:
        **drawn("{dataset}/{task}/{figure}", "figure"),
    log:
        "results/logs/figures/{dataset}.{task}.{figure}.log",
    wildcard_constraints:
        figure="|".join(ANSWER_FIGURES),
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("figure"),
        provenance=provenance("figure"),
        answers=subpath(input.answers, parent=True),
        encoders=embedding_folders,
        stem=subpath(output.svg, strip_suffix=".svg"),
    shell:
        "python -m stratavox.report.{wildcards.figure} --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --task {wildcards.task} --answers {params.answers:q}"
        " --encoders {params.encoders:q}"
        " --out-stem {params.stem:q} 2>&1 | tee {log:q}"


rule protocol_figure:
    input:
        answers="results/answers/{dataset}/{task}/summary.json",
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
        notebook=of_each_encoder("results/notebook/{encoder}/{dataset}/{task}.parquet"),
    output:
        **drawn("{dataset}/{task}/protocol", "protocol"),
    log:
        "results/logs/figures/{dataset}.{task}.protocol.log",
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("figure", figure="protocol"),
        provenance=provenance("figure", figure="protocol"),
        answers=subpath(input.answers, parent=True),
        encoders=embedding_folders,
        notebook=paths_by_encoder("notebook"),
        stem=subpath(output.svg, strip_suffix=".svg"),
    shell:
        "python -m stratavox.report.protocol --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --task {wildcards.task} --answers {params.answers:q}"
        " --encoders {params.encoders:q} --notebook {params.notebook:q}"
        " --out-stem {params.stem:q} 2>&1 | tee {log:q}"


rule neighbours_figure:
    input:
        answers="results/answers/{dataset}/{task}/summary.json",
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
        neighbours=of_each_encoder(
            "results/geometry/{encoder}/{dataset}/{task}.neighbours.parquet"
        ),
    output:
        **drawn("{dataset}/{task}/neighbours", "neighbours"),
    log:
        "results/logs/figures/{dataset}.{task}.neighbours.log",
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("figure", figure="neighbours"),
        provenance=provenance("figure", figure="neighbours"),
        answers=subpath(input.answers, parent=True),
        encoders=embedding_folders,
        neighbours=paths_by_encoder("neighbours"),
        stem=subpath(output.svg, strip_suffix=".svg"),
    shell:
        "python -m stratavox.report.neighbours --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --task {wildcards.task} --answers {params.answers:q}"
        " --encoders {params.encoders:q} --neighbours {params.neighbours:q}"
        " --out-stem {params.stem:q} 2>&1 | tee {log:q}"


rule similarity_figure:
    input:
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
        similarity="results/similarity/{dataset}.parquet",
    output:
        **drawn("{dataset}/similarity", "similarity"),
    log:
        "results/logs/figures/{dataset}.similarity.log",
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("overview", figure="similarity"),
        provenance=provenance("overview", figure="similarity"),
        encoders=embedding_folders,
        stem=subpath(output.svg, strip_suffix=".svg"),
    shell:
        "python -m stratavox.report.similarity --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --encoders {params.encoders:q} --similarity {input.similarity:q}"
        " --out-stem {params.stem:q} 2>&1 | tee {log:q}"


rule shape_figure:
    input:
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
        shape=of_each_encoder("results/geometry/{encoder}/{dataset}/shape.parquet"),
    output:
        **drawn("{dataset}/shape", "shape"),
    log:
        "results/logs/figures/{dataset}.shape.log",
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("overview", figure="shape"),
        provenance=provenance("overview", figure="shape"),
        encoders=embedding_folders,
        shape=paths_by_encoder("shape"),
        stem=subpath(output.svg, strip_suffix=".svg"),
    shell:
        "python -m stratavox.report.shape --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --encoders {params.encoders:q} --shape {params.shape:q}"
        " --out-stem {params.stem:q} 2>&1 | tee {log:q}"


rule panels:
    input:
        umap="results/geometry/{encoder}/{dataset}/umap.parquet",
        folds="results/folds/{dataset}/{task}.parquet",
        summary="results/folds/{dataset}/{task}.json",
        encoder="results/embeddings/{encoder}/{dataset}/encoder.json",
    output:
        **drawn("{dataset}/{encoder}/umap_{task}", "umap"),
    log:
        "results/logs/panels/{encoder}.{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("panels"),
        provenance=provenance("panels"),
        embeddings=subpath(input.encoder, parent=True),
        stem=subpath(output.svg, strip_suffix=".svg"),
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
    params:
        index=index,
        provenance=provenance("summary"),
    shell:
        "python -m stratavox.report.summary --index {params.index:q}"
        " --provenance {params.provenance:q} --out results/report --tables {output.tables:q}"
        " 2>&1 | tee {log:q}"
