"""Local folders (the key ``local``) that take the place of what would be fetched."""

from __future__ import annotations

from pathlib import Path


def local(config: dict, root: Path) -> tuple[dict, dict[str, str]]:
    """``config`` without ``local``, and of the run's entries with a folder: key -> what is told.

    An entry whose folder (relative to ``root``) is there reads it: a dataset becomes one of source
    folder, an encoder one with path. Any other is left as it is, without the key.
    """
    told: dict[str, str] = {}
    used = {}
    for kind, place in (("datasets", _folder), ("encoders", _weights)):
        used[kind] = {}
        for name, entry in config[kind].items():
            kept = {key: value for key, value in entry.items() if key != "local"}
            if "local" in entry:
                changed, path, other = place(kept, entry["local"])
                if (root / path).is_dir():
                    kept = changed
                    if name in config["run"][kind]:
                        told[f"{kind}.{name}"] = f"the folder {path} is read in place of {other}"
            used[kind][name] = kept
    return config | used, told


def _folder(entry: dict, local: dict) -> tuple[dict, str, str]:
    kept = {key: value for key, value in entry.items() if key != "archive"}
    changed = kept | {"source": "folder"} | local
    return changed, local["path"], f"the published archive {entry['archive']}"


def _weights(entry: dict, path: str) -> tuple[dict, str, str]:
    kept = {key: value for key, value in entry.items() if key != "model"}
    file = {"weights": "file"} if entry["weights"] == "pretrained" else {}
    return kept | {"path": path} | file, path, f"{entry['model']} from the hub"
