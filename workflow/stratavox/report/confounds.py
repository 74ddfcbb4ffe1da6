"""Columns that are associated with a task's label, in sentences and as a table."""

from __future__ import annotations

from stratavox import words
from stratavox.tables import read_json

NAMED = 5


def rows(path: str | None, target: str) -> list[dict]:
    """A row and a sentence for each confound of a task, from its JSON."""
    if path is None:
        return []
    return [
        _row(one) | {"sentence": _sentence(one, target)} for one in read_json(path)["confounds"]
    ]


def _row(one: dict) -> dict:
    v = one["cramers_v"]
    return {
        "column": one["column"],
        "values": one["values"],
        "empty": one["empty"],
        "v": "–" if v is None else words.number(v),
        "single_valued": f"{len(one['single_valued'])} of {one['classes']}",
        **{key: words.number(one[key]) for key in ("balanced_accuracy", "shuffled", "chance")},
    }


def _sentence(one: dict, target: str) -> str:
    column, single = one["column"], one["single_valued"]
    if one["values"] == 1:
        value = single[0]["value"]
        return (
            f"{column} is “{value}” for every clip: it cannot separate any {target} from another."
        )
    names = [f"“{row['label']}” with “{row['value']}”" for row in single[:NAMED]]
    if len(single) > NAMED:
        names.append(f"{len(single) - NAMED} more")
    listed = f" ({', '.join(names)})" if names else ""
    verb = "occurs" if len(single) == 1 else "occur"
    v, alone, shuffled, chance = (
        words.number(one[key]) for key in ("cramers_v", "balanced_accuracy", "shuffled", "chance")
    )
    return (
        f"{column} and {target}: Cramér's V {v}. {len(single) or 'None'} of "
        f"{words.count(one['classes'], 'class')} {verb} with a single value of {column}{listed}. "
        f"Prediction from {column} alone has a balanced accuracy of {alone} ({shuffled} with the "
        f"column shuffled; chance {chance})."
    )
