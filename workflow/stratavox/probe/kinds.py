"""The kinds of tasks: what each is scored by, which code scores it, and what it does not have.

Whatever depends on the kind of a task asks here. Chance depends on the data, so it stands in the
JSON of the task's folds.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

# The key of a task, and of the JSON of its folds, that names its kind.
KEY = "kind"


@dataclass(frozen=True)
class Kind:
    """A kind of task.

    ``metric`` is the score that answers are about, a value of the column metric of the table
    scores. ``folds`` is the module, below stratavox, that
    reads targets and makes folds, ``probe`` the one that fits and scores probes, ``inference`` the
    one that measures scores by group. ``lacks`` are the stages (with their figures), controls and
    fusions that it does not have.
    """

    name: str
    metric: str
    folds: str
    probe: str
    inference: str
    lacks: frozenset[str] = frozenset()

    def has(self, part: str) -> bool:
        """Whether tasks of this kind have a stage, a control or a fusion."""
        return part not in self.lacks

    def module(self, part: str) -> ModuleType:
        """The module ``folds``, ``probe`` or ``inference``.

        It is loaded by name, so that its code is in the keys of this kind's tasks alone.
        """
        return importlib.import_module(f"stratavox.{getattr(self, part)}")


# What is made for tasks where each clip has one class.
OF_CLASSES = (
    *("confounds", "samples", "notebook", "conditional", "erasure", "attention", "all_blocks"),
    *("control_task", "weighted", "neighbours", "umap"),
)
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "classification",
            metric="balanced_accuracy",
            folds="probe.classes",
            probe="probe.crossvalidate",
            inference="inference.scoring.classes",
        ),
        Kind(
            "regression",
            metric="r2",
            folds="probe.numbers",
            probe="probe.regression",
            inference="inference.scoring.numbers",
            lacks=frozenset(OF_CLASSES),
        ),
        Kind(
            "multilabel",
            metric="map",
            folds="probe.sets",
            probe="probe.multilabel",
            inference="inference.scoring.sets",
            lacks=frozenset(OF_CLASSES),
        ),
    )
}


def of(about: dict) -> Kind:
    """The kind that a task's settings or its folds' JSON names; classification where none is."""
    return KINDS[about.get(KEY, "classification")]
