"""Files of the hub that avex's models are published on."""

from __future__ import annotations

import logging

from huggingface_hub import hf_hub_download

from stratavox.errors import StratavoxError


def fetch(address: str) -> str:
    """The local copy of avex's ``hf://owner/repository/file``, fetched where it is not cached."""
    owner, repository, file = address.removeprefix("hf://").split("/", 2)
    # The hub's client logs its retries; the error below says all there is to say.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    try:
        return hf_hub_download(f"{owner}/{repository}", file)
    except OSError as error:
        raise StratavoxError(
            f"weights: pretrained: {file} could not be fetched from "
            f"https://huggingface.co/{owner}/{repository} ({type(error).__name__}). Fetch it "
            f"where there is a network and say weights: path/to/{file}, or put it in the hub's "
            "cache; random weights are never used in its place"
        ) from None
