"""Tables to figures and the report."""


rule plotlyjs:
    output:
        script="results/figures/plotly.min.js",
    resources:
        **needs(mb=(500, 0), minutes=(5, 0)),
    params:
        **stage("report.plotlyjs"),
    shell:
        COMMAND


rule task_figures:
    input:
        answers=rules.infer.output.summary,
        encoders=of_each_encoder(rules.collect.output.encoder),
        neighbours=of_each_encoder(rules.neighbours.output.neighbours),
    output:
        **drawn("{dataset}/{task}/{figure}", "target"),
    resources:
        **needs(mb=(1500, 0.01), minutes=(15, 0)),
    params:
        **drawing("target"),
    shell:
        COMMAND


rule protocol_figure:
    input:
        answers=rules.infer.output.summary,
        encoders=of_each_encoder(rules.collect.output.encoder),
        notebook=of_each_encoder(rules.notebook.output.scores),
    output:
        **drawn("{dataset}/{task}/{figure}", "protocol"),
    resources:
        **needs(mb=(1500, 0.01), minutes=(15, 0)),
    params:
        **drawing("protocol"),
    shell:
        COMMAND


rule nuisance_figures:
    input:
        answers=rules.infer.output.summary,
        encoders=of_each_encoder(rules.collect.output.encoder),
    output:
        **drawn("{dataset}/nuisance/{task}/{figure}", "nuisance"),
    resources:
        **needs(mb=(1500, 0.01), minutes=(15, 0)),
    params:
        **drawing("nuisance"),
    shell:
        COMMAND


rule dataset_figures:
    input:
        encoders=of_each_encoder(rules.collect.output.encoder),
        similarity=rules.similarity.output.similarity,
        shape=of_each_encoder(rules.shape.output.shape),
    output:
        **drawn("{dataset}/{figure}", "dataset"),
    resources:
        **needs(mb=(1500, 0.01), minutes=(15, 0)),
    params:
        **drawing("dataset"),
    shell:
        COMMAND


rule panels:
    input:
        umap=rules.umap.output.umap,
        folds=rules.folds.output.folds,
        summary=rules.folds.output.summary,
        encoder=rules.collect.output.encoder,
    output:
        **drawn("{dataset}/{encoder}/{figure}_{task}", "map"),
    resources:
        **needs(mb=(1500, 0.01), minutes=(15, 0)),
    params:
        **drawing("map"),
    shell:
        COMMAND


rule listen:
    input:
        clips=of_each_shard(rules.acoustics.input.clips),
        inspect=of_each_shard(rules.inspect.output.part),
        folds=of_own_targets(rules.folds.output.folds),
    output:
        files=directory("results/report/clips/{dataset}"),
        table="results/report/clips/{dataset}.parquet",
    resources:
        **needs(mb=(1500, 0), minutes=(10, 0.001)),
    params:
        **stage("report.listen", lambda wildcards: PLAN.listening(wildcards.dataset)),
    shell:
        COMMAND


rule summary:
    input:
        report_tables(),
        figures(),
        index=ancient(INDEX),
    output:
        page=report(
            "results/report/summary.html",
            caption="../workflow/report/summary.rst",
            category="Summary",
        ),
        json="results/report/summary.json",
        config="results/report/config.yaml",
        tables=directory("results/tables"),
    resources:
        **needs(mb=(1500, 0.01), minutes=(15, 0)),
    params:
        **stage(
            "report.summary",
            code=lambda wildcards: [f"report.figures.{name}" for name in FIGURES],
            content=lambda wildcards: [digest(index()), *templates("*")],
        ),
    shell:
        COMMAND
