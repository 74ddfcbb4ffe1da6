"""The last lines of a run: its verdicts, recommendation and warnings, its time, and the report.

They are those of the report's cards, one for each dataset and task.
"""

from __future__ import annotations

import resource
import shutil
import sys
import textwrap
from pathlib import Path

from stratavox import tables, words

# A line that is longer ends with the number of what is left out.
LONGEST = 240


def lines(summary: Path, page: Path, time_taken: str) -> list[str]:
    """Five lines on the run whose report is ``page``; none where ``summary`` has no cards."""
    cards = tables.read_json(summary).get("cards") or []
    if not cards:
        return []
    several = len({card["dataset"] for card in cards}) > 1
    names = [f"{card['dataset']}/{card['task']}" if several else card["task"] for card in cards]
    sentences = {
        words.ORDER.format(task="task"): [[card["short"]["verdict"]] for card in cards],
        "Readout to use": [[card["short"]["readout"]] for card in cards],
        "Beware": [card["beware"] for card in cards],
    }
    texts = {heading: joined(names, of_cards) for heading, of_cards in sentences.items()}
    texts |= {"Time": time_taken, "Report": str(page.resolve())}
    return [f"{heading}: {text}" for heading, text in texts.items()]


def joined(names: list[str], sentences: list[list[str]]) -> str:
    """One line of the tasks' sentences; equal ones once, those without room as a number."""
    tasks: dict[str, list[str]] = {}
    for name, of_task in zip(names, sentences, strict=True):
        for sentence in of_task:
            tasks.setdefault(sentence.strip().rstrip("."), []).append(name)
    parts = [f"{', '.join(of)}: {sentence}" for sentence, of in tasks.items()]
    if not parts:
        return "nothing"
    taken = 1
    while taken < len(parts) and len("; ".join(parts[: taken + 1])) <= LONGEST:
        taken += 1
    left = f" (and {len(parts) - taken} more: see the report)" if taken < len(parts) else ""
    return "; ".join(parts[:taken]) + left


def missing(done: int, total: int, answers: dict[str, bool], page: bool, taken: str) -> list[str]:
    """After an error: how many of the run's jobs are done, and what is missing.

    ``answers`` holds the run's tasks and whether each has its answers, ``page`` whether the run was
    to make the report.
    """
    there = _some([task for task, finished in answers.items() if finished])
    absent = [_some([task for task, finished in answers.items() if not finished])]
    absent += ["the report"] if page else []
    lines = [f"Finished: {done} of {total} jobs; {there or 'no answers yet'}"]
    lines += [f"Missing: {'; '.join(filter(None, absent))}"] if any(absent) else []
    return [*lines, f"Time: {taken}; the same command continues the run"]


def _some(tasks: list[str], at_most: int = 6) -> str:
    left = f" and {len(tasks) - at_most} more" if len(tasks) > at_most else ""
    return f"answers of {', '.join(tasks[:at_most])}{left}" if tasks else ""


def time_taken(seconds: float) -> str:
    """The time of a run, and the CPU time of this process and its jobs on this machine."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return f"{span(seconds)} ({span(sum(u.ru_utime + u.ru_stime for u in used))} of CPU here)"


def span(seconds: float) -> str:
    """A time as "42 s", "4 min 31 s" or "2 h 5 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def broken(line: str) -> str:
    """On a terminal, ``line`` broken between words; elsewhere as it is."""
    if not sys.stderr.isatty():
        return line
    width = shutil.get_terminal_size().columns
    whole = {"break_long_words": False, "break_on_hyphens": False}
    return textwrap.fill(line, width, subsequent_indent="  ", **whole)
