"""What goes with a task's label, in sentences and as a table."""

from __future__ import annotations

from stratavox.report import style
from stratavox.report.findings import fine
from stratavox.tables import read_json

NAMED = 5


def told(path: str | None, target: str) -> list[dict]:
    """A row and a sentence for each confound of a task, from its JSON; none where none is named."""
    if path is None:
        return []
    return [_row(found) | {"said": _said(found, target)} for found in read_json(path)["confounds"]]


def _row(found: dict) -> dict:
    v = found["cramers_v"]
    return {
        "column": found["column"],
        "values": found["values"],
        "empty": found["empty"],
        "v": "–" if v is None else fine(v),
        "single_valued": f"{len(found['single_valued'])} of {found['classes']}",
        **{key: fine(found[key]) for key in ("balanced_accuracy", "shuffled", "chance")},
    }


def _said(found: dict, target: str) -> str:
    column, single = found["column"], found["single_valued"]
    if found["values"] == 1:
        value = single[0]["value"]
        return f"{column} is “{value}” for every clip: it cannot tell any {target} from another."
    names = [f"“{row['label']}” with “{row['value']}”" for row in single[:NAMED]]
    if len(single) > NAMED:
        names.append(f"{len(single) - NAMED} more")
    listed = f" ({', '.join(names)})" if names else ""
    verb = "occurs" if len(single) == 1 else "occur"
    return (
        f"{column} and {target}: Cramér's V {fine(found['cramers_v'])}. {len(single) or 'None'} of "
        f"{style.count(found['classes'], 'class')} {verb} with a single value of {column}{listed}. "
        f"Knowing {column} alone gives a balanced accuracy of {fine(found['balanced_accuracy'])} "
        f"({fine(found['shuffled'])} with the column shuffled; chance {fine(found['chance'])})."
    )
