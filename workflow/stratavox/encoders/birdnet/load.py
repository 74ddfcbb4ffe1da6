"""BirdNET V2.4 (Kahl et al. 2021, Ecological Informatics 61, 101236), by the tensors of its graph.

Its input is 3 s at 48 kHz. The graph scales each window from its minimum and maximum to [-1, 1], so
the level is lost; then it makes two mel spectrograms. Readouts: ``input``, what enters the first
block (the graph's POOL_0_CONV); ``block_00`` ... ``block_15``, the graph's BLOCK_1-1 ... BLOCK_4-4,
where a block ends at its sum, or in the first block of a stage, which has none, at its last
convolution; ``conv``, the convolution after them; ``embedding``, its mean over the window; and
``logits``, one number for each species.
"""

from __future__ import annotations

from importlib.metadata import version

from stratavox.encoders.birdnet import FILE, LICENCE, PACKAGED, RATE, SHA256, WINDOW, installed
from stratavox.encoders.encoder import Encoder
from stratavox.encoders.graphs import Readout, content, graph_encoder
from stratavox.encoders.tflite import TfliteGraph
from stratavox.encoders.weights_entry import source
from stratavox.errors import StratavoxError

MAP, VECTOR = ("batch", "bands", "time", "width"), ("batch", "width")
# Stage -> number of blocks, bands, steps of time.
STAGES = {1: (3, 24, 64), 2: (4, 12, 32), 3: (5, 6, 16), 4: (4, 3, 8)}
# Windows and filter banks, which nothing has trained.
SPECTROGRAM = ("model/MEL_SPEC",)
# Windows at once, which gives the same values in 31.6 ms each instead of 32.4; more are no faster.
TOGETHER = 2


def load(settings: dict, threads: int = 1) -> Encoder:
    """The model of ``settings``: weights, of, sha256, seed.

    Raises `StratavoxError` for a file that is not BirdNET V2.4's.
    """
    kind, about = settings["weights"], {}
    if source(settings) in PACKAGED:
        path, weights_from, sha256 = installed(), FILE, SHA256
    else:
        path = weights_from = source(settings)
        sha256 = settings["sha256"]
    data, digest = content(path, sha256)
    graph = TfliteGraph(data, path)
    readouts = _readouts(graph)
    if kind == "permuted":
        about = {"seed": settings["seed"]}
        graph = graph.permuted(settings["seed"], SPECTROGRAM)
    print(f"weights: BirdNET V2.4, {path}; licence: {LICENCE}, not for commercial use")
    return graph_encoder(
        graph,
        readouts,
        RATE,
        WINDOW,
        threads,
        provenance={
            "family": "birdnet",
            "kind": "birdnet_v2.4",
            "model": FILE.partition("_Model")[0],
            "weights": kind if kind in PACKAGED else "file",
            "weights_from": weights_from,
            "weights_sha256": digest,
            "licence": LICENCE,
            **about,
            "versions": {"ai-edge-litert": version("ai-edge-litert")},
        },
        together=TOGETHER if graph.input.batched else 1,
    )


def _readouts(graph: TfliteGraph) -> list[Readout]:
    """The readouts, by the beginnings of their tensors' names: their ends differ between files."""
    stages = [
        (stage, place, *maps)
        for stage, (count, *maps) in STAGES.items()
        for place in range(1, count + 1)
    ]
    maps = [("input", "model/POOL_0_CONV/BiasAdd", 48, 128)]
    maps += [
        (f"block_{number:02d}", f"model/BLOCK_{stage}-{place}_{site}", bands, steps)
        for number, (stage, place, bands, steps) in enumerate(stages)
        for site in ["CONV_3/Conv2D" if place == 1 else "ADD/add"]
    ]
    maps += [("conv", "model/POST_ACT_1/Relu", 1, 6)]

    def named(start: str) -> str:
        found = [name for name in graph.computed if name.startswith(start)]
        if len(found) != 1:
            raise StratavoxError(
                f"{graph.path}: {len(found)} of the tensors that it computes begin with {start!r}; "
                "BirdNET V2.4 has one. Other versions can be read with family: graph"
            )
        return found[0]

    return [
        *(Readout(name, named(start), MAP, *grid) for name, start, *grid in maps),
        Readout("embedding", named("model/GLOBAL_AVG_POOL/Mean"), VECTOR),
        Readout("logits", named("Identity"), VECTOR),
    ]
