"""The columns of the tables of a run, as workflow/schemas/tables.yaml declares them.

A table is named by its path under results/, such as ``folds/{dataset}/{task}.parquet``.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pyarrow as pa
import yaml

DECLARED = Path(__file__).resolve().parents[1] / "schemas" / "tables.yaml"


@cache
def declared() -> dict[str, dict[str, list[str]]]:
    """For each table, in the file's order: column -> [type, what it holds]."""
    return yaml.safe_load(DECLARED.read_text(encoding="utf-8"))


def types(table: str) -> dict[str, str] | None:
    """Column -> type of ``table``; None for a file that is not declared."""
    if table not in declared():
        return None
    return {name: kind for name, (kind, _) in declared()[table].items()}


def schema(table: str) -> pa.Schema:
    """The columns of ``table`` as an Arrow schema."""
    return pa.schema({name: _type(kind) for name, kind in types(table).items()})


def _type(kind: str) -> pa.DataType:
    """The Arrow type that is declared as ``kind``, such as ``double`` or ``list<bool>``."""
    if kind.startswith("list<"):
        return pa.list_(_type(kind.removeprefix("list<").removesuffix(">")))
    return pa.type_for_alias(kind)
