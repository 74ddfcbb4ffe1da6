"""Stage: the parts of one encoder and dataset to a folder of one table a readout."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from stratavox import stage, tables
from stratavox.errors import StratavoxError, run

CLIP_COLUMNS = ["clip_id", "n_samples", "n_windows", "n_tokens", "padded"]


def collect(name: str, parts: list[Path], out: Path, provenance: dict) -> None:
    """Write the folder ``out``: {readout}.parquet, windows.parquet and encoder.json of ``name``.

    Rows are sorted by clip_id; one readout is in memory at a time. The folder appears whole.
    Raises `StratavoxError` for parts of different encoders and for a clip in two parts.
    """
    encoder = _one_encoder(parts)
    clips = pa.concat_tables(tables.read_table(part, CLIP_COLUMNS) for part in parts)
    order = np.argsort(clips["clip_id"].to_numpy(zero_copy_only=False).astype(str), kind="stable")
    clips = clips.take(pa.array(order)).combine_chunks()
    ids = clips["clip_id"].to_pylist()
    for first, second in zip(ids, ids[1:], strict=False):
        if first == second:
            raise StratavoxError(f"clip {first!r} stands twice in {_listed(parts)}; delete them")
    provenance = provenance | {"encoder": encoder}
    with _whole_folder(out) as folder:
        tables.write_table(clips, folder / "windows.parquet", provenance)
        for readout in encoder["readouts"]:
            values = np.concatenate(
                [tables.embedding_matrix(tables.read_table(p, [readout])[readout]) for p in parts]
            )
            table = clips.select(["clip_id", "n_tokens"]).append_column(
                "embedding", tables.embedding_column(values[order])
            )
            tables.write_table(table, folder / f"{readout}.parquet", provenance)
        summary = {
            "encoder": name,
            **encoder,
            "clips": len(ids),
            "padded": int(np.sum(clips["padded"].to_numpy())),
            "windowed": int(np.sum(clips["n_windows"].to_numpy() > 1)),
            "audio_s": float(np.sum(clips["n_samples"].to_numpy()) / encoder["rate"]),
            "seconds": sum(_seconds(part) for part in parts),
        }
        tables.write_json(summary, folder / "encoder.json")


def _one_encoder(parts: list[Path]) -> dict:
    """The encoder that made all the parts; they may differ in the device they ran on."""
    made = [tables.read_provenance(part)["encoder"] for part in parts]
    devices = sorted({encoder["device"] for encoder in made})
    alike = [encoder | {"device": ", ".join(devices)} for encoder in made]
    for part, encoder in zip(parts, alike, strict=True):
        differ = sorted(key for key in alike[0] | encoder if alike[0].get(key) != encoder.get(key))
        if differ:
            raise StratavoxError(
                f"{part} is of another encoder than {parts[0]} ({', '.join(differ)} differ); "
                "delete the parts and run the workflow again"
            )
    return alike[0]


def _seconds(part: Path) -> float:
    with tables.open_table(part) as file:
        return json.loads(file.metadata.metadata[b"stratavox_seconds"])


def _listed(parts: list[Path]) -> str:
    return ", ".join(str(part) for part in parts)


@contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``out`` that takes its place when the block ends well."""
    with tables.writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        tables.remove_leftovers(out)
        temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
        try:
            yield temporary
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o777 & ~umask)
            if out.exists():
                shutil.rmtree(out)
            temporary.rename(out)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def main() -> None:
    parser = stage.parser(__doc__)
    parser.add_argument("--parts", type=Path, nargs="+", required=True, help="all parts")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    options = parser.parse_args()
    collect(options.settings["encoder"], options.parts, options.out, options.provenance)


if __name__ == "__main__":
    run(main)
