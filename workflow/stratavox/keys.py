"""Computes the key that decides what reruns.

The key of a job is a digest of the code that it runs, the versions of what that code imports, its
settings, and the keys of the jobs whose files it reads; Snakemake's rules give these jobs. Only a
changed key makes Snakemake rerun a job: times of files do not matter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import TYPE_CHECKING

from stratavox import columns, fingerprint
from stratavox.errors import StratavoxError
from stratavox.snakemake_internals import patterns
from stratavox.stage import canonical

if TYPE_CHECKING:
    from stratavox.snakemake_internals import Rules


def _nothing() -> dict:
    return {}


@dataclass(frozen=True)
class Stage:
    """The stage of a rule, and what its result depends on apart from its input files.

    ``module`` is the stage's module below stratavox. The others are functions whose parameters are
    names of wildcards: ``settings``, the part of the config in the key; ``places``, paths for the
    stage, which are not in the key; ``code``, further modules that run for this job; ``content``,
    digests of files that no rule writes. Without ``versioned`` the key has no code.
    """

    module: str
    settings: Callable[..., dict] = _nothing
    places: Callable[..., dict] = _nothing
    code: Callable[..., Iterable[str]] = _nothing
    content: Callable[..., Iterable[str]] = _nothing
    versioned: bool = True

    def given(self, name: str, wildcards: Mapping[str, str]) -> dict | Iterable[str]:
        """What the function ``name`` returns for a job with these wildcards."""
        function = getattr(self, name)
        return function(**{key: wildcards[key] for key in _parameters(function)})


class Keys:
    """The keys of all jobs, each computed once."""

    def __init__(self, rules: Rules):
        self._rules = rules
        self._provenance: dict[tuple, dict] = {}

    def of_stage(self, stage: Stage, wildcards: dict[str, str]) -> dict:
        """Stage, code, versions and key of the job of the rule that has ``stage``."""
        return self.provenance(self._rules.with_stage(stage), dict(wildcards.items()))

    def of_file(self, path: str) -> str:
        """The key of the job that writes ``path``; raises where no rule writes it."""
        job = self._rules.producer(path)
        if job is None:
            raise StratavoxError(f"{path}: no rule makes it, so the rule that reads it has no key")
        return self.provenance(*job)["key"]

    def provenance(self, rule, wildcards: dict[str, str]) -> dict:
        """Stage, code, versions and key of the job of a rule that has a `Stage`."""
        job = (rule.name, *sorted(wildcards.items()))
        if job not in self._provenance:
            self._provenance[job] = self._compute(rule, wildcards)
        return self._provenance[job]

    def _compute(self, rule, wildcards: dict[str, str]) -> dict:
        stage = rule.params.provenance.stage
        source = {"stage": stage.module}
        if stage.versioned:
            modules = stage.module, *stage.given("code", wildcards)
            roots = [f"stratavox.{name}" for name in modules]
            source |= {"code": fingerprint.code(*roots), "versions": fingerprint.versions(*roots)}
        inputs = [self.of_file(path) for path in self._rules.inputs(rule, wildcards)]
        needs = [list(dict.fromkeys(inputs)), list(stage.given("content", wildcards))]
        declared = [path.removeprefix("results/") for path in patterns(rule)]
        tables = [columns.types(path) for path in declared]
        settings = stage.given("settings", wildcards)
        return source | {"key": digest([source, settings, needs, tables])}


@cache
def _parameters(function: Callable) -> tuple[str, ...]:
    return tuple(signature(function).parameters)


def digest(value: object) -> str:
    """SHA-256 of a value that JSON can hold; the order of keys does not matter."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()
