"""A published model of avex."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """Where the weights of a model are, and the rate in Hz of the audio that it takes.

    ``sha256`` is that of the file as published by its makers. Where they give none it is None, and
    a fetched file is compared with the sha256 that the hub gives.
    """

    repository: str
    rate: int = 16000
    sha256: str | None = None

    @property
    def file(self) -> str:
        return f"{self.repository.rpartition('/')[2]}.safetensors"
