"""The text of the run's config, with comments."""

from __future__ import annotations

import re
import textwrap

import yaml

from stratavox.config import default
from stratavox.init import guess
from stratavox.init.columns import Column
from stratavox.init.kinds import Proposal
from stratavox.init.look import SLOW, SPEED, Contents, counts, ultrasonic
from stratavox.init.source import Source

WIDTH = 100
# Clips of one job: a BEATs takes minutes on a core. The schema allows 999 shards, but with more
# than 64 jobs a stage Snakemake gets slower, and few machines have more cores.
SHARD_CLIPS, MOST_SHARDS = 500, 64
SHARDS_RULE = f"about {SHARD_CLIPS} clips each, at most {MOST_SHARDS} shards"
DEFAULT_DESIGN = (default("probes", "folds"), default("probes", "inner_folds"))
# Comments above keys of the dataset.
ABOVE = {
    "annotations": "labelled segments of the recordings, from their annotation files",
    "sets": "columns whose cells hold several labels: each set is a class",
    "missing": "cells that mean no label and no group: remove what is a class here",
}
NUISANCES = ("device", "site", "session", "day", "file", "recordist")
NO_GROUP = (
    "Unknown. Consequence: clips of one animal, day or recording may be on both sides of a split, "
    "so scores may be too high; every figure says 'group unknown', no interval is given and no "
    "contrast is tested. Better: add a column with the individual (or recording, or day) to the "
    "table and name it here."
)


