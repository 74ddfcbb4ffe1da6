"""Progress of long work, for terminals and logs."""

from __future__ import annotations

import sys
import time


class Progress:
    """Print the progress of a stage: items done, how many a second, time left.

    On a terminal one line is rewritten; in a log a line is added every 10 s and at the end.
    """

    def __init__(self, what: str, total: int, unit: str = "clips"):
        self.what, self.total, self.unit = what, total, unit
        self.done, self.audio_s = 0, 0.0
        self.started = self.printed = time.monotonic()
        self.terminal = sys.stderr.isatty()

    def add(self, items: int = 1, audio_s: float = 0.0) -> None:
        """Count ``items`` more as done, holding ``audio_s`` seconds of audio."""
        self.done += items
        self.audio_s += audio_s
        now = time.monotonic()
        if now - self.printed >= (0.2 if self.terminal else 10) and self.done != self.total:
            self.printed = now
            self._print("\r" if self.terminal else "", "" if self.terminal else "\n")

    def close(self) -> None:
        """Print the last line."""
        self._print("\r" if self.terminal else "", "\n")

    def _print(self, start: str, end: str) -> None:
        text = self._text(max(time.monotonic() - self.started, 1e-9))
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)

    def _text(self, elapsed: float) -> str:
        rate = self.done / elapsed
        text = f"{self.what}: {self.done}/{self.total} {self.unit}"
        text += f", {rate:.{0 if rate >= 10 else 2}f} {self.unit} per second"
        if self.audio_s:
            text += f", {self.audio_s / elapsed:.1f} audio-seconds per second"
        if 0 < self.done < self.total:
            text += f", {elapsed / self.done * (self.total - self.done):.0f} s left"
        else:
            text += f", {elapsed:.1f} s"
        return text


class Transfer(Progress):
    """Progress in bytes: MB, MB a second and, where the size is known, the time left.

    ``had`` of ``total`` bytes (0: not known) came from an earlier attempt.
    """

    def __init__(self, what: str, total: int, had: int = 0):
        super().__init__(what, total, "MB")
        self.done = self.had = had

    def _text(self, elapsed: float) -> str:
        rate = (self.done - self.had) / elapsed
        text = f"{self.what}: {self.done / 1e6:.1f}"
        text += f"/{self.total / 1e6:.1f} MB" if self.total else " MB"
        text += f", {rate / 1e6:.1f} MB/s"
        if rate and self.done < self.total:
            return f"{text}, {(self.total - self.done) / rate:.0f} s left"
        return f"{text}, {elapsed:.1f} s"
