"""Calls that are stored in slow motion: time expansion by the metadata of bat detectors.

A module apart from `recorder`, so that a further pattern of names or times re-embeds nothing.
"""

from __future__ import annotations

import math
import struct

# No recorder samples faster; GUANO's Samplerate is a whole number.
MOST_HZ, RATE_SLACK = 1_000_000, 0.001


def time_expansion(chunks: dict[bytes, bytes], rate: int) -> float:
    """How many times slower than in nature a file of ``rate`` Hz plays; 1 for most recorders.

    Bat detectors may store calls at a tenth of their rate or less. Sources are GUANO's ``TE`` and
    field 15 of the chunk ``wamd`` of Wildlife Acoustics. With GUANO's ``Samplerate``, the rate of
    the recording, the product must fit; a file that already is at this rate plays at true speed.
    Raises `ValueError` with the reason where the entries contradict each other or the rate.
    """
    guano = guano_of(chunks)
    factors = {"GUANO's TE": guano.get("TE"), "WAMD's": _wamd(chunks.get(b"wamd", b"")).get(15)}
    factors = {source: _factor(source, value) for source, value in factors.items() if value}
    if len(set(factors.values())) > 1:
        raise ValueError(f"its time expansion is {_listed(factors)}: correct one of them")
    factor = next(iter(factors.values()), 1.0)
    if factor == 1:
        return 1.0
    true = guano.get("Samplerate")
    if true:
        true = _factor("GUANO's Samplerate", true)
        if true == rate:
            return 1.0
    if (true and abs(rate * factor / true - 1) > RATE_SLACK) or rate * factor > MOST_HZ:
        raise ValueError(
            f"its time expansion ({_listed(factors)}) does not fit its rate: {rate} Hz "
            f"would be {rate * factor:g} Hz in true time, "
            + (f"but GUANO's Samplerate is {true:g}" if true else f"allowed: up to {MOST_HZ} Hz")
            + "; correct its metadata"
        )
    return factor


def _factor(source: str, value: str | bytes) -> float:
    """The number in GUANO's text or in WAMD's 16 bits; 0 counts as 1."""
    try:
        factor = float(value) if isinstance(value, str) else struct.unpack("<H", value[:2])[0]
    except (ValueError, struct.error):
        factor = math.nan
    if not (math.isfinite(factor) and factor >= 0):
        raise ValueError(f"{source} is {value!r}, not a positive number; correct its metadata")
    return float(factor) or 1.0


def _listed(factors: dict[str, float]) -> str:
    return " and ".join(f"{source} {factor:g}" for source, factor in factors.items())


def _wamd(body: bytes) -> dict[int, bytes]:
    """The fields of a chunk ``wamd`` by number: two bytes of number, four of length, the value."""
    fields = {}
    while len(body) >= 6:
        number, size = struct.unpack("<HI", body[:6])
        fields[number] = body[6 : 6 + size]
        body = body[6 + size :]
    return fields


def guano_of(chunks: dict[bytes, bytes]) -> dict[str, str]:
    """The fields of GUANO metadata, by name, among a file's chunks."""
    text = chunks.get(b"guan", b"").decode("utf-8", "replace")
    fields = (line.partition(":") for line in text.split("\n"))
    return {key.strip(): value.strip("\0 \t\r") for key, _, value in fields}