def shards(clips: int) -> int:
    """The number of shards for a number of clips."""
    return min(MOST_SHARDS, -(-clips // SHARD_CLIPS))


def name_of(text: str, otherwise: str) -> str:
    """``text`` as a name that the config allows, or ``otherwise``."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")
    return name if re.fullmatch(r"[A-Za-z]\w*", name) else otherwise


def config(
    name: str,
    command: str,
    contents: Contents,
    source: Source,
    tasks: list[guess.Task],
    why: str,
    design: tuple[int, int] = DEFAULT_DESIGN,
    proposals: list[Proposal] = (),
) -> str:
    """The text of the config for the dataset ``name``: the first of ``tasks``, others as comments.

    ``command`` runs it; ``design`` are the outer and inner folds; ``proposals`` become comments.
    """
    lines = [
        *_comment(
            "Written by `python -m stratavox init` from the contents of the folder. Change it as "
            "you like. Run it:"
        ),
        f"#   {command}",
        *_comment(
            "Its keys replace those of Stratavox's config.yaml, which explains the others (probes, "
            "geometry, figures). All keys and their values: workflow/schemas/config.schema.yaml"
        ),
        "",
        "run:",
        f"  datasets: [{name}]",
        *_comment(
            "beats needs a network once, to fetch its weights. For a first run without one, write "
            "[beats_small, beats_small_random, logmel, duration_level]: a small BEATs of the "
            "default config, trained on synthetic calls",
            2,
        ),
        "  encoders: [beats, beats_random, logmel, duration_level]",
        "",
        "datasets:",
        f"  {name}:",
        *[f"    {line}" for line in _dataset(contents, source, tasks, why, design, proposals)],
        "",
        "encoders:",
        "  # BEATs, 12 blocks of 768, trained by Earth Species on bioacoustic recordings",
        "  beats: {family: beats, model: esp_aves2_sl_beats_all, weights: pretrained}",
        "  # the same with random weights of five seeds: the effect of the architecture alone",
        "  beats_random:",
        "    {family: beats, model: esp_aves2_sl_beats_all, weights: random, "
        "seeds: [0, 1, 2, 3, 4]}",
        "  # logmel and duration_level, which need no network and no training, are in config.yaml",
    ]
    return "\n".join(lines) + "\n"


def _dataset(
    contents: Contents,
    source: Source,
    tasks: list[guess.Task],
    why: str,
    design: tuple[int, int],
    proposals: list[Proposal],
) -> list[str]:
    entry, notes = {"source": "folder"} | source.entry, source.notes
    lines = []
    notes = {"path": "folder of the recordings, relative to where you run"} | notes
    for key, value in entry.items():
        if key == "channel":
            continue
        lines += _comment(ABOVE.get(key, ""))
        if key == "annotations":
            lines += [f"{key}:", *[f"  {k}: {_flow(v)}" for k, v in value.items()]]
        else:
            lines += _line(f"{key}: {_flow(value)}", notes.get(key, ""))
    lines += _recording(guess.recordings(source.columns, tasks[0].group), tasks[0].group)
    stereo = any(header.channels > 1 for header in contents.headers.values())
    if "channel" in entry:
        column, first = scalar(entry["channel"]["column"]), entry["channel"]["first"]
        lines += _line(
            f"channel: {{column: {column}, first: {first}}}",
            f"each clip is the channel that this column names, the first is {first}; or mean",
        )
    else:
        lines += _line("channel: mean", "mean of all channels, or the number of one")
    if stereo and "channel" not in entry:
        lines += _comment("some recordings have several channels; 0 is the first one alone")
    if ultrasonic(contents):
        lines += [*_comment(SPEED), f"# speed: {SLOW}"]
    lines += _line(
        f"shards: {shards(source.clips)}",
        f"number of files of clips: {SHARDS_RULE}",
    )
    lines += ["max_bad: 0.05 # the run stops if a larger share of rows is unusable", "tasks:"]
    lines += [f"  {line}" for line in _task(tasks[0], why)]
    if tasks[1:]:
        lines += _comment("other questions that these columns could answer:", 2)
        lines += [f"  # {_short(task)}" for task in tasks[1 : 1 + guess.ALTERNATIVES]]
    if proposals:
        lines += _comment("tasks of other kinds that these columns may allow:", 2)
        lines += [f"  # {_proposed(proposal, tasks[0])}" for proposal in proposals]
    if design != DEFAULT_DESIGN:
        outer, inner = design
        lines += _comment("the groups are too few for the default's 5 folds with 3 inner ones")
        lines.append(f"probes: {{folds: {outer}, inner_folds: {inner}}}")
    return lines


def _task(task: guess.Task, why: str) -> list[str]:
    target, group = task.target, task.group
    lines = [f"{name_of(target.name, 'label')}:"]
    body = _comment(f"{describe(target)}. Why this column: {why}")
    body.append(f"target: {scalar(target.name)}")
    body += _comment("clips of one group are never on both sides of a split: check this line")
    if group is None:
        body += [*_comment(NO_GROUP), *_comment(f"Why none: {task.why}"), "group: null"]
    else:
        body += _comment(f"{group.column.name}: {group.describe()}. Why this column: {task.why}")
        body.append(f"group: {scalar(group.column.name)}")
    if task.others:
        body += _comment("other columns that could be the group:")
        for other in task.others:
            body += _comment(f"group: {scalar(other.column.name)} - {other.describe()}", 0, "  ")
    body += [
        f"min_clips: {guess.MIN_CLIPS} # classes with fewer clips, or in fewer groups, are dropped",
        f"min_groups: {guess.MIN_GROUPS}",
        "role: target # or nuisance: what the encoder should ignore",
    ]
    return lines + [f"  {line}" for line in body]


def describe(column: Column) -> str:
    """A label's values and their clips."""
    return f"{len(column.values)} values: {counts(column.values)}"


def _short(task: guess.Task) -> str:
    """A task in one line."""
    group = "null" if task.group is None else scalar(task.group.column.name)
    role = ", role: nuisance" if task.target.kind in NUISANCES else ""
    name = name_of(task.target.name, "other")
    target = scalar(task.target.name)
    return f"{name}: {{target: {target}, group: {group}{role}}}"


def _proposed(proposal: Proposal, task: guess.Task) -> str:
    """A task of another kind in one line, with the group of the first task."""
    group = "null" if task.group is None else scalar(task.group.column.name)
    keys = ", ".join(f"{key}: {_flow(value)}" for key, value in proposal.keys.items())
    above = f" # and for the dataset: {proposal.above}" if proposal.above else ""
    return f"{name_of(proposal.name, 'other')}: {{{keys}, group: {group}}}{above}"


def _recording(columns: list[Column], group: guess.Group | None) -> list[str]:
    if not columns:
        return []
    lines = _comment("the recording of a clip: adds the regime 'by recording'")
    for column in columns:
        name = scalar(column.name)
        if group and group.column.kind == "individual" and not column.is_nested_in(group.column):
            name = f"[{scalar(group.column.name)}, {name}]"
        lines.append(f"# recording: {name}")
    return lines


def scalar(value: str) -> str:
    """A text as a YAML scalar, without quotes where that is safe, also within {}."""
    safe = re.fullmatch(r"[\w./][\w./-]*", value)
    if safe and yaml.safe_load(value) == value:
        return value
    return yaml.safe_dump(value, default_style='"', allow_unicode=True, width=float("inf")).strip()


def _flow(value: str | list[str] | dict[str, str]) -> str:
    """A text, several texts, or keys and texts, in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{scalar(key)}: {scalar(text)}' for key, text in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(scalar, value))}]"
    return scalar(value)


def _line(text: str, note: str) -> list[str]:
    """A key with its comment after it, or above it if the line would be too long."""
    if not note:
        return [text]
    line = f"{text} # {note}"
    return [line] if len(line) <= WIDTH - 4 else [*_comment(note), text]


def _comment(text: str, indent: int = 0, hang: str = "") -> list[str]:
    wrapped = textwrap.wrap(
        text, WIDTH - 12 - indent, break_long_words=False, break_on_hyphens=False
    )
    return [f"{' ' * indent}# {hang}{line}" for line in wrapped]
