"""A graph in a .tflite or .onnx file, whose tensors are the readouts that the config declares.

Without time a readout is one vector a window; a clip of several windows is their mean, weighted by
the clip's samples in each. With time it is the mean over all bands and over the steps inside the
clip, in each window; a clip shorter than a step has the first.
"""

from __future__ import annotations

from importlib.metadata import version

from stratavox.encoders.encoder import Encoder
from stratavox.encoders.graph import window
from stratavox.encoders.graph_file import opened
from stratavox.encoders.graphs import Readout, graph_encoder

LIBRARIES = ("ai-edge-litert", "onnx", "onnxruntime")


def load(settings: dict, threads: int = 1) -> Encoder:
    """The graph of ``settings``: path, sha256, weights, seed, kept, rate, context_s, readouts.

    Raises `StratavoxError` for a file that cannot be used and for a tensor that is not as declared.
    """
    path, weights = settings["path"], settings.get("weights", "file")
    graph, digest = opened(path, settings.get("sha256"))
    about = {"weights": weights, "weights_from": path, "weights_sha256": digest}
    if weights == "permuted":
        about["seed"] = settings["seed"]
        graph = graph.permuted(about["seed"], tuple(settings.get("kept", ())))
    readouts = [
        Readout(
            one["name"],
            one["tensor"],
            tuple(one["layout"].split()),
            one.get("bands"),
            one.get("steps"),
        )
        for one in settings["readouts"]
    ]
    return graph_encoder(
        graph,
        readouts,
        settings["rate"],
        window(settings),
        threads,
        provenance={
            "family": "graph",
            # the same graph with its weights permuted is of the same kind
            "kind": digest,
            "model": path,
            **about,
            "versions": {name: version(name) for name in LIBRARIES},
        },
    )
