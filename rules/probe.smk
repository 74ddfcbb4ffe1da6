"""Readouts to answers: shared folds, probes of every readout, inference over groups."""


rule folds:
    input:
        # not the manifest's labels: those change with every column, a task with its own alone
        scan=scanned,
        inspect=of_each_shard(rules.inspect.output.part),
    output:
        folds="results/folds/{dataset}/{task}.parquet",
        summary="results/folds/{dataset}/{task}.json",
    # a task that cannot be tested should be known before hours of embedding
    priority: 10
    resources:
        **needs(mb=(1000, 0.005), minutes=(10, 0.001)),
    params:
        **stage(
            "probe.folds",
            SETTINGS.folds,
            places=SETTINGS.tables,
            code=lambda dataset, task: [
                *SETTINGS.reader_code(dataset),
                PLAN.kind(dataset, task).folds,
            ],
        ),
    shell:
        COMMAND


rule confounds:
    input:
        scan=scanned,
        folds=rules.folds.output.folds,
    output:
        confounds="results/confounds/{dataset}/{task}.json",
    priority: 10
    resources:
        **needs(mb=(1000, 0.005), minutes=(10, 0.001)),
    params:
        **stage(
            "probe.confounds",
            SETTINGS.confounds,
            places=SETTINGS.tables,
            code=SETTINGS.reader_code,
        ),
    shell:
        COMMAND


rule linear:
    input:
        encoder=rules.collect.output.encoder,
        folds=rules.folds.output.folds,
    output:
        scores="results/scores/{encoder}/{dataset}/{task}.parquet",
        predictions="results/predictions/{encoder}/{dataset}/{task}.parquet",
        layer_weights="results/layer_weights/{encoder}/{dataset}/{task}.parquet",
    threads: spare_cores
    resources:
        **needs(mb=(2000, 0.25), minutes=(30, 0.1), at_most=probed_clips),
    params:
        **stage(
            "probe.linear",
            SETTINGS.linear,
            code=lambda dataset, task: [PLAN.kind(dataset, task).probe],
        ),
    shell:
        COMMAND


rule samples:
    input:
        encoder=rules.collect.output.encoder,
        folds=rules.folds.output.folds,
    output:
        samples="results/samples/{encoder}/{dataset}/{task}.parquet",
    threads: spare_cores
    resources:
        **needs(mb=(2000, 0.25), minutes=(10, 0.03), at_most=probed_clips),
    params:
        **stage("probe.samples", of_probes("samples", "seed")),
    shell:
        COMMAND


rule notebook:
    input:
        encoder=rules.collect.output.encoder,
        folds=rules.folds.output.folds,
    output:
        scores="results/notebook/{encoder}/{dataset}/{task}.parquet",
    resources:
        **needs(mb=(1500, 0.05), minutes=(10, 0.02), at_most=probed_clips),
    params:
        **stage("probe.notebook"),
    shell:
        COMMAND


rule atlas:
    input:
        encoder=rules.collect.output.encoder,
        folds=rules.folds.output.folds,
        acoustics=of_each_shard(rules.acoustics.output.acoustics),
    output:
        atlas="results/atlas/{encoder}/{dataset}/{task}.parquet",
    threads: spare_cores
    resources:
        **needs(mb=(2000, 0.25), minutes=(20, 0.05), at_most=probed_clips),
    params:
        **stage("probe.atlas", of_probes("inner_folds", "seed")),
    shell:
        COMMAND


rule conditional:
    input:
        encoder=rules.collect.output.encoder,
        folds=rules.folds.output.folds,
        acoustics=of_each_shard(rules.acoustics.output.acoustics),
    output:
        predictions="results/conditional/{encoder}/{dataset}/{task}.parquet",
    threads: spare_cores
    resources:
        **needs(mb=(2000, 0.25), minutes=(20, 0.05), at_most=probed_clips),
    params:
        **stage("probe.conditional", of_probes("inner_folds", "c_grid", "seed")),
    shell:
        COMMAND


