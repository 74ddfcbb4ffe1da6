"""The score with a column (individual, recorder, site) erased: what of it depends on the column.

Each score is compared with that of the same readout with nothing erased, and with the column's
values shuffled within classes before they are erased: what erasing as many directions costs anyway.
"""

from __future__ import annotations

from collections.abc import Iterator

from stratavox.inference import paired
from stratavox.inference.answers.estimates import depth
from stratavox.inference.groups import Interval, interval
from stratavox.inference.multiplicity import holm
from stratavox.inference.study import Encoder, Key, Study

NOTHING, SHUFFLED = "nothing erased", "shuffled within classes"
CHOSEN = "nested"


def rows(study: Study) -> list[dict]:
    """Two rows for each encoder, column and readout, one for each `NOTHING` and `SHUFFLED`.

    A column that could not be erased has one row without numbers. Without groups there are no
    intervals and tests. P values are adjusted (Holm) over the readouts of a curve, those of the
    block chosen in training over encoders and columns.
    """
    rows = []
    for column in study.erased:
        if column["why"] is not None:
            rows.append({"column": column["column"], "sentence": _not_erased(study, column)})
            continue
        for encoder in study.encoders:
            rows += _of_column(study, encoder, column)
    for family in {_family(row) for row in rows if row.get("p_value") is not None}:
        own = [row for row in rows if row.get("p_value") is not None and _family(row) == family]
        for row, p in zip(own, holm([row["p_value"] for row in own]), strict=True):
            row["p_holm"], row["resolved"] = p, p < paired.SIGNIFICANT
    for nothing, shuffled in _chosen(rows):
        nothing["sentence"] = sentence(study, nothing, shuffled)
    return rows


def _of_column(study: Study, encoder: Encoder, column: dict) -> Iterator[dict]:
    against = {NOTHING: "none", SHUFFLED: column["shuffled"]}
    for readout in (*encoder.curve, CHOSEN):
        own = Key(encoder.name, readout, control=column["control"], regime=study.regime)
        if own not in study.correct:
            continue
        for name, control in against.items():
            yield _row(study, encoder, own, own._replace(control=control)) | {
                "column": column["column"],
                "n_values": column["values"],
                "against": name,
            }


def _row(study: Study, encoder: Encoder, a: Key, b: Key) -> dict:
    erased, other = study.correct[a], study.correct[b]
    score, difference = Interval(erased.value), Interval(erased.value - other.value)
    p_value = p_equivalent = None
    if study.groups is not None:
        score = interval(erased, study.groups, study.bounds)
        apart = paired.Difference.of(erased, other, study.groups)
        difference, p_value = apart.interval, apart.p_value
        p_equivalent = apart.p_equivalent(study.settings["margin"])
    return {
        "encoder": encoder.name,
        "readout": a.readout,
        "depth": depth(encoder, a.readout),
        **score.bounds(),
        "against_value": other.value,
        "difference": difference.value,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "p_value": p_value,
        "p_holm": None,
        "resolved": None,
        "equivalent": p_equivalent is not None and p_equivalent < paired.SIGNIFICANT,
        "n_clips": int(erased.clips.sum()),
        "n_groups": study.groups.n if study.groups is not None else None,
        "sentence": None,
    }


def _family(row: dict) -> tuple:
    """What a row's p value is adjusted with."""
    if row["readout"] == CHOSEN:
        return CHOSEN, row["against"]
    return row["encoder"], row["column"], row["against"]


def _chosen(rows: list[dict]) -> list[tuple[dict, dict]]:
    """The two rows of the block chosen in training, for each encoder and column."""
    own = [row for row in rows if row.get("readout") == CHOSEN]
    return list(zip(own[::2], own[1::2], strict=True))


def sentence(study: Study, nothing: dict, shuffled: dict) -> str:
    """The two rows of one column in words, every number from the rows."""
    return (
        f"{nothing['encoder']}: with {nothing['column']} erased, {study.settings['task']} is "
        f"decoded from the block chosen in training at {nothing['value']:.3f} instead of "
        f"{nothing['against_value']:.3f} ({_difference(nothing)}); with the values of "
        f"{nothing['column']} shuffled within classes, then erased, at "
        f"{shuffled['against_value']:.3f} ({_difference(shuffled)}). "
        + _verdict(study, nothing, shuffled)
    )


def _difference(row: dict) -> str:
    text = f"difference {row['difference']:+.3f}"
    if row["difference"] == 0 and row["p_value"] == 1:
        return f"{text}, no group differs"
    if row["difference_low"] is not None:
        what = "range" if row["p_value"] is None else "95 % interval"
        ends = f"{row['difference_low']:+.3f} to {row['difference_high']:+.3f}"
        text += f", {what} {ends} over {row['n_groups']} groups"
    if row["p_holm"] is not None:
        text += "; Holm p " + ("< 0.001" if row["p_holm"] < 0.001 else f"= {row['p_holm']:.3f}")
    return text


def _verdict(study: Study, nothing: dict, shuffled: dict) -> str:
    column = nothing["column"]
    if nothing["resolved"] is None:
        return "Not tested: too few groups, or groups unknown."
    whole = study.correct[Key(nothing["encoder"], CHOSEN, regime=study.regime)]
    if interval(whole, study.groups, study.bounds).low <= study.chance:
        return f"Nothing can depend on {column}: without erasure the score is not above chance."
    lower = {
        row["against"] for row in (nothing, shuffled) if row["resolved"] and row["difference"] < 0
    }
    if lower == {NOTHING, SHUFFLED}:
        return f"Part of the score depends on {column}."
    if NOTHING in lower:
        return (
            "The score falls, but it was not shown to fall more than with shuffled values: "
            f"{column} goes with the label, or erasing so many directions lowers any score."
        )
    if nothing["resolved"]:
        return f"The score rises: differences in {column} were in the way of the probe."
    if nothing["difference"] == 0 and nothing["p_value"] == 1:
        return "No group's score changes."
    if nothing["equivalent"]:
        margin = f"{study.settings['margin']:.3f}"
        return f"Equal within {margin}: the probe does not need what was erased."
    return f"That the score depends on {column} was not shown."


def _not_erased(study: Study, column: dict) -> str:
    return f"{column['column']} was not erased for {study.settings['task']}: {column['why']}."
