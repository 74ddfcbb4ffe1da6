"""Files that are read otherwise than their headers say: how many, and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

SHOWN = 10


def summary(files: Iterable[tuple[str, float | None, float, float]]) -> dict:
    """Of files (name, header_s, file_s and time_expansion, as in the table of clips).

    ``longer_than_header``: how many hold more than their headers tell, and the first of them;
    ``time_expansion``: how many play how many times slower than in nature.
    """
    files = sorted(set(files))
    longer = [
        {"file": name, "header_s": header_s, "file_s": file_s}
        for name, header_s, file_s, _ in files
        if header_s is not None
    ]
    slow = Counter(factor for *_, factor in files if factor != 1)
    return {
        "longer_than_header": {"files": len(longer), "first": longer[:SHOWN]},
        "time_expansion": {f"{factor:g}": count for factor, count in sorted(slow.items())},
    }


def statements(facts: dict) -> list[str]:
    """The facts of a `summary` in words, one line each."""
    lines, longer = [], facts["longer_than_header"]
    if longer["files"]:
        first, one = longer["first"][0], longer["files"] == 1
        lines.append(
            f"{longer['files']} {'file holds' if one else 'files hold'} more than the header tells "
            f"and {'is' if one else 'are'} read whole, such as {first['file']!r}: "
            f"header {first['header_s']:.6g} s, file {first['file_s']:.6g} s"
        )
    for factor, count in facts["time_expansion"].items():
        lines.append(
            f"{count} {'file plays' if count == 1 else 'files play'} {factor} times "
            "slower than in nature (GUANO or WAMD metadata): rates, durations and bounds are in "
            "true time"
        )
    return lines
