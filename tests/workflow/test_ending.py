"""What a run prints where its output is no terminal; test_console.py in tests/unit has the rest."""

import html
import json
import os
import re
import subprocess

from tiny_study import Study


def lines(study: Study, *options: str, rc: int = 0) -> list[str]:
    """All that a user's run prints, with the view of profiles/default."""
    command = [word for word in study.command(*options) if word != "--verbose"]
    environment = os.environ | {"PYTHONPATH": str(study.project / "workflow")}
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(command, cwd=study.folder, env=environment, timeout=600, **output)
    assert done.returncode == rc, done.stdout
    return done.stdout.splitlines()


def with_headings(printed: list[str]) -> list[str]:
    headings = ("Acoustics early, task late", "Readout to use", "Beware", "Time", "Report")
    headings += ("Finished", "Missing")
    return [line for line in printed if line.split(":")[0] in headings]


def test_a_run_ends_with_its_answer_or_with_what_is_missing(study):
    page = study.here / "results/report/summary.html"
    summary = page.with_suffix(".json")
    page.unlink()
    printed = lines(study)
    assert "2 jobs to run" in printed
    assert len(with_headings(printed)) == 5
    assert len(printed) < 12
    card = {"dataset": "wood", "task": "kind", "beware": ["Few birds."]}
    card["short"] = {"verdict": "refuted (tiny)", "readout": "block 1 of tiny"}
    summary.write_text(json.dumps({"cards": [card]}))
    os.utime(summary, ns=(page.stat().st_mtime_ns,) * 2)
    (nothing, *answer) = lines(study)[-6:]
    assert nothing.startswith("Nothing to be done")
    assert answer == [
        "Acoustics early, task late: kind: refuted (tiny)",
        "Readout to use: kind: block 1 of tiny",
        "Beware: kind: Few birds",
        "Time: nothing had to run",
        f"Report: {page}",
    ]
    config = study.config
    config["datasets"]["wood"]["probes"] = {"folds": 9}
    study.config = config
    printed = lines(study, rc=1)
    assert not any(line.startswith("Error in rule") for line in printed)
    begin = next(i for i, line in enumerate(printed) if line.startswith("Failed: "))
    failed, log, number, again, same_log, finished, missing, time, report = printed[begin:]
    assert failed.startswith("Failed: folds wood kind: datasets.wood.tasks.kind: 9 folds")
    assert log == same_log == "  log: results/logs/folds/wood.kind.log"
    assert number.startswith("1 of ") and again == failed.replace("Failed:", "*")
    assert finished.startswith("Finished: 0 of ") and finished.endswith("answers of field/kind")
    assert missing == "Missing: answers of wood/kind; the report"
    assert time.startswith("Time: ")
    made = page.with_name("unfinished") / "summary.html"
    assert report == f"Report of what is finished: {made.parent / made.name}"
    content = json.loads(made.with_suffix(".json").read_text())
    assert [card["dataset"] for card in content["cards"]] == ["field"]
    assert content["unfinished"]["missing"] == ["wood, kind: everything"]
    ((job, why),) = content["unfinished"]["failed"]
    assert job == "folds wood kind" and why == failed.partition("kind: ")[2]
    shown = html.unescape(made.read_text())
    assert shown.index(why) < shown.index("<main>")
    # what the page links is there
    for address in re.findall(r'<a href="(\.\.[^"]+)"', shown):
        assert (made.parent / address).exists(), address
    # the next run begins without it
    del config["datasets"]["wood"]["probes"]
    study.config = config
    lines(study, "--until", "folds")
    assert not made.exists()
