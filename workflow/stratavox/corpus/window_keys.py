"""The config's keys for windows, and what follows from them for a dataset's tasks.

It imports nothing: the config and, through it, the keys of nearly all stages depend on it.
"""

from __future__ import annotations

from collections.abc import Iterator

# Between the labels of a window, and what stands for none in a recording that was looked through.
SEPARATOR, NO_BOX = "|", "no box"
# The separator of cells that are lists: ["a", "b"] as JSON or Python writes them.
JSON = "json"
# The detection sets of BEANS (Hagiwara et al. 2022, arXiv 2210.12300; the window's width and shift
# in its datasets.yml, the rule in beans/datasets.py): length and hop in s. A window gets a label if
# more than .2 of the shorter of window and box are shared, and what remains at the end is dropped.
BEANS = {
    "beans_dcase": (2, 1),
    "beans_enabirds": (2, 1),
    "beans_hainan_gibbons": (4, 2),
    "beans_hiceas": (10, 5),
    "beans_rfcx": (10, 5),
}


def fill(dataset: dict) -> None:
    """Write what a dataset's keys imply into it: a preset's values, separators, the labels."""
    if isinstance(preset := dataset.get("windows"), str):
        length_s, hop_s = BEANS[preset]
        rule = {"overlap": 0.2, "of": "shorter", "partial": "drop"}
        dataset["windows"] = {"length_s": length_s, "hop_s": hop_s} | rule
    if windows := dataset.get("windows"):
        windows.setdefault("hop_s", windows["length_s"])
        windows["labels"] = labels(dataset)
    for task in dataset["tasks"].values():
        if windows and task["target"] in windows["labels"] and task["kind"] == "multilabel":
            task |= {"separator": SEPARATOR, "negative": NO_BOX}
        # labels are then sorted as those of sets are
        if task.get("separator", JSON) != JSON:
            dataset["sets"].setdefault(task["target"], task["separator"])


def labels(dataset: dict) -> list[str]:
    """The columns that label boxes: that of the annotations, and targets of multilabel tasks."""
    own = [dataset["annotations"]["label"]] if "annotations" in dataset else []
    tasks = dataset["tasks"].values()
    targets = [task["target"] for task in tasks if task["kind"] == "multilabel"]
    return sorted({*own, *(target for target in targets if isinstance(target, str))})


def problems(dataset: dict) -> Iterator[tuple[str, str]]:
    """What a schema cannot express: a key of the dataset, and what is wrong there."""
    separators = dict(dataset["sets"])
    for name, task in dataset["tasks"].items():
        one = task["kind"] == "multilabel" and isinstance(task["target"], str)
        own = [key for key in ("separator", "negative") if key in task]
        if "windows" in dataset and isinstance(task["target"], list):
            yield f"tasks.{name}.target", "with windows, the boxes' labels are in one column"
        elif "windows" in dataset and own:
            yield (
                f"tasks.{name}.{own[0]}",
                f"not with windows, whose labels are separated by {SEPARATOR!r}, with {NO_BOX!r} "
                "for none",
            )
        elif one and "windows" not in dataset and "separator" not in task:
            yield (
                f"tasks.{name}",
                "the key 'separator' is missing (a multilabel task with one column as target)",
            )
        elif "separator" in task:
            other = separators.setdefault(task["target"], task["separator"])
            if other != task["separator"]:
                yield (
                    f"tasks.{name}.separator",
                    f"found {task['separator']!r}, but the labels of column {task['target']!r} are "
                    f"separated by {other!r} in another task or in sets; give both the same",
                )
    if "windows" in dataset and not labels(dataset):
        yield "windows", "no task has kind: multilabel, whose target would be the boxes' labels"
