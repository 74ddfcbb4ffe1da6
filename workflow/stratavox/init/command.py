"""From a folder to a config: look, guess, write and check, and print each step."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pyarrow as pa

from stratavox import tables
from stratavox.errors import StratavoxError
from stratavox.init import check, guess, kinds, preview, write
from stratavox.init.columns import Column
from stratavox.init.from_annotations import of_annotations, unnamed
from stratavox.init.from_folders import of_folders, unlabelled
from stratavox.init.from_names import of_names
from stratavox.init.from_parquet import of_parquet
from stratavox.init.from_table import of_table
from stratavox.init.look import SHOWN, Contents, describe, look
from stratavox.init.source import Source
from stratavox.plan import PROJECT, plan_of


def start(folder: Path, out: Path | None, force: bool, listen: bool = False) -> None:
    """Write a config for the recordings in ``folder`` to ``out`` and check it.

    ``out`` is {folder's name}.yaml where it is None. Where sub-folders are the labels, a table
    {config's name}_clips.csv is written beside it; the check leaves
    results/corpus/{name}/scan.parquet, which the run uses. With ``listen`` the first clips are
    written into the folder {config's name}_listen. Nothing is written into ``folder``. Raises
    `StratavoxError`; a config that does not pass the check is not written.
    """
    name = write.name_of(folder.resolve().name, "my_calls")
    out = out or Path(f"{name}.yaml")
    table = out.with_name(f"{out.stem}_clips.csv")
    if source := of_parquet(folder):
        _start_with_parquet(name, folder, source, out, force)
        return
    contents = look(folder)
    say(describe(contents))
    source = of_table(contents)
    passed = []
    if source is None and contents.tables:
        names = ", ".join(contents.tables[:SHOWN])
        say([f"no column of {names} names recordings such as {contents.recordings[0]!r}: not used"])
        passed = unnamed(contents)
        say(passed)
    source = source or of_annotations(contents) or of_folders(contents, table)
    source = source or of_names(contents)
    if source is None:
        raise StratavoxError(unlabelled(contents, passed))
    sounds = out.with_name(f"{out.stem}_listen")
    written = [out, *([table] if source.table else []), *([sounds] if listen else [])]
    if not force:
        refuse_existing(written)
    tasks, why = chosen_tasks(source)
    chosen = choice(tasks[0], why)
    say([*source.messages, "", *columns(source.columns), "", *chosen])
    command = run_command(out)
    if source.table:
        tables.write_text(source.table, table)
    settings = (name, command, contents, source, tasks, why)
    plan = plan_of(write.config(*settings), Path())
    (outer, inner), clips = check.design(plan, name, plan.tasks(name)[0])
    scan = tables.read_table(plan.root / f"results/corpus/{name}/scan.parquet")
    proposed = proposals(source, scan, tasks)
    tables.write_text(write.config(*settings, (outer, inner), proposed), out)
    shown = preview.clips(plan, name, plan.tasks(name)[0])
    checks = [*check.rejected(plan, name), *clips, *(f"  {one.line}" for one in proposed)]
    say(
        [
            *["", f"{out}: written, and checked as a run would:"],
            *checks,
            f"  {outer} outer and {inner} inner folds",
            f"  shards: {plan.datasets[name]['shards']} ({write.SHARDS_RULE})",
            *["", "the first clips (to hear them: --listen):", *preview.describe(shown)],
        ]
    )
    if listen:
        entry = plan.datasets[name]
        say(preview.listen(shown, Path(entry["path"]), entry["trim_zeros"], sounds))
    # what decides which sound is heard comes first, then labels, groups, and what is left out
    doubts = [*passed, *source.messages, *doubtful(tasks[0], why), *checks, *describe(contents)]
    say([*unsure(doubts), *last_lines(command)])


def _start_with_parquet(name: str, folder: Path, source: Source, out: Path, force: bool) -> None:
    """Write the config for Parquet files; their recordings are there once the run has begun."""
    if not force:
        refuse_existing([out])
    tasks, why = chosen_tasks(source)
    chosen = choice(tasks[0], why)
    say([*source.messages, "", *columns(source.columns), "", *chosen])
    command, proposed = run_command(out), proposals(source, None, tasks)
    design = write.DEFAULT_DESIGN
    text = write.config(name, command, Contents(folder), source, tasks, why, design, proposed)
    plan_of(text, Path())
    tables.write_text(text, out)
    doubts = [*source.messages, *doubtful(tasks[0], why), *(one.line for one in proposed)]
    say(
        [
            *["", f"{out}: written; the run writes the recordings and checks them"],
            *unsure(doubts),
            *last_lines(command),
        ]
    )


def last_lines(command: str) -> list[str]:
    """What a person does next."""
    return ["", "Check it, the line `group` first. Then run:", f"  {command}"]


def refuse_existing(written: list[Path]) -> None:
    """Raise for a file that would be replaced."""
    for path in written:
        if path.exists():
            raise StratavoxError(
                f"{path}: exists already; choose another name with --out, or --force to replace it"
            )


def chosen_tasks(source: Source) -> tuple[list[guess.Task], str]:
    """What `guess.tasks` returns; a task of another kind where no column holds classes."""
    if "windows" in source.entry:
        return kinds.in_windows(source.columns)
    try:
        return guess.tasks(source.columns)
    except StratavoxError as error:
        return kinds.instead(source.columns, source.entry.get("sets", {}), error)


def proposals(
    source: Source, scan: pa.Table | None, tasks: list[guess.Task]
) -> list[kinds.Proposal]:
    """The further tasks of other kinds than classification."""
    chosen = tasks[0].target
    found = kinds.proposals(source.columns, source.entry.get("sets", {}), scan, chosen)
    return [one for one in found if not (tasks[0].keys and one.keys["target"] == chosen.name)]


def unsure(messages: list[str]) -> list[str]:
    """Of ``messages``, the most dangerous first, those that a person has to look at."""
    stripped = (line.strip() for line in messages)
    doubts = [line for line in stripped if line.startswith(("look: ", "check: "))]
    if not doubts:
        return []
    return ["", "not sure of, the most dangerous first:", *(f"  {line}" for line in doubts)]


def doubtful(task: guess.Task, why: str) -> list[str]:
    """What is doubtful about the chosen label and group."""
    lines = []
    if task.target.kind not in ("label", "individual"):
        lines.append(f"look: the label is {task.target.name}: {why}")
    if task.group is None:
        lines.append(
            f"look: the group is unknown ({task.why}): clips of one animal may be in both training "
            "and test data"
        )
    return lines


def say(lines: list[str]) -> None:
    """Print lines."""
    if lines:
        print("\n".join(lines), flush=True)


def columns(present: list[Column]) -> list[str]:
    """Each column with its kind and its values."""
    messages = ["columns:"]
    for column in present:
        if column.useless:
            messages.append(f"  {column.name}: ignored: {column.useless}")
        else:
            kind = f"{column.kind}, by its name" if column.kind else "kind not known by its name"
            messages.append(f"  {column.name}: {kind}; {write.describe(column)}")
    return messages


def choice(task: guess.Task, why: str) -> list[str]:
    """The chosen task and group, each with its reason, and the alternatives."""
    messages = [f"label: {task.target.name} ({why})"]
    if task.group is None:
        messages += [f"group: null ({task.why})", f"  {write.NO_GROUP}"]
    else:
        messages += [f"group: {task.group.column.name} ({task.why})", f"  {task.group.describe()}"]
    return messages + [f"  or {other.column.name}: {other.describe()}" for other in task.others]


def run_command(config: Path) -> str:
    """The command that runs ``config`` in the working directory, with this Python's Snakemake."""
    snakemake = Path(sys.executable).with_name("snakemake")
    program = str(snakemake) if snakemake.exists() else "snakemake"
    words = [program, "-s", str(PROJECT / "Snakefile"), "--directory", "."]
    return shlex.join([*words, "--configfile", str(config), "--cores", "all"])
