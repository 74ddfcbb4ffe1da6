"""A stage's fingerprint follows its code and its imports, not its comments or times."""

import shutil
from pathlib import Path

import pytest

from stratavox import fingerprint
from stratavox.errors import StratavoxError

PACKAGE = Path(fingerprint.__file__).parent


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package that a test may change; gives a function that edits and re-reads."""
    target = tmp_path / "stratavox"
    shutil.copytree(PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "ROOT", target)

    def clear():
        for function in ("code", "versions", "_tree", "_imports", "_substance", "_version"):
            getattr(fingerprint, function).cache_clear()

    def edit(module, change):
        path = target / module
        path.write_text(change(path.read_text()))
        clear()

    clear()
    yield edit
    clear()


LINEAR, FOLDS = "stratavox.probe.linear", "stratavox.probe.folds"
INFER, ATTENTION = "stratavox.inference.infer", "stratavox.probe.attention"
STAGES = [
    path.relative_to(PACKAGE).with_suffix("")
    for path in PACKAGE.rglob("*.py")
    if "\ndef run(job: Job)" in path.read_text()
]


def replaced(old: str, new: str):
    """A change for `copy`: ``old``, which must be there, becomes ``new``."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    ("module", "change"),
    [
        ("probe/nested_cv.py", replaced('"""Nested, ', '"""Changed: nested, ')),
        ("probe/nested_cv.py", replaced('"""Train on ', '"""Changed: train on ')),
        ("probe/nested_cv.py", lambda text: "# a comment\n\n" + text + "\n\n# more\n"),
        ("probe/readouts.py", replaced("on both sides of {fold}", "in and out of {fold}")),
        ("probe/nested_cv.py", replaced("    test: np.ndarray,\n", "    test: object,\n")),
        ("probe/nested_cv.py", replaced("    c: float\n", "    c: object\n")),
        ("probe/nested_cv.py", replaced("-> tuple[Outer, Rotation]:", "-> tuple:")),
        ("probe/attention.py", replaced('Progress("probes on tokens"', 'Progress("changed"')),
        ("progress.py", lambda text: text + "CHANGED = 1\n"),
        ("errors.py", lambda text: text + "CHANGED = 1\n"),
        ("stage.py", lambda text: text + "CHANGED = 1\n"),
    ],
    ids=[
        *("docstring of a module", "docstring of a function", "comments", "message"),
        *("hint of an argument", "hint of a field", "hint of a result"),
        *("text of progress", "progress", "errors", "stage"),
    ],
)
def test_what_cannot_change_a_result_changes_no_key(copy, module, change):
    before = fingerprint.code(LINEAR, ATTENTION)
    copy(module, change)
    assert fingerprint.code(LINEAR, ATTENTION) == before


@pytest.mark.parametrize(
    ("module", "change"),
    [
        ("probe/nested_cv.py", replaced("train = ~test", "train = ~test | test")),
        # what a message is raised on, and which error it is
        ("probe/readouts.py", replaced("    if both:\n", "    if len(both) > 1:\n")),
        ("probe/nested_cv.py", replaced("raise StratavoxError(", "raise ValueError(")),
        # a default is no hint
        ("probe/rotation.py", replaced("standardise: bool = True", "standardise: bool = False")),
    ],
    ids=["line", "condition", "error", "default"],
)
def test_a_changed_line_changes_the_key(copy, module, change):
    before = fingerprint.code(LINEAR, ATTENTION)
    copy(module, change)
    assert fingerprint.code(LINEAR, ATTENTION) != before


def test_a_module_that_does_not_exist_is_refused(copy):
    for refuse in (fingerprint.code, fingerprint.versions):
        with pytest.raises(StratavoxError, match=r"stratavox\.probe\.infer: no such module"):
            refuse("stratavox.probe.infer")
    own = "from stratavox.probe import logistic"
    copy("probe/nested_cv.py", replaced(own, "import stratavox.gone"))
    with pytest.raises(StratavoxError, match=r"stratavox\.gone: no such module"):
        fingerprint.code(LINEAR)


def test_what_carries_jobs_and_messages_is_in_no_closure():
    assert len(STAGES) > 20
    for path in STAGES:
        name = ".".join(("stratavox", *path.parts))
        modules = fingerprint.closure((name,))
        assert name in modules
        assert not {f"stratavox.{name}" for name in ("errors", "progress", "stage")} & modules


def test_a_line_of_an_imported_module_changes_its_stages_alone(copy):
    before = {stage: fingerprint.code(stage) for stage in (LINEAR, FOLDS, INFER)}
    copy("probe/nested_cv.py", lambda text: text.replace("RISES = 2", "RISES = 3"))
    assert fingerprint.code(LINEAR) != before[LINEAR]
    assert fingerprint.code(FOLDS) == before[FOLDS]
    assert fingerprint.code(INFER) == before[INFER]


def test_a_line_of_what_all_share_changes_all(copy):
    before = {stage: fingerprint.code(stage) for stage in (LINEAR, FOLDS)}
    copy("tables.py", lambda text: text.replace("compression_level=1", "compression_level=2"))
    assert all(fingerprint.code(stage) != old for stage, old in before.items())


def test_versions_are_those_of_what_the_stage_imports():
    versions = fingerprint.versions("stratavox.embed.part", "stratavox.encoders.beats.load")
    assert versions["avex"] == "1.4.0" and versions["torch"].startswith("2.12.1")
    assert "avex" not in fingerprint.versions(
        "stratavox.embed.part", "stratavox.encoders.logmel.load"
    )
    assert "scikit-learn" in fingerprint.versions(LINEAR)
    assert not {"torch", "umap-learn"} & set(fingerprint.versions(LINEAR))
