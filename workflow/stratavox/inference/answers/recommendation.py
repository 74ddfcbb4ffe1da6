"""Which readout to take for other recordings, what it scores, and what to beware of.

Encoder and block are chosen in the training folds alone (`inference.choice`); the score is that of
these choices on the clips that were held out.
"""

from __future__ import annotations

from collections.abc import Iterator

from stratavox import words
from stratavox.inference.answers import contrasts as c
from stratavox.inference.answers import rows_of
from stratavox.inference.choice import Choice, key
from stratavox.inference.groups import RANGE, Groups, Interval, interval
from stratavox.inference.study import Encoder, Study

# Baselines that show how far a nuisance goes; nobody would use them.
NUISANCES = {"duration_level"}
# With so few degrees of freedom an interval is a third wider than with many, or more.
FEW = 5
DECIMALS = 2


def rows(study: Study) -> list[dict]:
    """A row for each candidate: trained encoders, and baselines that hear the sound.

    The recommended one was chosen in most training folds (of equals, the one with the least inner
    loss). None is where the task was not shown to be decodable from it.
    """
    candidates = [
        encoder
        for encoder in study.encoders
        if not encoder.untrained and encoder.description["family"] not in NUISANCES
    ]
    if not candidates:
        return []
    choice = Choice.of(study, candidates)
    decodable = [one.name for one in candidates if _decodable(study, one)]
    made = [_row(study, one, choice, one.name in decodable) for one in candidates]
    recommended = next((row for row in made if row["recommended"]), None)
    if recommended is None:
        made[0]["sentence"] = " ".join(_none(study, choice, decodable))
        made[0]["beware"] = "\n".join(_of_groups(study))
    else:
        warnings = [*_of_groups(study), *_of_scores(study, recommended, choice.encoder)]
        recommended["sentence"] = " ".join(_use(study, choice, recommended))
        recommended["beware"] = "\n".join(warnings)
    return made


def _decodable(study: Study, encoder: Encoder) -> bool:
    """Whether the task was shown to be decodable from the encoder.

    By its contrast with permuted labels. Where that is not tested, the interval must lie above them
    and two of their standard errors: over clips where groups are unknown, or else the range.
    """
    row = _contrast(study, c.ABOVE_CHANCE, encoder)
    if row is not None and row["resolved"] is not None:
        return bool(row["resolved"] and row["difference"] > 0)
    measure, null = study.correct[key(study, encoder, encoder.compared)], study.null(encoder)
    groups = study.groups or Groups.of(measure.clips)
    return interval(measure, groups, study.bounds).low > null.value + 2 * null.error


def _contrast(study: Study, question: str, a: Encoder, b: Encoder | None = None) -> dict | None:
    """The planned contrast of the encoder (with ``b``, where it is given)."""
    for row in rows_of(study, "contrasts"):
        of = row["a_encoder"] == a.name and (b is None or row["b_encoder"] == b.name)
        if of and row["question"] == question:
            return row
    return None


def _row(study: Study, encoder: Encoder, choice: Choice, decodable: bool) -> dict:
    """The row of a candidate, without a sentence."""
    measure = study.correct[key(study, encoder, encoder.compared)]
    recommended = decodable and encoder is choice.encoder
    readout, folds_chosen = _readout(study, encoder, choice.folds)
    last = encoder.blocks[-1] if encoder.blocks else None
    of_last = Interval(float("nan"))
    if last:
        of_last = study.score(study.correct[key(study, encoder, last)])
    few_clips = _few_clips(study, encoder, measure.value) if decodable else {}
    return {
        "encoder": encoder.name,
        "readout": readout,
        "folds_chosen": folds_chosen,
        "folds_won": choice.counts.get(encoder.name, 0),
        "folds": choice.folds,
        **study.score(choice.measure if recommended else measure).bounds(),
        "last_readout": last,
        "last_value": of_last.value if last else None,
        "last_low": of_last.low,
        "last_high": of_last.high,
        "clips_a_class": few_clips.get("clips_a_class"),
        "clips_value": few_clips.get("value"),
        "n_clips": round(measure.clips.sum()),
        "n_groups": study.groups.n if study.groups is not None else None,
        "recommended": recommended,
        "sentence": None,
        "beware": "",
    }


