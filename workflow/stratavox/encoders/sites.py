"""Which readouts are outputs of blocks, and which are inside blocks."""

from __future__ import annotations

# Sites inside a block: what its attention and its feed-forward part add to the residual.
BRANCHES = ("attn", "ffn")


def blocks(readouts: list[str]) -> list[str]:
    """Those of ``readouts`` that are outputs of blocks."""
    return [name for name in readouts if name.startswith("block_")]


def branches(readouts: list[str]) -> dict[str, list[str]]:
    """Those of ``readouts`` that are branches inside blocks, by site (``attn``, ``ffn``)."""
    names = {site: [name for name in readouts if name.startswith(f"{site}_")] for site in BRANCHES}
    return {site: own for site, own in names.items() if own}
