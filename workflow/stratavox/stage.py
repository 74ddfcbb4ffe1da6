"""What a stage of the workflow gets: the files of one job, its settings and its provenance."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace


@dataclass(frozen=True)
class Job:
    """One job: ``run(job)`` of a stage's module reads ``input`` and writes ``output``.

    ``input`` and ``output`` hold the rule's named files: a `Path`, or a list of them where the rule
    names several. ``settings`` is the stage's part of the config, ``wildcards`` the values of the
    rule's wildcards, ``provenance`` (key, code, versions) is stored in the metadata of each table.
    """

    input: SimpleNamespace
    output: SimpleNamespace
    settings: dict = field(default_factory=dict)
    provenance: dict = field(default_factory=dict)
    wildcards: SimpleNamespace = field(default_factory=SimpleNamespace)
    threads: int = 1

    @classmethod
    def of(cls, values: dict, threads: int = 1) -> Job:
        """The job that a rule describes as a JSON object of objects: input, output, settings ..."""
        if not all(isinstance(value, dict) for value in values.values()):
            raise TypeError("each value must be an object")
        files = {
            kind: SimpleNamespace(**{name: _paths(value) for name, value in values[kind].items()})
            for kind in ("input", "output")
        }
        wildcards = SimpleNamespace(**values.get("wildcards", {}))
        further = {key: values.get(key, {}) for key in ("settings", "provenance")}
        return cls(**files, **further, wildcards=wildcards, threads=threads)


def canonical(value: object) -> str:
    """JSON that is the same for equal values: keys sorted, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _paths(value: str | list[str]) -> Path | list[Path]:
    return Path(value) if isinstance(value, str) else [Path(each) for each in value]
