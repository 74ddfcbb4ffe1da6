"""What the names of readouts say of where they are read."""

from __future__ import annotations

# Sites inside a block, beside its output: what attention and the feed-forward part add to it.
BRANCHES = ("attn", "ffn")


def blocks(readouts: list[str]) -> list[str]:
    """Those of ``readouts`` that are outputs of blocks."""
    return [name for name in readouts if name.startswith("block_")]


def branches(readouts: list[str]) -> dict[str, list[str]]:
    """Those of ``readouts`` that are branches inside blocks, by site (``attn``, ``ffn``)."""
    found = {site: [name for name in readouts if name.startswith(f"{site}_")] for site in BRANCHES}
    return {site: names for site, names in found.items() if names}
