"""What columns are by the whole table: no label, splits, ranks, a program's guess, sets."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

from stratavox.config import default
from stratavox.corpus import recorder, values
from stratavox.init.columns import Column, number, words
from stratavox.init.look import MAX_HEADERS, counts

# Taxonomic ranks, from coarse to fine. Three of them have other meanings too.
TAXA = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies")
AMBIGUOUS = {"class", "order", "family"}
# Columns of Xeno-canto's tables: their kind, or why they are neither label nor group.
XENO_CANTO = {"en": "label", "rec": "recordist", "loc": "site", "cnt": "site", "type": "label"}
XENO_CANTO_ASIDE = {
    **dict.fromkeys(("gen", "sp", "ssp"), "a part of the scientific name: en names the species"),
    **dict.fromkeys(("grp", "group"), "the kind of animal"),
}
# Numbers by which a program says how sure it is.
SCORES = {"confidence", "score", "probability", "prob", "top1dist", "logit"}
SEPARATORS = (";", "|", ",")
# Words in a label that may mean that there is none.
DOUBTFUL = {
    "unknown",
    "unidentified",
    "unid",
    "unk",
    "undetermined",
    "indet",
    "unsure",
    "na",
    "nan",
}


def recognise(columns: list[Column], asis: set[str] = frozenset()):
    """The columns as the run reads them, keys for the dataset's entry, and messages.

    ``asis`` are columns of files, which are not changed. The keys are missing, where some cells
    mean no label, and sets.
    """
    raw = {column.name: column.cells for column in columns}
    sets = {name: sign for name in raw if name not in asis and (sign := _separator(raw[name]))}
    marks = default("dataset", "missing")
    cells, spellings = values.levelled(raw, marks, sets, asis)
    columns = [dataclasses.replace(column, cells=cells[column.name]) for column in columns]
    columns, messages = _taxa(_xeno_canto(columns))
    messages += _of_program(columns)
    entry = {}
    if spellings.missing:
        entry["missing"] = marks
        for name, written in spellings.missing.items():
            messages.append(
                f"  look: {name}: {counts(Counter(written))} read as no value: such clips have no "
                "label or no group and are left out (key missing)"
            )
    for name, several in spellings.joined.items():
        if name not in sets:
            ways = ", ".join(f"{value!r} ({len(cells)} ways)" for value, cells in several.items())
            messages.append(
                f"  {name}: {ways}: spellings that differ in Unicode form or outer white space are "
                "one value"
            )
    if sets:
        entry["sets"] = sets
    for name, sign in sets.items():
        first = next(cell for cell in raw[name] if sign in cell)
        messages.append(
            f"  look: {name}: some cells hold several labels ({first!r}). Each set is a class of "
            "its own, whatever the order (key sets); kind: multilabel probes them one by one"
        )
    for column in columns:
        if column.kind == "label" and column.useless is None:
            doubtful = [v for v in column.values if DOUBTFUL & set(words(v))]
            if doubtful:
                messages.append(
                    f"  look: {column.name}: {', '.join(map(repr, doubtful[:3]))} may mean that "
                    "there is no label; if so, add it to the key missing"
                )
        if column.is_split:
            messages.append(
                f"  look: {column.name} names splits ({', '.join(sorted(column.values))}): it is "
                "neither label nor group, and all clips are used; folds are made anew"
            )
    return columns, entry, messages


def recorded(folder: Path, files: list[str]) -> list[Column]:
    """The columns recorded_on and recorder, as the run adds them; ``files`` has one for each clip.

    Empty where no file holds them, or more than `MAX_HEADERS` files would have to be opened.
    """
    known: dict[str, dict] = {}
    if len(set(files)) <= MAX_HEADERS:
        for file in set(files):
            try:
                known[file] = recorder.of(folder / file)
            except (OSError, ValueError):
                continue
    days = [(known.get(file, {}).get("recorded_at") or "")[: len("2023-05-12")] for file in files]
    devices = [known.get(file, {}).get("recorder") or "" for file in files]
    columns = [Column("recorded_on", days), Column("recorder", devices)]
    return [column for column in columns if column.values]


def _separator(cells: list[str]) -> str | None:
    """The character between several labels of one cell, or None.

    Labels of a set occur in other cells too, alone or in other sets; parts of a name do not.
    """
    present = {cell.strip() for cell in cells if cell.strip()}
    for sign in SEPARATORS:
        parts = {cell: {part.strip() for part in cell.split(sign)} - {""} for cell in present}
        several = [cell for cell in present if len(parts[cell]) > 1]
        seen = Counter(part for labels in parts.values() for part in labels)
        shared = [cell for cell in several if all(seen[part] > 1 for part in parts[cell])]
        if several and len(shared) >= len(several) / 2 and len(seen) < len(present):
            return sign
    return None


def _taxa(columns: list[Column]) -> tuple[list[Column], list[str]]:
    """Columns of taxonomic ranks but the finest that can be a label are put aside."""
    there = {column.last_word: column for column in columns if column.last_word in TAXA}
    if there.keys() <= AMBIGUOUS | {"species", "subspecies"} and len(there) < 3:
        there = {word: there[word] for word in there if word not in AMBIGUOUS}
    ranks = [there[word] for word in TAXA if word in there]
    usable = [column for column in ranks if column.useless is None]
    if len(ranks) < 2 or not usable:
        return columns, []
    finest = usable[-1]
    why = f"a taxonomic rank beside {finest.name}"
    others = {column.name for column in ranks} - {finest.name}
    columns = [
        dataclasses.replace(column, aside=why) if column.name in others else column
        for column in columns
    ]
    named = ", ".join(column.name for column in ranks)
    return columns, [f"  {named} are taxonomic ranks: {finest.name} is the finest with classes"]


def _xeno_canto(columns: list[Column]) -> list[Column]:
    if not {"gen", "sp", "en", "rec"} <= {column.name for column in columns}:
        return columns
    return [
        dataclasses.replace(
            column,
            given=XENO_CANTO.get(column.name),
            aside=XENO_CANTO_ASIDE.get(column.name),
        )
        for column in columns
    ]


def _of_program(columns: list[Column]) -> list[str]:
    """That labels are a program's, where a score stands beside them and none is a person's."""
    by_hand = [c for c in columns if c.last_word == "manual" and c.useless is None]
    guesses = [c for c in columns if c.kind == "machine" and c.useless is None]
    scores = [c for c in columns if c.last_word in SCORES and _is_score(c)]
    if by_hand:
        return [
            f"  {column.name} is a program's guess; {by_hand[0].name} is a person's label"
            for column in guesses
        ]
    named = [column.name for column in guesses or scores]
    if not named:
        return []
    what = "a program's guess" if guesses else "the score of a program's detections"
    return [
        f"  look: {named[0]} is {what}, and no column holds a person's label: probes would learn "
        "the program's answers, errors too"
    ]


def _is_score(column: Column) -> bool:
    numbers = [number(value) for value in column.values]
    return all(n is not None and 0 <= n <= 1 for n in numbers) and any(n % 1 for n in numbers)
