"""A synthetic set of calls with known labels: the same bytes for the same seed.

A call has three syllables. A species differs by its syllables, an individual by a small fixed
offset of pitch and timbre, a session by background, gain and reverberation, and a call type only by
the order of the syllables: each syllable occurs at each place with the same sounds around it, so an
average over frames cannot distinguish call types. docs/chorus.md says which readout can hold which
label.

Species, individuals, call types and sessions are crossed. Each acoustic factor follows an additive
recurrence with the square root of a prime (Richtmyer's sequence; Niederreiter 1978, Bull. AMS
84:957-1041), which covers its range evenly within every individual and call type, for any number
of renditions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf

from stratavox.corpus.synthesis import KINDS, Room, Syllable, Voice, in_room, syllable
from stratavox.errors import StratavoxError
from stratavox.tables import write_csv

RATE = 44100
# Orders of a species' low, middle and high syllable.
ORDERS = ("LMH", "HML", "MLH", "HLM", "LHM", "MHL")
# Range of each acoustic factor: lowest, highest, whether it is spread evenly in octaves, and the
# prime whose square root is the recurrence's step.
FACTORS = {
    "f0_octaves": (-0.25, 0.25, False, 2),
    "sweep_octaves": (-0.4, 0.4, False, 3),
    "bandwidth_hz": (800.0, 3200.0, True, 5),
    "am_rate_hz": (15.0, 60.0, True, 7),
    "tempo": (0.8, 1.25, True, 11),
    "level_db": (-24.0, -12.0, False, 13),
    "snr_db": (25.0, 40.0, False, 17),
}
# A BEATs patch covers 175 ms, every 160 ms. Gaps are long enough that no patch holds parts of two
# syllables, reverberation included. Silences vary by a whole step of patches, so that the position
# of patches relative to a syllable does not depend on its place in the call.
LEAD_S, GAP_S, TAIL_S, STEP_S = 0.05, 0.24, 0.20, 0.16


@dataclass(frozen=True)
class Call:
    """Labels, exact acoustic values and samples of one call."""

    species: int
    individual: int
    order: str
    session: int
    rendition: int
    values: dict[str, float]
    samples: np.ndarray


def write(raw: Path, confounded: bool, **sizes: int) -> None:
    """Write ``raw``/metadata.csv and ``raw``/audio/*.wav (44.1 kHz, 16 bit, about 1.1-1.9 s).

    ``sizes`` are the further arguments of `calls`.
    """
    (raw / "audio").mkdir(parents=True, exist_ok=True)
    rows = []
    for call in calls(**sizes, confounded=confounded, rate=RATE):
        animal = f"sp{call.species}_ind{call.individual}"
        row = {
            "file": f"audio/{animal}_{call.order}_{call.rendition:02d}.wav",
            "species": f"sp{call.species}",
            "individual": animal,
            "call_type": call.order,
            "session": f"{animal}_s{call.session}" if confounded else f"s{call.session}",
            "rendition": call.rendition,
            **{name: f"{value:.4f}" for name, value in call.values.items()},
        }
        write_wav(call.samples, raw / row["file"])
        rows.append(row)
    write_csv(rows, rows[0], raw / "metadata.csv")


def write_wav(samples: np.ndarray, path: Path) -> None:
    """Write ``samples`` of about full scale 1 at `RATE`, in 16 bit."""
    rounded = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    try:
        sf.write(path, rounded, RATE, subtype="PCM_16")
    except sf.LibsndfileError as error:
        raise StratavoxError(
            f"{path}: cannot be written ({error.error_string}); is the disk full?"
        ) from None


def calls(
    seed: int,
    species: int,
    individuals: int,
    call_types: int,
    renditions: int,
    sessions: int,
    confounded: bool,
    rate: int,
) -> Iterator[Call]:
    """Every call of a set, samples of about full scale 1 at ``rate`` Hz.

    ``individuals`` are of each species, ``call_types`` at most 6, ``renditions`` of each type by
    each individual. Renditions are assigned to the ``sessions`` in turn; where sessions are
    ``confounded`` with individuals, each individual has two of its own instead.

    A call depends only on the seed and its own numbers, so a set with more renditions,
    individuals or species contains the smaller set. No two seeds share a species, an individual or
    a session.
    """
    for kind in range(species):
        for one in range(individuals):
            voice = voice_of(seed, kind, one)
            for number, order in enumerate(ORDERS[:call_types]):
                for rendition in range(renditions):
                    session = rendition % (2 if confounded else sessions)
                    own = [kind, one] if confounded else []
                    room = room_of(seed, session, own)
                    random = np.random.default_rng([seed, 3, kind, one, number, rendition])
                    start = np.random.default_rng([seed, 4, kind, one, number])
                    factors = factors_of(rendition, start.random(len(FACTORS)))
                    values, dry = dry_call(seed, kind, order, voice, factors, rate, random)
                    levels = factors["level_db"], factors["snr_db"]
                    samples = in_room(dry, room, *levels, rate, random)
                    yield Call(kind, one, order, session, rendition, values, samples)


def inventory(seed: int, species: int) -> dict[str, Syllable]:
    """The low, middle and high syllable of a species, each of another kind."""
    random = np.random.default_rng([seed, 0, species])
    kinds = random.permutation(KINDS)[:3]
    return {
        place: Syllable(
            str(kind),
            ratio * 2 ** random.uniform(-0.1, 0.1),
            random.uniform(0.09, 0.15),
            random.uniform(-0.5, 0.5),
        )
        for place, ratio, kind in zip("LMH", (0.6, 1.0, 1.7), kinds, strict=True)
    }


def base_hz(seed: int, species: int) -> float:
    """The centre of a species' F0 range."""
    return float(1000 * 2 ** np.random.default_rng([seed, 5, species]).uniform(-0.5, 0.5))


def voice_of(seed: int, species: int, individual: int) -> Voice:
    """An individual's pitch (SD 0.1 octaves), slope of harmonics (dB an octave), resonance."""
    random = np.random.default_rng([seed, 1, species, individual])
    return Voice(random.normal(0, 0.1), random.uniform(6, 14), random.uniform(1200, 4500))


def room_of(seed: int, session: int, own: list[int]) -> Room:
    """A session's recording conditions; ``own`` are the numbers of its individual, or none."""
    random = np.random.default_rng([seed, 2, session, *own])
    return Room(
        gain_db=random.uniform(-6, 0),
        tilt_db=random.uniform(0, 6),
        hum_hz=random.uniform(200, 6000),
        hum_db=random.uniform(0, 18),
        rt60_s=random.uniform(0.02, 0.12),
    )


def factors_of(rendition: int, offsets: np.ndarray) -> dict[str, float]:
    """The acoustic factors (`FACTORS`) of a rendition; ``offsets`` in [0, 1) start each of them."""
    factors = {}
    for (name, (low, high, octaves, prime)), offset in zip(FACTORS.items(), offsets, strict=True):
        share = (offset + rendition * prime**0.5) % 1
        factors[name] = low * (high / low) ** share if octaves else low + (high - low) * share
    return factors


def dry_call(
    seed: int, species: int, order: str, voice: Voice, factors: dict, rate: int, random
) -> tuple[dict[str, float], np.ndarray]:
    """Exact acoustic values, and samples without a room, of one call."""
    syllables = inventory(seed, species)
    f0_hz = base_hz(seed, species) * 2 ** (voice.octaves + factors["f0_octaves"])
    names = ("sweep_octaves", "bandwidth_hz", "am_rate_hz", "tempo")
    shared = {name: factors[name] for name in names}
    sounds = [
        syllable(syllables[place], voice, f0_hz, **shared, rate=rate, random=random)
        for place in order
    ]
    silences = [
        np.zeros(round((least_s + random.uniform(0, STEP_S)) * rate))
        for least_s in (LEAD_S, GAP_S, GAP_S, TAIL_S)
    ]
    lead, first_gap, second_gap, tail = silences
    first, second, third = sounds
    dry = np.concatenate([lead, first, first_gap, second, second_gap, third, tail])
    values = {"f0_hz": f0_hz} | {name: factors[name] for name in list(FACTORS)[1:]}
    return values | {"duration_s": len(dry) / rate}, dry
