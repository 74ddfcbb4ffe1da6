"""The acoustic descriptors by name, without the libraries that measure them."""

from __future__ import annotations

from typing import NamedTuple


class Target(NamedTuple):
    """A descriptor: its label, its unit, and its transform before a regression.

    ``transform`` is "log", "rank" (by rank, to a normal distribution) or "none".
    """

    label: str
    unit: str
    transform: str


TARGETS = {
    "duration": Target("Duration", "s", "log"),
    "level": Target("Level (RMS)", "dB re full scale", "none"),
    "centroid": Target("Spectral centroid", "Hz", "log"),
    "bandwidth": Target("Spectral bandwidth", "Hz", "log"),
    "flatness": Target("Flatness (Wiener entropy)", "dB", "none"),
    "roll_off": Target("Spectral roll-off (85 %)", "Hz", "log"),
    "dominant": Target("Dominant frequency", "Hz", "log"),
    "harmonicity": Target("Harmonicity", "0 to 1", "rank"),
    "f0": Target("Fundamental frequency (F0)", "Hz", "log"),
    "f0_range": Target("F0 range", "octaves", "rank"),
    "fm_slope": Target("F0 slope (FM)", "octaves/s", "rank"),
    "am_rate": Target("Amplitude modulation rate", "Hz", "log"),
    "am_depth": Target("Amplitude modulation depth", "ratio", "rank"),
    "snr": Target("Signal to noise", "dB", "none"),
}
# They depend on cutting, recording and padding of the clip, not only on the animal.
NUISANCE = ("duration", "level", "snr", "padding")
