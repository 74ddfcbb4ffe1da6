"""Tables to figures and the report."""


rule layers:
    input:
        estimates="results/estimates/{dataset}/{task}.parquet",
        summary="results/estimates/{dataset}/{task}.json",
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
    output:
        **drawn("{dataset}/{task}/layers", "layers"),
    log:
        "results/logs/layers/{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("layers"),
        provenance=provenance("layers"),
        encoders=embedding_folders,
        stem=subpath(output.svg, strip_suffix=".svg"),
    shell:
        "python -m stratavox.report.layers --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --task {wildcards.task} --estimates {input.estimates:q} --summary {input.summary:q}"
        " --encoders {params.encoders:q} --out-stem {params.stem:q} 2>&1 | tee {log:q}"


rule comparison:
    input:
        estimates="results/estimates/{dataset}/{task}.parquet",
        summary="results/estimates/{dataset}/{task}.json",
        encoders=of_each_encoder("results/embeddings/{encoder}/{dataset}/encoder.json"),
    output:
        **drawn("{dataset}/{task}/comparison", "comparison"),
    log:
        "results/logs/comparison/{dataset}.{task}.log",
    conda:
        "../envs/stratavox.yaml"
    params:
        settings=settings("comparison"),
        provenance=provenance("comparison"),
        encoders=embedding_folders,
        stem=subpath(output.svg, strip_suffix=".svg"),
    shell:
        "python -m stratavox.report.comparison --settings {params.settings:q}"
        " --provenance {params.provenance:q} --dataset {wildcards.dataset}"
        " --task {wildcards.task} --estimates {input.estimates:q} --summary {input.summary:q}"
        " --encoders {params.encoders:q} --out-stem {params.stem:q} 2>&1 | tee {log:q}"


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
