"""Whether the tables in results/ are what the config, the code and the data would make now.

Each table carries the key of what it was made of, so this holds even where Snakemake's own records
(.snakemake/) are lost or times of files say nothing.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from stratavox import records, tables
from stratavox.encoders.catalogue import BASELINE_RATE
from stratavox.errors import BrokenFile, StratavoxError
from stratavox.plan import Plan, plan_of

# Where each stage writes; the wildcards are what the plan's method of that name takes.
PATHS = {
    "inspect": ["corpus/{dataset}/inspect/part-{shard}"],
    "manifest": ["corpus/{dataset}/clips", "corpus/{dataset}/labels"],
    "clips": ["clips/{dataset}/{rate}/part-{shard}"],
    "acoustics": ["acoustics/{dataset}/part-{shard}"],
    "part": ["parts/{encoder}/{dataset}/part-{shard}"],
    "collect": ["embeddings/{encoder}/{dataset}/{readout}"],
    "tokens": ["tokens/{encoder}/{dataset}/part-{shard}"],
    "folds": ["folds/{dataset}/{task}"],
    "linear": [f"{kind}/{{encoder}}/{{dataset}}/{{task}}" for kind in ("scores", "predictions")]
    + ["weights/{encoder}/{dataset}/{task}"],
    "notebook": ["notebook/{encoder}/{dataset}/{task}"],
    "atlas": ["atlas/{encoder}/{dataset}/{task}"],
    "conditional": ["conditional/{encoder}/{dataset}/{task}"],
    "attention": ["token_scores/{encoder}/{dataset}/{task}"]
    + ["token_predictions/{encoder}/{dataset}/{task}"],
    "infer": ["answers/{dataset}/{task}/{table}"],
    "umap": ["geometry/{encoder}/{dataset}/umap"],
    "shape": ["geometry/{encoder}/{dataset}/shape"],
    "neighbours": ["geometry/{encoder}/{dataset}/{task}.neighbours"],
    "similarity": ["similarity/{dataset}"],
}
SHAPES = [
    (stage, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/.]+)", re.escape(p)) + r"\.parquet"))
    for stage, patterns in PATHS.items()
    for p in patterns
]
FRESH, STALE, BROKEN, OTHER = "fresh", "stale", "broken", "of no run of this config"


def verify(config: Path, root: Path) -> None:
    """Print how many tables below ``root``/results are fresh, and the path of each other one.

    Every page is read; the next run makes again what is broken. Raises `StratavoxError` where a
    table is stale or broken.
    """
    try:
        text = config.read_text(encoding="utf-8")
    except OSError as error:
        raise StratavoxError(f"{config}: cannot be read ({error.strerror})") from None
    found = compare(plan_of(text, root), root)
    for state in (FRESH, STALE, BROKEN, OTHER):
        paths = sorted(path for path, was in found.items() if was == state)
        print(f"{len(paths)} of {len(found)} tables {state}")
        if state != FRESH:
            print("".join(f"  {path}\n" for path in paths), end="")
    for path in (path for path, was in found.items() if was == BROKEN):
        records.unfinish(root, output_of(f"results/{path}", place_of(path)))
    if {STALE, BROKEN} & set(found.values()):
        raise StratavoxError(
            f"{root / 'results'}: holds stale or broken tables, listed above; run the workflow "
            "again with the same config, and it makes them again"
        )


def compare(plan: Plan, root: Path) -> dict[str, str]:
    """State of every table below ``root``/results but the scans, which every run makes anew."""
    results = root / "results"
    paths = [path.relative_to(results) for path in results.rglob("*.parquet")]
    paths = [p for p in paths if p.name != "scan.parquet" and not p.name.startswith(".")]
    return {p.as_posix(): _state(plan, results / p, place_of(p.as_posix())) for p in paths}


def _state(plan: Plan, path: Path, place: tuple[str, dict] | None) -> str:
    if place is None or not asked(plan, *place):
        return OTHER
    try:
        key = tables.read_provenance(path).get("key")
        tables.check_pages(path)
    except BrokenFile:
        return BROKEN
    return FRESH if key == wanted(plan, *place) else STALE


def wanted(plan: Plan, stage: str, values: dict[str, str]) -> str:
    """The key that a table of the stage would be given now."""
    method = getattr(plan, stage)
    made = method(**{k: values[k] for k in inspect.signature(method).parameters})
    return made["provenance"]["key"]


def place_of(name: str) -> tuple[str, dict[str, str]] | None:
    """The stage that writes a table of this name, and its wildcards."""
    for stage, shape in SHAPES:
        if match := shape.fullmatch(name):
            return stage, match.groupdict()
    return None


def output_of(path: str, place: tuple[str, dict[str, str]] | None) -> str:
    """The output of a rule that the table at ``path`` is, or comes with."""
    collected = place is not None and place[0] == "collect"
    return str(Path(path).with_name("encoder.json")) if collected else path


def asked(plan: Plan, stage: str, values: dict[str, str]) -> bool:
    """Whether the run makes this table of the stage."""
    dataset = values["dataset"]
    if dataset not in plan.datasets:
        return False
    encoder = values.get("encoder", next(iter(plan.encoders)))
    task = values.get("task", plan.tasks(dataset)[0])
    tasks = plan.tasks(dataset)
    of_this_run = {
        "clips": lambda: int(values["rate"]) in {BASELINE_RATE, *map(plan.rate, plan.encoders)},
        "tokens": lambda: any(encoder in plan.attended(dataset, each) for each in tasks),
        "attention": lambda: encoder in plan.attended(dataset, task),
        "notebook": lambda: encoder in plan.as_notebook(dataset, task),
        "atlas": lambda: task in plan.targets(dataset),
        "neighbours": lambda: task in plan.targets(dataset),
        "conditional": lambda: task in plan.targets(dataset) and encoder in plan.deep(),
        "umap": lambda: any(encoder in plan.mapped(dataset, each) for each in tasks),
    }
    return (
        encoder in plan.encoders
        and task in tasks
        and values.get("shard", plan.shards(dataset)[0]) in plan.shards(dataset)
        and of_this_run.get(stage, lambda: True)()
    )
