"""The last lines of a run."""

import json

from stratavox import answer


def card(task="call_type", dataset="chorus", verdict="It is early.", beware=()):
    return {
        "dataset": dataset,
        "task": task,
        "short": {"verdict": verdict, "readout": f"block 5 for {task}"},
        "beware": list(beware),
    }


def lines(tmp_path, *cards) -> list[str]:
    summary = tmp_path / "summary.json"
    summary.write_text(json.dumps({"cards": cards} if cards else {}))
    return answer.lines(summary, tmp_path / "summary.html", "42 s")


def test_five_lines_of_one_task(tmp_path):
    assert lines(tmp_path, card(beware=["Few birds.", "One site."])) == [
        "Acoustics early, task late: call_type: It is early",
        "Readout to use: call_type: block 5 for call_type",
        "Beware: call_type: Few birds; call_type: One site",
        "Time: 42 s",
        f"Report: {tmp_path}/summary.html",
    ]


def test_many_tasks_are_five_lines_that_say_how_many_are_left_out(tmp_path):
    many = [card(f"task_{i}", f"set_{i % 3}", f"Verdict {i}", [f"Leak {i}"]) for i in range(30)]
    printed = lines(tmp_path, *many)
    assert len(printed) == 5
    assert max(map(len, printed[:3])) < 320
    for line in printed[:3]:
        named, left = line.count("set_"), int(line.partition(" (and ")[2].split()[0])
        assert named + left == 30 and "see the report" in line
    assert printed[0].startswith(
        "Acoustics early, task late: set_0/task_0: Verdict 0; set_1/task_1: "
    )


def test_equal_sentences_are_printed_once(tmp_path):
    printed = lines(tmp_path, card("call_type"), card("species"), card("sex", verdict="Late"))
    assert printed[0] == "Acoustics early, task late: call_type, species: It is early; sex: Late"
    assert printed[2] == "Beware: nothing"


def test_a_report_without_cards_prints_nothing(tmp_path):
    assert lines(tmp_path) == []


def test_after_an_error_what_is_there_and_what_is_missing():
    answers = {"chorus/species": True, "chorus/call_type": False}
    assert answer.missing(7, 9, answers, True, "42 s") == [
        "Finished: 7 of 9 jobs; answers of chorus/species",
        "Missing: answers of chorus/call_type; the report",
        "Time: 42 s; the same command continues the run",
    ]
    finished, missing, _ = answer.missing(0, 9, dict.fromkeys("abcdefgh", False), False, "42 s")
    assert finished.endswith("no answers yet")
    assert missing == "Missing: answers of a, b, c, d, e, f and 2 more"


def test_times():
    times = {0.4: "0 s", 59.6: "1 min 0 s", 271: "4 min 31 s", 7530: "2 h 5 min"}
    assert {seconds: answer.span(seconds) for seconds in times} == times
