"""From out-of-fold predictions to the answers to a task, with intervals over groups."""

from pathlib import PurePath

from stratavox import columns

FOLDER = "answers/{dataset}/{task}"
# The tables of answers, in the order of tables.yaml; `stratavox.inference.answers` has a module
# of the same name for each.
ANSWERS = tuple(PurePath(path).stem for path in columns.declared() if path.startswith(FOLDER))
