"""The jobs that make a run's targets, from Snakemake's rules: what each writes, and its key."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stratavox.keys import Keys

if TYPE_CHECKING:
    from stratavox.snakemake_internals import Rules


class Jobs:
    """The jobs behind ``targets``, files relative to the working directory."""

    def __init__(self, rules: Rules, targets: list[str]):
        self._rules, self._targets = rules, targets
        self.keys = Keys(rules)

    @cached_property
    def outputs(self) -> set[str]:
        """Every file that a job behind the targets writes and its rule names."""
        outputs: set[str] = set()
        waiting = list(self._targets)
        while waiting:
            path = waiting.pop()
            if path in outputs:
                continue
            if job := self._rules.producer(path):
                outputs.update(self._rules.outputs(*job))
                waiting += self._rules.inputs(*job)
        return outputs

    def output_of(self, table: str) -> str | None:
        """``table``, or for a readout its encoder.json; None where the run makes neither.

        Readouts are not outputs of a rule, as their names are known only after the encoder ran;
        encoder.json lists them.
        """
        listed = str(Path(table).with_name("encoder.json"))
        return next((path for path in (table, listed) if path in self.outputs), None)
