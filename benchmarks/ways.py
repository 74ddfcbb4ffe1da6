"""Ways to the same readouts, on a GPU if any: a notebook's, the bare model's, and ours."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import torch
from avex.models.beats import BEATs, BEATsConfig
from avex.models.utils.registry import get_model_spec

from benchmarks import data
from stratavox import tables
from stratavox.embed import collect, part
from stratavox.embed.pooling import fed, pool, windows
from stratavox.encoders.encoder import Encoder

RATE = 16000
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def bare_model(settings: dict) -> BEATs:
    """avex's BEATs with the weights and the precision of ``settings``, made without our code."""
    config = get_model_spec(settings["model"]).init_config | {"finetuned_model": False}
    torch.manual_seed(settings["seed"])
    model = BEATs(BEATsConfig(**config)).eval().to(DEVICE)
    if settings["precision"] == "bf16":
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                module.to(torch.bfloat16)
    return model


def notebook(model: BEATs, paths: list[Path], out: Path) -> None:
    """One clip at a time: librosa.load, a hook on each block, a .npy file a clip and layer."""
    out.mkdir()
    kept = {}
    hooks = [
        block.register_forward_hook(lambda m, args, output, i=i: kept.update({i: output[0]}))
        for i, block in enumerate(model.encoder.layers)
    ]
    for path in paths:
        wave, _ = librosa.load(path, sr=RATE)
        with torch.no_grad():
            model(torch.from_numpy(wave)[None].to(DEVICE), disable_layerdrop=True)
        for layer, tokens in kept.items():
            np.save(out / f"{path.stem}.{layer:02d}.npy", tokens[:, 0].mean(dim=0).cpu().numpy())
    for hook in hooks:
        hook.remove()


def in_memory(encoder: Encoder, clips: Path) -> list[torch.Tensor]:
    """The clips of a stored shard as the batches that we make of them, on the model's device."""
    tensors = []
    with tables.open_table(clips) as file:
        for _, waves in part.clip_groups(file, clips, RATE, 1):
            cut = [windows(place, len(wave), encoder.grid) for place, wave in enumerate(waves)]
            tensors += [torch.from_numpy(batch).to(DEVICE) for _, batch in fed(encoder, cut, waves)]
    return tensors


def limit(model: BEATs, ready: list[torch.Tensor], precision: str) -> None:
    """Forward passes alone, on batches in memory, nothing kept."""
    half = torch.autocast(DEVICE, torch.bfloat16, enabled=precision == "bf16")
    with torch.inference_mode(), half:
        for batch in ready:
            model(batch, disable_layerdrop=True)
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def stage(encoder: Encoder, out: Path) -> None:
    """The stage that has the GPU: from stored clips to pooled readouts."""
    part.embed(encoder, out / "clips.parquet", out / "part.parquet", {})


def ours(encoder: Encoder, recordings: Path, manifest: Path, out: Path) -> None:
    """Read, resample and store the clips; embed, pool, write; one table a readout."""
    data.store(recordings, manifest, out / "clips.parquet")
    stage(encoder, out)
    collect.collect("beats", [out / "part.parquet"], out / "embeddings", {})


def farthest(encoder: Encoder, paths: list[Path], npy: Path, embeddings: Path) -> tuple:
    """Largest difference to the notebook's numbers: of our readouts of the same samples, and of
    those that went through the clip store.
    """
    direct = pool(encoder, [librosa.load(path, sr=RATE)[0] for path in paths]).means
    place = {path.stem: row for row, path in enumerate(paths)}
    worst = [0.0, 0.0]
    for table in sorted(embeddings.glob("block_*.parquet")):
        rows = tables.read_table(table)
        stems = [name.rpartition(".")[0] for name in rows["clip_id"].to_pylist()]
        layer = table.stem.removeprefix("block_")
        theirs = np.stack([np.load(npy / f"{stem}.{layer}.npy") for stem in stems])
        for which, ours in enumerate(
            (
                direct[table.stem][[place[stem] for stem in stems]],
                tables.embedding_matrix(rows["embedding"]),
            )
        ):
            worst[which] = max(worst[which], float(np.abs(theirs - ours).max()))
    return tuple(worst)
