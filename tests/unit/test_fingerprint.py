"""A stage's fingerprint follows its code and its imports, not its comments or times."""

import shutil
from pathlib import Path

import pytest

from stratavox import fingerprint

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


LINEAR, FOLDS, INFER = (f"stratavox.probe.{name}" for name in ("linear", "folds", "infer"))


def test_comment_docstring_and_blank_line_change_nothing(copy):
    before = fingerprint.code(LINEAR)
    copy("probe/nested.py", lambda text: text.replace('"""Nested, ', '"""Changed: nested, '))
    copy("probe/nested.py", lambda text: "# a comment\n\n" + text + "\n\n# more\n")
    assert fingerprint.code(LINEAR) == before


def test_a_line_of_an_imported_module_changes_its_stages_alone(copy):
    before = {stage: fingerprint.code(stage) for stage in (LINEAR, FOLDS, INFER)}
    copy("probe/nested.py", lambda text: text.replace("RISES = 2", "RISES = 3"))
    assert fingerprint.code(LINEAR) != before[LINEAR]
    assert fingerprint.code(FOLDS) == before[FOLDS]
    assert fingerprint.code(INFER) == before[INFER]


def test_a_line_of_what_all_share_changes_all(copy):
    before = {stage: fingerprint.code(stage) for stage in (LINEAR, FOLDS)}
    copy("tables.py", lambda text: text.replace("compression_level=1", "compression_level=2"))
    assert all(fingerprint.code(stage) != old for stage, old in before.items())


def test_versions_are_those_of_what_the_stage_imports():
    found = fingerprint.versions("stratavox.embed.part", "stratavox.encoders.beats.load")
    assert found["avex"] == "1.4.0" and found["torch"].startswith("2.12.1")
    assert "avex" not in fingerprint.versions(
        "stratavox.embed.part", "stratavox.encoders.logmel.load"
    )
    assert "scikit-learn" in fingerprint.versions(LINEAR)
    assert not {"torch", "umap-learn"} & set(fingerprint.versions(LINEAR))
