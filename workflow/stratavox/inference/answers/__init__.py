"""The tables of answers to a task, one module each.

A module has the function ``rows(study)``, which gives the rows of the table. Its columns are in
workflow/schemas/tables.yaml under ``answers/{dataset}/{task}/NAME.parquet``, where NAME is the
module's name. To add an answer, add a module and its columns.
"""

from __future__ import annotations

import importlib

import pyarrow as pa

from stratavox import columns
from stratavox.inference import FOLDER
from stratavox.inference.study import Study


def rows_of(study: Study, name: str) -> list[dict]:
    """The rows of one answer, computed once for a study: an answer may use another's."""
    if name not in study.answers:
        study.answers[name] = importlib.import_module(f"{__name__}.{name}").rows(study)
    return study.answers[name]


def table_of(study: Study, name: str) -> pa.Table:
    """The table of one answer."""
    return pa.Table.from_pylist(rows_of(study, name), columns.schema(f"{FOLDER}/{name}.parquet"))
