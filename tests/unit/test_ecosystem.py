"""What users, GitHub, pre-commit, Docker and the workflow catalog rely on at the top level."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config/README.md")),
    *sorted(ROOT.glob("docs/*.md")),
]
# The only files that use the folder of real recordings and weights beside the checkout.
NEED_SHARED = (
    ".ci/run",
    "Makefile",
    "config/birds.yaml",
    "config/digits.yaml",
    "benchmarks/",
    "tests/",
)


def read_yaml(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text())


def commands_of_check() -> set[tuple[str, ...]]:
    """What `make check` runs, as words, without the environment's folder."""
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", "check"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {
        tuple(shlex.split(line)) for line in shown.splitlines() if line.startswith(".venv/bin/")
    }


def prose(page: Path) -> str:
    """A page without its blocks of code, which hold no links and no headings."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.S | re.M)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


def tracked_texts() -> dict[str, str]:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    texts = {}
    for name in filter(None, names):
        try:
            texts[name] = (ROOT / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
    return texts


def test_the_licence_is_the_one_that_is_declared():
    assert PROJECT["license"] == "Apache-2.0"
    licence = (ROOT / "LICENSE").read_bytes()
    # the text as apache.org publishes it
    assert hashlib.md5(licence).hexdigest() == "3b83ef96387f14655fc854ddc3c6bd57"


def test_the_citation_is_of_this_version_and_licence():
    citation = read_yaml("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert {"message", "title", "abstract", "authors", "keywords"} <= set(citation)


def test_the_locked_snakemake_is_one_that_pyproject_allows():
    from packaging.requirements import Requirement

    wanted = next(
        requirement
        for requirement in map(Requirement, PROJECT["dependencies"])
        if requirement.name == "snakemake"
    )
    lock = (ROOT / "envs/requirements.lock").read_text()
    locked = re.search(r"^snakemake==(\S+)", lock, flags=re.M)[1]
    assert locked in wanted.specifier
    # the next major version may change parts of Snakemake that are not public but used here
    assert "10.0" not in wanted.specifier


def test_hooks_run_what_make_check_runs():
    hooks = [
        hook for repo in read_yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]
    ]
    checks = {
        tuple(word for word in command if word != "--check") for command in commands_of_check()
    }
    for hook in hooks:
        entry = tuple(shlex.split(hook["entry"]))
        assert any(entry == command[: len(entry)] for command in checks), hook["id"]
    formatted = {tuple(shlex.split(hook["entry"])) for hook in hooks}
    assert {entry[0] for entry in formatted} >= {".venv/bin/ruff", ".venv/bin/snakefmt"}


def test_hooks_need_no_network_and_have_no_version_of_their_own():
    for repo in read_yaml(".pre-commit-config.yaml")["repos"]:
        assert repo["repo"] == "local"
        assert "rev" not in repo
        assert all(hook["language"] == "system" for hook in repo["hooks"])


def test_github_runs_the_projects_own_check():
    job = read_yaml(".github/workflows/ci.yml")["jobs"]["check"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    actions = {step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step}
    assert actions == {"actions/checkout", "actions/setup-python"}
    (python,) = (step["with"]["python-version"] for step in job["steps"] if "with" in step)
    assert python == "3.11"


def test_the_image_has_the_locked_environment_and_runs_the_workflow():
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    instructions = [line for line in lines.splitlines() if line and not line.startswith("#")]
    installs = [line for line in instructions if "pip install" in line]
    assert all("--no-deps" in line for line in installs)
    locked, own = installs
    assert "--require-hashes" in locked
    assert locked.endswith("-r /opt/stratavox/envs/requirements.lock")
    assert own.endswith("-e /opt/stratavox")
    users = [line for line in instructions if line.startswith("USER")]
    assert users == ["USER 1000"]
    (entry,) = (line for line in instructions if line.startswith("ENTRYPOINT"))
    words = yaml.safe_load(entry.removeprefix("ENTRYPOINT"))
    assert words[0] == "snakemake"
    assert words[words.index("-s") + 1] == "/opt/stratavox/Snakefile"
    assert words[words.index("--directory") + 1] == "/data"


def test_the_image_leaves_out_no_file_that_a_run_reads():
    ignored = {
        line.strip("/")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    }
    kept = {"Snakefile", "config.yaml", "rules", "workflow", "envs", "profiles", "pyproject.toml"}
    assert all((ROOT / name).exists() for name in kept)
    assert not ignored & (kept | {PROJECT["readme"], "LICENSE"})


def test_the_catalog_finds_its_settings_and_the_page_on_the_config():
    usage = read_yaml(".snakemake-workflow-catalog.yml")["usage"]
    deployment = usage["software-stack-deployment"]
    assert deployment["conda"] and deployment["report"]
    # no rule names a container
    rules = "".join(path.read_text() for path in ROOT.glob("rules/*.smk"))
    assert deployment["apptainer"] == bool(re.search(r"^ +container:", rules, flags=re.M))
    assert (ROOT / "config/README.md").is_file()
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme and "workflow" in readme


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(page):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            broken.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(target):
            broken.append(f"{link}: no such heading; there are {sorted(anchors(target))}")
    assert not broken


def test_no_file_leads_to_one_that_a_stranger_does_not_have():
    strangers = re.compile(r"\b(DESIGN|FACTS)\.md\b")
    here = Path(__file__).relative_to(ROOT).as_posix()
    leads = []
    for name, text in tracked_texts().items():
        if name == here:
            continue
        leads += [f"{name}: {match[0]}" for match in strangers.finditer(text)]
        if "../shared" in text and not name.startswith(NEED_SHARED):
            leads.append(f"{name}: ../shared")
    assert not leads


def test_every_fault_on_the_page_names_tests_that_exist():
    """A cell such as "`test_faults.py`: `a_full_disk`, `a_second_run`" names a file and tests."""
    rows = re.findall(
        r"^\|.*\| (.*`test_.*) \|$", (ROOT / "docs/faults.md").read_text(), flags=re.M
    )
    assert len(rows) > 10
    missing = []
    for row in rows:
        for name, tests in re.findall(r"`(test_\w+\.py)`((?:(?!`test_\w+\.py`).)*)", row):
            texts = [path.read_text() for path in ROOT.glob(f"tests/*/{name}")]
            missing += [name] if not texts else []
            for test in re.findall(r"`(\w+)`", tests):
                if not any(re.search(rf"def test_\w*{test}", text) for text in texts):
                    missing.append(f"{name}: {test}")
    assert not missing


def test_profiles_on_the_page_of_executors_carry_what_every_profile_must():
    """A workflow profile takes the place of profiles/default, so its keys must be repeated."""
    page = (ROOT / "docs/executors.md").read_text()
    needed, *examples = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", page, flags=re.S))
    assert needed == read_yaml("profiles/default/config.yaml")
    assert needed.items() <= read_yaml("profiles/slurm/config.yaml").items()
    executors = {example["executor"] for example in examples if "executor" in example}
    assert executors == {"lsf", "htcondor", "cluster-generic"}
    rules = "".join(path.read_text() for path in ROOT.glob("rules/*.smk"))
    for example in examples:
        for rule in [*example.get("set-resources", {}), *example.get("groups", {})]:
            assert re.search(rf"^rule {rule}:", rules, flags=re.M), rule


# ---- setting up ----


def made(*words: str, **environment: str) -> subprocess.CompletedProcess:
    # the tests may run in a make of their own, which would tell this one to print its folders
    environment = os.environ | environment
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("minor", [10, 11, 13, 14])
def test_make_refuses_in_words_what_pyproject_does(tmp_path, minor):
    python = tmp_path / "python"
    python.write_text(
        f"""#!/bin/sh