def _readout(study: Study, encoder: Encoder, folds: int) -> tuple[str, int]:
    """The readout to use, and the folds in which training chose it."""
    if not encoder.blocks:
        return encoder.compared, folds
    counts = study.chosen(encoder.members)["readout"].value_counts()
    equal = counts.index[counts == counts.max()]
    losses = {
        block: study.of_folds(key(study, encoder, block), "inner_log_loss").mean()
        for block in equal
    }
    return min(losses, key=losses.get), int(counts.max())


def _few_clips(study: Study, encoder: Encoder, whole: float) -> dict:
    """The row of samples with the fewest clips that score within the margin of ``whole``.

    Empty where few clips were not probed, or none score so much.
    """
    enough = [
        row
        for row in rows_of(study, "samples")
        if row["encoder"] == encoder.name
        and row["readout"] == encoder.compared
        and row["value"] >= whole - study.settings["margin"]
    ]
    return min(enough, key=lambda row: row["clips_a_class"], default={})


def _use(study: Study, choice: Choice, row: dict) -> Iterator[str]:
    """What to use and what it scores, in sentences."""
    named = _label(choice.encoder)
    if choice.encoder.blocks:
        chosen = f"chosen in {row['folds_chosen']} of {words.count(row['folds'], 'fold')}"
        yield f"Use {words.readout(row['readout'])} of {named} ({chosen})."
    else:
        yield f"Use {named}."
    if len(choice.counts) > 1:
        yield f"Of the candidates, training chose {_wins(choice)}."
    score = study.score(choice.measure)
    yield f"{words.sentence(study.metric)} is {_estimate(score)} on {_units(study)}."
    others = [
        f"{_label(one)} {_number(study.correct[key(study, one, one.compared)].value)}"
        for one in _baselines(study)
        if one is not choice.encoder
    ]
    if row["last_readout"]:
        others.insert(0, f"the last block {_number(row['last_value'])}")
    yield f"For comparison: {', '.join([*others, f'chance {_number(study.chance)}'])}."
    if row["clips_a_class"]:
        clips = f"{words.count(row['clips_a_class'], 'labelled clip')} of each class"
        if study.groups is not None:
            # as they were drawn: clips of one group give less
            clips += f", spread over {words.plural(_unit(study))},"
        yield f"With {clips} it is {_number(row['clips_value'])}."


def _none(study: Study, choice: Choice, decodable: list[str]) -> Iterator[str]:
    """That nothing is recommended, and why; ``decodable`` are candidates not chosen in training."""
    task, chosen = study.settings["task"], _label(choice.encoder)
    yield f"Nothing is recommended: {task} was not shown to be decodable from {chosen}."
    yield (
        f"Training chose {_wins(choice)}; {study.metric} is "
        f"{_estimate(study.score(choice.measure))}, chance {_number(study.chance)}."
    )
    if decodable:
        yield f"It was from {' and '.join(decodable)}, which training did not choose."


def _of_groups(study: Study) -> Iterator[str]:
    """Warnings about what was held out."""
    if study.groups is None:
        shared = "an individual" if study.regime == "recording" else "an individual or a recording"
        yield (
            f"Groups are unknown: {shared} may be in training and test, so the score may be too "
            "high."
        )
        yield "Nothing was tested, as this needs groups."
        return
    units, freedom = words.count(study.groups.n, _unit(study)), study.groups.freedom
    if study.groups.kind == RANGE:
        yield f"{units} are too few: the interval is the range over them, and nothing was tested."
    elif round(freedom, 1) <= FEW:
        yield (
            f"Few groups ({units}, {freedom:.1f} degrees of freedom): the interval is wide, and "
            "only large differences can be shown."
        )
    if "transfer" in study.task:
        yield (
            f"Trained on {words.side(study.task['transfer'], 'train')} alone: another training "
            "side may give another score."
        )


