"""The kind of a table's column, by its name, and whether it can be a label or group."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from stratavox.corpus.time_names import words

# Words in the names of columns of each kind, the most specific first. A compound has the kind of
# its last word (call_type, recording_site), without fillers such as id (bird_id).
WORDS = {
    "label": "manual label call_type type call class category context vocalization vocalisation "
    "syllable note_type behaviour behavior annotation tag species common scientific emotion word "
    "digit",
    "machine": "top1match auto autoid match predicted prediction",
    "individual": "individual animal bird cat dog bat whale monkey speaker subject caller singer "
    "ind ring",
    "group": "group",
    "recordist": "recordist rec observer user_login recorded_by recordedby collector",
    "session": "session bout deployment visit track",
    "day": "date day night recorded_on",
    "file": "file filename path recording song tape",
    "site": "site location locality station place plot colony nest territory population",
    "device": "recorder device microphone mic",
    "aside": "licence license source url doi note notes comment comments remark remarks citation "
    "rights checksum sha256 md5 annotator labeller labeler rater split fold subset partition "
    "table",
    "number": "take rendition",
    "measure": "duration rate samplerate channels channel level snr frequency freq latitude "
    "longitude time hz db confidence score probability prob top1dist logit hour fmin "
    "fmax fmean",
}
KINDS = {word: kind for kind, words in WORDS.items() for word in words.split()}
RANKS = {word: rank for rank, word in enumerate(KINDS)}
FILLERS = {"id", "name", "no", "nr", "num", "number", "code", "raw", "s"}
# A column with more values holds names, not classes: the largest published repertoires and species
# lists with linear probes of clips have fewer.
MAX_CLASSES = 200
# Names of the parts into which data sets are divided for machine learning.
SPLITS = {
    *("train", "training", "test", "testing", "val", "valid", "validation"),
    *("dev", "development", "eval", "evaluation"),
}


@dataclass(frozen=True)
class Column:
    """A column of a table: its name and its cells, one for each clip.

    Where the whole table tells them: ``given``, its kind; ``aside``, why it is no label or group.
    """

    name: str
    cells: list[str]
    given: str | None = None
    aside: str | None = None

    @cached_property
    def values(self) -> Counter:
        """How often each value occurs, without empty cells."""
        return Counter(cell for cell in self.cells if cell.strip())

    @cached_property
    def kind(self) -> str | None:
        """A key of `WORDS`, or None where the name is not known."""
        return self.given or KINDS.get(self.last_word)

    @property
    def rank(self) -> tuple:
        """Sorts columns of one kind: the more specific name first, the whole name before a part."""
        whole = "_".join(words(self.name))
        return RANKS.get(self.last_word, len(RANKS)), self.last_word != whole

    @property
    def is_split(self) -> bool:
        """Whether all its values name splits (train, test)."""
        return bool(self.values) and all(value.casefold() in SPLITS for value in self.values)

    @cached_property
    def last_word(self) -> str:
        """The word of its name that tells its kind."""
        named = [word for word in words(self.name) if word not in FILLERS]
        if "species" in named:  # Species eBird Code is no bird's name
            return "species"
        whole = "_".join(named)
        return whole if whole in KINDS or not named else named[-1]

    @cached_property
    def useless(self) -> str | None:
        """Why it can be neither label nor group; None where it can be."""
        filled = sum(self.values.values())
        if not filled:
            return "empty"
        if len(self.values) == 1:
            return f"constant ({next(iter(self.values))})"
        if self.aside:
            return self.aside
        if self.is_split:
            return f"splits of the data ({', '.join(sorted(self.values))}), neither label nor group"
        if self.kind == "aside":
            return "about the source, by its name"
        if self.kind == "number":
            return "a running number, by its name"
        if len(self.values) == filled:
            return "another value in each row"
        numbers = [number(value) for value in self.values]
        if self.kind == "measure" or any(n is not None and n % 1 for n in numbers):
            return "a measure"
        if len(self.values) > filled / 2:
            return f"{len(self.values)} values in {filled} rows: too many to hold several clips"
        return None

    def splits_as(self, other: Column) -> bool:
        """Whether both divide the clips in the same way."""
        pairs = len(set(zip(self.cells, other.cells, strict=True)))
        return pairs == len(set(self.cells)) == len(set(other.cells))

    def is_nested_in(self, other: Column) -> bool:
        """Whether each value of this one occurs with a single value of ``other``."""
        return len(set(zip(self.cells, other.cells, strict=True))) == len(set(self.cells))


def number(cell: str) -> float | None:
    """The finite number that a cell holds, or None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