[ "$1" = -c ] || exit 7  # what follows the check
exec {sys.executable} -c 'import sys
sys.version_info, sys.version = (3, {minor}, 0), "3.{minor}.0"
exec(sys.argv[1])' "$2"
"""
    )
    python.chmod(0o755)
    done = made(f"VENV={tmp_path}/venv", f"PYTHON={python}", f"{tmp_path}/venv/.ready")
    allowed = f"3.{minor}" in SpecifierSet(PROJECT["requires-python"])
    assert done.returncode and allowed == ("Setting up" in done.stdout)
    words = (
        f"Python 3.11, 3.12 or 3.13 is needed (avex cannot be installed on 3.14), this is 3.{minor}"
    )
    assert allowed == (words not in done.stderr)


def test_what_is_built_is_built_by_the_locks_setuptools():
    shown = made("--dry-run", "--always-make", ".venv/.ready").stdout.splitlines()
    first, second, own = (line for line in shown if "pip install" in line)
    (cut,) = (line for line in shown if line.startswith("sed "))
    assert shown.index(cut) < shown.index(first)
    pinned = subprocess.run(cut.partition(">")[0], shell=True, cwd=ROOT, capture_output=True).stdout
    assert re.fullmatch(rb"setuptools==[\d.]+ \\\n( +--hash=sha256:\w{64}( \\)?\n)+", pinned)
    assert first.endswith(cut.split()[-1])
    assert "--require-hashes" in first and "--require-hashes" in second
    assert "--no-build-isolation" in second and second.endswith("envs/requirements.lock")
    assert own.endswith("-e .")


def test_a_home_that_cannot_be_written_to_holds_no_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    show = ['--eval=show: ; @echo "$${XDG_CACHE_HOME-the home}"', "show"]
    (tmp_path / "home").mkdir()
    assert made(*show, HOME=f"{tmp_path}/home").stdout == "the home\n"
    assert made(*show, HOME="/dev/null").stdout == f"{ROOT}/.venv/cache\n"
