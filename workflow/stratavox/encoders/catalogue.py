"""Facts of each family of encoders, without importing its library.

A family is a folder here with two modules. ``load.py`` has ``load(settings, threads)``, which
returns an `encoder.Encoder`. ``facts.py`` imports little, as every job of Snakemake reads it. It
has

``ENTRY``    JSON schema of an entry in the config, as YAML; a ``$ref`` is to a definition of
             config.schema.yaml;
``TABLE``    rows for docs/encoders.md: model, readouts, how it was tested;
``WEIGHTS``  words for trained weights other than a .safetensors file, if it has a key ``weights``;
``MODELS``   name -> `Published`, if ``weights: pretrained`` is allowed;

and functions of an entry that replace the defaults below of the same name.

Families are listed by their folders and imported by name. So one family's code is in no other's
key, and a new family makes no embedding stale. ``facts.py`` is in no key, so what it shares with
``load.py`` is in a third module of the folder.
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
# wav2vec 2.0 and related models have no fixed window; this is the crop of 250,000 samples that they
# were trained on (Baevski et al. 2020, section 4.2).
SPEECH_CONTEXT_S = 15.625


class Published(NamedTuple):
    """A model of the hub: its repository, its sample rate in Hz, its file's sha256.

    Where its authors publish no sha256, a fetched file is compared with the hub's. ``revision`` is
    the commit that is fetched, by default the newest; ``weights`` the file's name, by default the
    repository's (as avex names it); ``beside`` what the model needs beside it.
    """

    repository: str
    rate: int = 16000
    sha256: str | None = None
    revision: str | None = None
    weights: str | None = None
    beside: tuple[str, ...] = ()

    @property
    def file(self) -> str:
        return self.weights or f"{self.repository.rpartition('/')[2]}.safetensors"


@cache
def families() -> tuple[str, ...]:
    """Names of all families, sorted."""
    return tuple(sorted(path.parent.name for path in Path(__file__).parent.glob("*/facts.py")))


def facts(family: str) -> ModuleType:
    """The facts of a family. Raises `StratavoxError` for an unknown name."""
    if family not in families():
        raise StratavoxError(f"family: found {family!r}; allowed: {', '.join(families())}")
    return importlib.import_module(f"stratavox.encoders.{family}.facts")


def check(settings: dict) -> None:
    """Raise `StratavoxError`, the key first, for an encoder that cannot be loaded.

    For what the config's schema cannot check: files, and keys that depend on others.
    """
    own = facts(settings.get("family"))
    _fact(settings, "check", None)
    if hasattr(own, "WEIGHTS"):
        weights_entry.check(settings, own.WEIGHTS)


def rate(settings: dict) -> int:
    """Sample rate in Hz of the encoder's input."""
    return _fact(settings, "rate", BASELINE_RATE)


def clip_rate(hertz: int, speed: float) -> int:
    """Rate in Hz of clips that are fed at ``speed`` as if they were at ``hertz``."""
    return round(hertz / speed)


def has_blocks(settings: dict) -> bool:
    """Whether the encoder has ``block_NN`` readouts; a baseline has one readout, ``features``."""
    return _fact(settings, "has_blocks", False)


def has_tokens(settings: dict) -> bool:
    """Whether its tokens can be stored: not of baselines, nor of conv maps, whose grids differ."""
    return _fact(settings, "has_tokens", has_blocks(settings))


def has_avex_layers(settings: dict) -> bool | None:
    """Whether the entry has the readouts of fusion ``concat_avex``; None if its family has none."""
    return _fact(settings, "has_avex_layers", None)


def weight_files(settings: dict) -> list[str]:
    """The local files whose content the embeddings depend on, as written in the config."""
    words = getattr(facts(settings["family"]), "WEIGHTS", None)
    return _fact(settings, "weight_files", weights_entry.files(settings, words) if words else [])


def published(settings: dict) -> dict:
    """What `hub.fetch` takes, for an entry that `is_fetched`.

    The config's ``sha256`` takes precedence over the published one; None without either.
    """
    model = facts(settings["family"]).MODELS[settings["model"]]
    sha256 = settings.get("sha256", model.sha256)
    pinned = {"revision": model.revision} if model.revision else {}
    beside = {"beside": list(model.beside)} if model.beside else {}
    return {"repository": model.repository, "file": model.file, "sha256": sha256} | pinned | beside


def is_fetched(settings: dict) -> bool:
    """Whether files of the encoder are fetched from the hub."""
    return _fact(
        settings, "is_fetched", "pretrained" in (settings.get("weights"), settings.get("of"))
    )


def _fact(settings: dict, name: str, default):
    """The family's function ``name`` of ``settings``; ``default`` where it has none."""
    function = getattr(facts(settings["family"]), name, None)
    return function(settings) if function else default
