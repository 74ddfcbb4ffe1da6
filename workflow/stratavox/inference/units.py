"""The units that are compared: encoders, random draws of one taken together."""

from __future__ import annotations

from collections.abc import Iterable


def members(encoders: Iterable[str], draws: dict[str, list[str]]) -> dict[str, list[str]]:
    """The units that are compared, by name -> their ``encoders``, in order.

    ``draws`` gives, for each name that several random draws share, the encoders that are its draws.
    """
    shared = {encoder: name for name, drawn in draws.items() for encoder in drawn}
    grouped: dict[str, list[str]] = {}
    for encoder in encoders:
        grouped.setdefault(shared.get(encoder, encoder), []).append(encoder)
    return grouped
