"""What is known of each family of encoders without importing its library.

A family is a folder here with two modules. ``load.py`` has ``load(settings, threads)``, which gives
an `encoder.Encoder`. ``facts.py`` is light, as each job of Snakemake reads it, and has

``ENTRY``    JSON schema of an entry in the config, as YAML; a ``$ref`` is to a definition of
             config.schema.yaml;
``TABLE``    rows for docs/encoders.md: model, readouts, how it was tested;
``WEIGHTS``  words that the key ``weights`` may have beside a .safetensors file, if it has the key;
``MODELS``   name -> `Published`, if ``weights: pretrained`` is allowed;

and functions of an entry that take the place of the defaults below, by the same names.

Families are found by their folders and imported by name. So the code of one is in the key of no
other, and a further family makes no embedding stale. What ``facts.py`` and ``load.py`` both need
stands in a third module of the folder: wording in ``facts.py`` is in no key.
"""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from stratavox.encoders import weights_entry
from stratavox.errors import StratavoxError

BASELINE_RATE = 16000
# The crop of wav2vec 2.0 and related models, which have no window of their own: the 250,000
# samples that they were trained on (Baevski et al. 2020, section 4.2).
SPEECH_CONTEXT_S = 15.625


class Published(NamedTuple):
    """A model of avex: where its weights are, the rate in Hz that it takes, its file's sha256.

    Without a sha256 by its makers a fetched file is compared with the one that the hub gives.
    """

    repository: str
    rate: int = 16000
    sha256: str | None = None

    @property
    def file(self) -> str:
        return f"{self.repository.rpartition('/')[2]}.safetensors"


@cache
def families() -> tuple[str, ...]:
    """Names of all families, sorted."""
    return tuple(sorted(path.parent.name for path in Path(__file__).parent.glob("*/facts.py")))


def facts(family: str) -> ModuleType:
    """The facts of a family. Raises `StratavoxError` where there is none of this name."""
    if family not in families():
        raise StratavoxError(f"family: found {family!r}; allowed: {', '.join(families())}")
    return importlib.import_module(f"stratavox.encoders.{family}.facts")


def check(settings: dict) -> None:
    """Raise `StratavoxError`, the key first, for an encoder that cannot be loaded.

    The config's schema has been applied before: here are files, and what depends on them.
    """
    own = facts(settings.get("family"))
    _fact(settings, "check", None)
    if hasattr(own, "WEIGHTS"):
        weights_entry.check(settings, own.WEIGHTS)


def rate(settings: dict) -> int:
    """Sample rate in Hz of the audio that the encoder takes."""
    return _fact(settings, "rate", BASELINE_RATE)


def has_blocks(settings: dict) -> bool:
    """Whether the encoder has ``block_NN`` readouts; a baseline has one readout, ``features``."""
    return _fact(settings, "has_blocks", False)


def has_tokens(settings: dict) -> bool:
    """Whether its tokens can be kept: a baseline has none, conv maps have a grid for each block."""
    return _fact(settings, "has_tokens", has_blocks(settings))


def has_avex_layers(settings: dict) -> bool | None:
    """Whether the entry has the readouts of fusion ``concat_avex``; None if its family has none."""
    return _fact(settings, "has_avex_layers", None)


def weight_files(settings: dict) -> list[str]:
    """The local files whose content the embeddings depend on, as written in the config."""
    words = getattr(facts(settings["family"]), "WEIGHTS", None)
    return _fact(settings, "weight_files", weights_entry.files(settings, words) if words else [])


def published(settings: dict) -> dict:
    """Repository, file and sha256 of the weights that ``weights: pretrained`` stands for.

    The config's ``sha256`` comes before that of the makers; None where neither is given.
    """
    model = facts(settings["family"]).MODELS[settings["model"]]
    sha256 = settings.get("sha256", model.sha256)
    return {"repository": model.repository, "file": model.file, "sha256": sha256}


def _fact(settings: dict, name: str, default):
    """What the family's function ``name`` gives for ``settings``; ``default`` without one."""
    function = getattr(facts(settings["family"]), name, None)
    return function(settings) if function else default
