"""What a run prints at its end: the answer, or what is missing."""

import time

from snakemake.logging import logger

from stratavox import answer
from stratavox.report import unfinished

BEGAN = time.monotonic()


onsuccess:
    taken = time_taken()
    log_lines(answer_lines(taken) or [f"Time: {taken}"])


onerror:
    log_lines([*missing_lines(), *report_of_finished()])


def time_taken():
    """The run's wall time and CPU time."""
    stop_forks()
    return answer.time_taken(time.monotonic() - BEGAN)


def answer_lines(taken):
    """The five lines of `answer`, where the run was to make the report."""
    if not internals.requested(workflow, rules.summary.output.page):
        return []
    page, summary = (Path(rules.summary.output[name]) for name in ("page", "json"))
    try:
        return answer.lines(summary, page, taken)
    except StratavoxError as error:
        return [str(error)]


def missing_lines():
    """After an error: the answers that are there, and what is not."""
    done, total, left = internals.unfinished(workflow)
    answers = {
        f"{dataset}/{task}": rules.infer.output.summary.format(
            dataset=dataset, task=task
        )
        for dataset in PLAN.datasets
        for task in PLAN.targets(dataset)
    }
    finished = {
        task: path not in left
        for task, path in answers.items()
        if internals.requested(workflow, path)
    }
    page = internals.requested(workflow, rules.summary.output.page)
    return answer.missing(done, total, finished, page, time_taken())


def report_of_finished():
    """After failed jobs, make a report of the answers that are there; a line that names it."""
    failed, (*_, left) = internals.failed(workflow), internals.unfinished(workflow)
    if not (failed and internals.requested(workflow, rules.summary.output.page)):
        return []
    try:
        page = unfinished.write(index(), left, failed, Path(UNFINISHED))
    except StratavoxError as error:
        return [f"No report of what is finished: {error}"]
    return [f"Report of what is finished: {page.resolve()}"] if page else []


def log_lines(lines):
    """To the console, and to Snakemake's log."""
    for line in lines:
        logger.info(answer.broken(line))
