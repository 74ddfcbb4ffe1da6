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


rule classification_figures:
    input:
        answers=rules.infer.output.summary,
        encoders=of_each_encoder(rules.collect.output.encoder),
        neighbours=of_each_encoder(rules.neighbours.output.neighbours),
    output:
        **drawn("{dataset}/{task}/{figure}", "target"),
    resources:
        **needs(mb=(1500, 0.01), minutes=(15, 0)),
    params:
        **in_report("target"),
    shell:
        COMMAND


rule regression_figures:
    input:
        answers=rules.infer.output.summary,
        encoders=of_each_encoder(rules.collect.output.encoder),
    output:
        **drawn("{dataset}/regression/{task}/{figure}", "regression"),
    resources:
        **needs(mb=(1500, 0.01), minutes=(15, 0)),
    params:
        **in_report("regression"),
    shell:
        COMMAND


use rule regression_figures as multilabel_figures with:
    output:
        **drawn("{dataset}/multilabel/{task}/{figure}", "multilabel"),
    params:
        **in_report("multilabel"),


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
        **in_report("protocol"),
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
        **in_report("nuisance"),
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
        **in_report("dataset"),
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
        **in_report("map"),
    shell:
        COMMAND


rule listen:
    input:
        clips=all_clips_described,
        inspect=of_each_shard(rules.inspect.output.part),
        folds=of_own_targets(rules.folds.output.folds),
    output:
        files=directory("results/report/clips/{dataset}"),
        table="results/report/clips/{dataset}.parquet",
    resources:
        **needs(mb=(1500, 0), minutes=(10, 0.001)),
    params:
        **stage("report.listen", SETTINGS.listening),
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
            code=lambda: [f"report.figures.{name}" for name in FIGURES],
            content=lambda: [digest(index()), *templates("*")],
        ),
    shell:
        COMMAND


# ---- for papers: the same figures alone, in widths of journals (mm) ----


use rule classification_figures as classification_figures_for_paper with:
    output:
        **drawn_for_paper("{dataset}/{task}/{figure}", "target"),
    params:
        **drawing("target", "report.journal"),


use rule regression_figures as regression_figures_for_paper with:
    output:
        **drawn_for_paper("{dataset}/regression/{task}/{figure}", "regression"),
    params:
        **drawing("regression", "report.journal"),


use rule multilabel_figures as multilabel_figures_for_paper with:
    output:
        **drawn_for_paper("{dataset}/multilabel/{task}/{figure}", "multilabel"),
    params:
        **drawing("multilabel", "report.journal"),


use rule protocol_figure as protocol_figure_for_paper with:
    output:
        **drawn_for_paper("{dataset}/{task}/{figure}", "protocol"),
    params:
        **drawing("protocol", "report.journal"),


use rule nuisance_figures as nuisance_figures_for_paper with:
    output:
        **drawn_for_paper("{dataset}/nuisance/{task}/{figure}", "nuisance"),
    params:
        **drawing("nuisance", "report.journal"),


use rule dataset_figures as dataset_figures_for_paper with:
    output:
        **drawn_for_paper("{dataset}/{figure}", "dataset"),
    params:
        **drawing("dataset", "report.journal"),


use rule panels as panels_for_paper with:
    output:
        **drawn_for_paper("{dataset}/{encoder}/{figure}_{task}", "map"),
    params:
        **drawing("map", "report.journal"),


rule paper_figures:
    input:
        lambda wildcards: [
            f"results/paper/{width}mm/{os.path.relpath(stem, 'results/figures')}.{form}"
            for width in (85, 180)
            for stem in figure_stems()
            for form in ("svg", "pdf", "txt")
        ],
