"""The command line of Stratavox: its commands, and the stages that the workflow runs."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from stratavox.errors import StratavoxError, run_command

PROJECT = Path(__file__).resolve().parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stratavox", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    init = commands.add_parser("init", help="write a config for a folder of recordings")
    init.add_argument("folder", type=Path, help="folder of recordings, and of their table")
    init.add_argument("--out", type=Path, help="config to write; default: {folder's name}.yaml")
    init.add_argument(
        "--force",
        action="store_true",
        help="replace an existing config (and its table of sub-folders)",
    )
    init.add_argument(
        "--listen", action="store_true", help="write the first clips as WAV files, to hear them"
    )
    verify = commands.add_parser("verify", help="name the tables in results/ that are stale")
    verify.add_argument(
        "--configfile", type=Path, default=PROJECT / "config.yaml", help="the run's config"
    )
    apply = commands.add_parser("apply", help="predict new recordings with a finished run")
    apply.add_argument("folder", type=Path, help="folder of the new recordings")
    apply.add_argument(
        "--configfile", type=Path, default=PROJECT / "config.yaml", help="the run's config"
    )
    apply.add_argument("--task", required=True, help="the task whose labels are predicted")
    apply.add_argument("--dataset", help="the labelled dataset; default: the run's only one")
    apply.add_argument("--encoder", help="another encoder of the run than the recommended one")
    clips = apply.add_mutually_exclusive_group()
    clips.add_argument("--windows", type=float, metavar="SECONDS", help="cut recordings in windows")
    clips.add_argument(
        "--annotations",
        metavar="FORMAT",
        help="predict the boxes in annotation files of this format (as in the config)",
    )
    clips.add_argument("--table", type=Path, help="predict the rows of a table (.csv or .tsv)")
    apply.add_argument("--out", type=Path, help="outputs without ending; default: {folder}_{task}")
    apply.add_argument("--force", action="store_true", help="replace existing outputs")
    tensors = commands.add_parser("tensors", help="list what a .tflite or .onnx file computes")
    tensors.add_argument("file", type=Path, help="the file of a graph")
    tensors.add_argument(
        "--window", type=int, metavar="SAMPLES", help="samples at once, where the file is silent"
    )
    stage = commands.add_parser("stage", help="run one job of a stage, as the workflow does")
    stage.add_argument("module", help="the stage, such as probe.linear")
    stage.add_argument(
        "--job",
        help="JSON object: input and output (name: path or list of paths), settings, wildcards, "
        "provenance; or @ and the path of a file with it; without it, what the stage does is "
        "printed",
    )
    stage.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args()

    # heavy, and not needed for --help
    if options.command == "init":
        from stratavox.init.command import start

        start(options.folder, options.out, options.force, options.listen)
    elif options.command == "verify":
        from stratavox.verify import verify as compare

        compare(options.configfile, Path())
    elif options.command == "apply":
        from stratavox.apply.command import Question
        from stratavox.apply.command import start as predict
        from stratavox.apply.recordings import Request

        question = Question(options.configfile, options.task, options.dataset, options.encoder)
        chosen = (options.windows, options.annotations, options.table)
        predict(question, Request(options.folder, *chosen), options.out, options.force)
    elif options.command == "tensors":
        from stratavox.encoders.tensors import start as list_tensors

        list_tensors(options.file, options.window)
    else:
        run_stage(options.module, options.job, options.threads)


def run_stage(name: str, text: str | None, threads: int) -> None:
    """Run the job that the JSON ``text`` describes by the module ``name`` below stratavox.

    ``text`` may also be @ and the path of a file with the JSON.
    """
    from stratavox.stage import Job

    try:
        module = importlib.import_module(f"stratavox.{name}")
    except ModuleNotFoundError as error:
        if not f"stratavox.{name}".startswith(error.name or "\0"):
            raise
        raise StratavoxError(f"stage {name!r}: there is no module stratavox.{name}") from None
    if not hasattr(module, "run"):
        raise StratavoxError(f"stage {name!r}: stratavox.{name} is no stage: it has no run(job)")
    if text is None:
        sys.stdout.write(module.__doc__)
        return
    if text.startswith("@"):
        try:
            text = Path(text[1:]).read_text(encoding="utf-8")
        except OSError as error:
            raise StratavoxError(f"--job {text}: cannot be read ({error.strerror})") from None
    try:
        job = Job.of(json.loads(text), threads)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StratavoxError(
            f"--job: {text!r} is no JSON object with input and output ({error!r})"
        ) from None
    module.run(job)


if __name__ == "__main__":
    run_command(main)