rule erasure:
    input:
        encoder=rules.collect.output.encoder,
        folds=rules.folds.output.folds,
        scan=scanned,
        scores=rules.linear.output.scores,
    output:
        predictions="results/erasure/{encoder}/{dataset}/{task}.parquet",
        columns="results/erasure/{encoder}/{dataset}/{task}.json",
    threads: spare_cores
    resources:
        **needs(mb=(2000, 0.25), minutes=(20, 0.05), at_most=probed_clips),
    params:
        **stage(
            "probe.erasure",
            SETTINGS.erasure,
            places=SETTINGS.tables,
            code=SETTINGS.reader_code,
        ),
    shell:
        COMMAND


rule attention:
    input:
        folds=rules.folds.output.folds,
        tokens=of_each_shard(rules.tokens.output.tokens),
    output:
        scores="results/token_scores/{encoder}/{dataset}/{task}.parquet",
        predictions="results/token_predictions/{encoder}/{dataset}/{task}.parquet",
    resources:
        **needs(mb=(3000, 0.8), minutes=(60, 0.5), at_most=probed_clips),
    params:
        **stage("probe.attention", SETTINGS.attention),
    shell:
        COMMAND


rule all_blocks:
    input:
        folds=rules.folds.output.folds,
        tokens=of_each_shard(rules.all_tokens.output.tokens),
    output:
        scores="results/all_blocks_scores/{encoder}/{dataset}/{task}.parquet",
        predictions="results/all_blocks_predictions/{encoder}/{dataset}/{task}.parquet",
        weights="results/all_blocks_weights/{encoder}/{dataset}/{task}.parquet",
    resources:
        **needs(mb=(5000, 0.8), minutes=(60, 2), at_most=probed_clips),
    params:
        **stage("probe.all_blocks", SETTINGS.all_blocks),
    shell:
        COMMAND


rule infer:
    input:
        summary=rules.folds.output.summary,
        encoders=of_each_encoder(rules.collect.output.encoder),
        scores=of_each_encoder(rules.linear.output.scores),
        predictions=of_each_encoder(rules.linear.output.predictions),
        layer_weights=of_each_encoder(rules.linear.output.layer_weights),
        samples=of_encoders(rules.samples.output.samples, PLAN.sampled),
        atlas=of_encoders(rules.atlas.output.atlas, PLAN.described),
        conditional=of_encoders(rules.conditional.output.predictions, PLAN.conditioned),
        erasure=of_encoders(rules.erasure.output.predictions, PLAN.erased),
        erased=of_encoders(rules.erasure.output.columns, PLAN.erased),
        token_scores=of_encoders(rules.attention.output.scores, PLAN.attended),
        token_predictions=of_encoders(rules.attention.output.predictions, PLAN.attended),
        all_blocks_scores=of_encoders(
            rules.all_blocks.output.scores, PLAN.on_all_blocks
        ),
        all_blocks_predictions=of_encoders(
            rules.all_blocks.output.predictions, PLAN.on_all_blocks
        ),
        all_blocks_weights=of_encoders(
            rules.all_blocks.output.weights, PLAN.on_all_blocks
        ),
    output:
        **{
            name: f"results/answers/{{dataset}}/{{task}}/{name}.parquet"
            for name in ANSWERS
        },
        summary="results/answers/{dataset}/{task}/summary.json",
    resources:
        **needs(mb=(1500, 0.05), minutes=(20, 0.01), at_most=probed_clips),
    params:
        **stage(
            "inference.infer",
            SETTINGS.inference,
            code=lambda dataset, task: [
                *(f"inference.answers.{name}" for name in ANSWERS),
                PLAN.kind(dataset, task).inference,
            ],
        ),
    shell:
        COMMAND


rule verdicts:
    input:
        trends=of_each_target(rules.infer.output.trends),
        depths=of_each_target(rules.infer.output.depths),
    output:
        verdicts="results/answers/verdicts.parquet",
    resources:
        **needs(mb=(500, 0), minutes=(5, 0)),
    params:
        **stage("inference.verdicts"),
    shell:
        COMMAND