def _of_scores(study: Study, row: dict, encoder: Encoder) -> Iterator[str]:
    """Warnings about what scores as much as the recommended ``encoder``, or more."""
    leak = _contrast(study, c.LEAKAGE, encoder)
    # a warning needs less evidence than a claim: no adjustment for all contrasts of the task
    if leak is not None and leak["low"] is not None and leak["low"] > 0:
        yield (
            f"A random split gives {_number(leak['a_value'])} instead of "
            f"{_number(leak['b_value'])}: do not expect that of a new {_unit(study)}."
        )
    own = study.correct[key(study, encoder, encoder.compared)].value
    for other in study.encoders:
        yield from _other(study, encoder, other, own)
    if row["last_readout"] not in (None, row["readout"]):
        last, contrast = row["last_value"], _contrast(study, c.LAST_OR_CHOSEN, encoder)
        numbers = f"({_number(last)}, block chosen in training {_number(own)})"
        equal = last >= own - study.settings["margin"]
        so = ", and it is simpler to use" if equal else ", but it may be: the data cannot tell"
        yield from _compared(study, "The last block", numbers, contrast, last - own, so)


def _other(study: Study, encoder: Encoder, other: Encoder, own: float) -> Iterator[str]:
    """How a baseline or an untrained twin compares; for a recommended baseline, how encoders do."""
    value = study.correct[key(study, other, other.compared)].value
    numbers = f"({_number(value)}, {encoder.name} {_number(own)})"
    if not encoder.blocks:
        row = _contrast(study, c.BASELINE, other, encoder)
        if row is not None and row["resolved"] and row["difference"] > 0:
            yield f"{_label(other)} was shown to be better {numbers}."
        return
    twin = other.twin_of(encoder)
    if twin or other in _baselines(study):
        question = c.TWINS[other.description["weights"]] if twin else c.BASELINE
        row = _contrast(study, question, encoder, other)
        yield from _compared(study, _label(other), numbers, row, value - own)


def _compared(
    study: Study, other: str, numbers: str, row: dict | None, above: float, so: str = ""
) -> Iterator[str]:
    """A warning unless ``other``, ``above`` the recommended encoder by so much, is worse.

    By the contrast ``row``; where that was not tested, it is worse if it is so by more than the
    margin. ``so`` follows where it was not shown to be worse.
    """
    tested = row is not None and row["resolved"] is not None
    if tested and row["resolved"]:
        if above > 0:
            yield f"{other} was shown to be better {numbers}."
    elif tested or above >= -study.settings["margin"]:
        yield f"{other} was not shown to be worse {numbers}{so}."


def _baselines(study: Study) -> list[Encoder]:
    """Those that hear the sound."""
    return [
        one
        for one in study.encoders
        if one.description["weights"] == "none" and one.description["family"] not in NUISANCES
    ]


def _wins(choice: Choice) -> str:
    parts = [f"{name} in {times}" for name, times in choice.counts.items()]
    return f"{' and '.join(parts)} of {words.count(choice.folds, 'fold')}"


def _label(encoder: Encoder) -> str:
    about = encoder.description
    return words.encoder(encoder.name, about["weights"], len(encoder.members))


def _unit(study: Study) -> str:
    """The column of the groups; "group" where several columns make them."""
    column = study.task["group"]
    return column if isinstance(column, str) else "group"


def _units(study: Study) -> str:
    """The held-out clips that a score is about: "12 individuals that were not in training"."""
    if study.groups is not None:
        held = words.count(study.groups.n, _unit(study))
    else:
        held = "recordings" if study.regime == "recording" else "clips"
    if "transfer" in study.task:
        held += f" of {words.side(study.task['transfer'], 'test')}"
    return f"{held} that were not in training"


def _number(value: float) -> str:
    return words.number(value, DECIMALS)


def _estimate(of: Interval) -> str:
    """ "0.92 (95 % interval 0.88 to 0.95)"."""
    if of.low is None:
        return f"{_number(of.value)} ({words.INTERVALS['none']})"
    kind = "range over groups" if of.kind == RANGE else "95 % interval"
    return f"{_number(of.value)} ({kind} {words.bounds(of.low, of.high, DECIMALS)})"
