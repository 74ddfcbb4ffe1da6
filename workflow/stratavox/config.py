"""The config of a run: checked against its schema, defaults filled in, files looked for."""

from __future__ import annotations

import copy
import difflib
from pathlib import Path

import jsonschema
import yaml

from stratavox.encoders import catalogue
from stratavox.errors import StratavoxError

SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "config.schema.yaml"


def check(config: dict) -> dict:
    """Return ``config`` with defaults filled in.

    Raises `StratavoxError` naming the key's path, what was found and what is allowed: for a key
    or value that the schema does not allow, and for names in ``run`` that have no entry.
    """
    filled = copy.deepcopy(config)
    said = problems(filled, SCHEMA)
    if not said:
        for kind in ("datasets", "encoders"):
            said += [
                f"run.{kind}: {name!r} has no entry under {kind}; there is: "
                f"{', '.join(sorted(filled[kind]))}"
                for name in filled["run"][kind]
                if name not in filled[kind]
            ]
    if not said:
        said += _contradictions(filled)
    if said:
        raise StratavoxError("the config cannot be used:\n  " + "\n  ".join(said))
    for dataset in filled["datasets"].values():
        dataset["probes"] = filled["probes"] | dataset.get("probes", {})
        if isinstance(dataset["recording"], str):
            dataset["recording"] = [dataset["recording"]]
    return filled


def laid_over(default: dict, config: dict) -> dict:
    """``config`` over ``default``, key by key, as Snakemake lays a --configfile."""
    merged = copy.deepcopy(default)
    for key, value in config.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = laid_over(merged[key], value) if both else value
    return merged


def problems(values: object, schema: Path) -> list[str]:
    """What the schema does not allow in ``values``, by key; its defaults are filled in there."""
    rules = yaml.safe_load(schema.read_text(encoding="utf-8"))
    validator = _filling(jsonschema.Draft202012Validator)(rules)
    return [_say(error) for error in _leaves(validator.iter_errors(values))]


def draws(name: str, encoder: dict) -> dict[str, dict]:
    """The encoders that an entry stands for, by name: one a seed where it has ``seeds``."""
    if "seeds" not in encoder:
        return {name: encoder}
    shared = {key: value for key, value in encoder.items() if key != "seeds"}
    return {f"{name}_seed{seed}": shared | {"seed": seed} for seed in encoder["seeds"]}


def _filling(base):
    """A validator class that also writes the schema's defaults into what it checks."""
    check_properties = base.VALIDATORS["properties"]

    def properties(validator, wanted, instance, schema):
        if validator.is_type(instance, "object"):
            for name, rule in wanted.items():
                if "default" in rule:
                    instance.setdefault(name, copy.deepcopy(rule["default"]))
        yield from check_properties(validator, wanted, instance, schema)

    return jsonschema.validators.extend(base, {"properties": properties})


def _leaves(errors):
    """The errors that say most: those inside allOf/oneOf branches rather than the branch itself."""
    for error in errors:
        inside = error.context if error.validator in ("allOf", "if") else []
        if error.validator == "oneOf" and isinstance(error.instance, dict):
            inside = [each for each in error.context if each.validator not in ("type", "const")]
        if inside:
            yield from _leaves(inside)
        else:
            yield error


def _say(error: jsonschema.ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "the top level"
    rule = error.schema
    if error.validator == "additionalProperties":
        allowed = sorted(rule.get("properties", {}))
        extra = sorted(set(error.instance) - set(allowed))
        hints = []
        for key in extra:
            near = difflib.get_close_matches(str(key), allowed, n=1)
            hints.append(f"{key!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
        return f"{where}: unknown key {', '.join(hints)}; allowed: {', '.join(allowed)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{where}: the key {', '.join(map(repr, missing))} is missing"
    if error.validator == "enum":
        allowed = ", ".join(map(str, error.validator_value))
        return f"{where}: found {error.instance!r}; allowed: {allowed}"
    about = f" ({rule['description'].strip()})" if "description" in rule else ""
    return f"{where}: found {error.instance!r}: {error.message}{about}"


def _contradictions(config: dict) -> list[str]:
    """What a schema cannot express: keys that only make sense together."""
    said = []
    for name, encoder in config["encoders"].items():
        key = f"encoders.{name}"
        own = encoder["family"] == "beats" and encoder["weights"] != "bundled"
        if own and ("model" in encoder) == ("architecture" in encoder):
            said.append(f"{key}: give either model (avex's registry name) or architecture")
        if encoder.get("weights") == "random" and ("seed" in encoder) == ("seeds" in encoder):
            said.append(f"{key}: weights: random needs a seed or seeds, so it can be repeated")
        for seed in ("seed", "seeds"):
            if seed in encoder and encoder.get("weights") != "random":
                said.append(f"{key}: {seed} is for weights: random only")
        if "sha256" in encoder and encoder["weights"] != "pretrained":
            said.append(f"{key}: sha256 is for weights: pretrained only")
        taken = (set(draws(name, encoder)) - {name}) & set(config["encoders"])
        if taken:
            said.append(f"{key}: its seeds are called {', '.join(sorted(taken))}, as others are")
        if "architecture" in encoder and encoder["weights"] != "random":
            said.append(f"{key}: architecture is for weights: random only; a file knows its sizes")
    for name, dataset in config["datasets"].items():
        said += _attended(f"datasets.{name}.probes", dataset.get("probes", {}), config)
        said += _fused(f"datasets.{name}.probes", dataset.get("probes", {}), config)
        if dataset["source"] == "chorus":
            given = [k for k in ("path", "table", "file", "start", "end") if k in dataset]
            if given:
                said.append(f"datasets.{name}: {', '.join(given)}: not with source: chorus")
            dataset.setdefault("chorus", {})
        elif "chorus" in dataset:
            said.append(f"datasets.{name}.chorus: only with source: chorus")
        if "annotations" in dataset:
            said += _annotated(f"datasets.{name}", dataset)
        if dataset["source"] == "archive":
            given = [k for k in ("path", "table", "file", "start", "end") if k in dataset]
            if given:
                said.append(f"datasets.{name}: {', '.join(given)}: not with source: archive")
        elif "archive" in dataset:
            said.append(f"datasets.{name}.archive: only with source: archive")
    said += _fused("probes", config["probes"], config)
    return said + _attended("probes", config["probes"], config)


def _annotated(key: str, dataset: dict) -> list[str]:
    """What is wrong with a dataset of long recordings and annotation files."""
    entry, said = dataset["annotations"], []
    form = entry["format"]
    if dataset["source"] != "folder":
        said.append(f"{key}.annotations: only with source: folder")
    given = [name for name in ("table", "file", "start", "end") if name in dataset]
    if given:
        said.append(f"{key}: {', '.join(given)}: not with annotations, which takes their place")
    if {"files", "list"} <= entry.keys():
        said.append(f"{key}.annotations: give either files (a pattern) or list (a table of pairs)")
    needed = {"raven": ["label"], "csv": ["label", "start", "end"]}.get(form, [])
    for name in needed:
        if name not in entry:
            said.append(f"{key}.annotations: format: {form} needs {name}, the name of a column")
    for name, forms in {"tier": ["textgrid"], "start": ["csv"], "end": ["csv"]}.items():
        if name in entry and form not in forms:
            said.append(f"{key}.annotations.{name}: only with format: {', '.join(forms)}")
    if form in ("audacity", "textgrid"):
        entry.setdefault("label", "label")
    return said


def _fused(key: str, probes: dict, config: dict) -> list[str]:
    """What is wrong with the fusions that ``probes`` asks for."""
    entries = {name: config["encoders"][name] for name in config["run"]["encoders"]}
    beats = [name for name, entry in entries.items() if entry["family"] == "beats"]
    lacking = [name for name in beats if not catalogue.has_avex_layers(entries[name])]
    if "concat_avex" not in probes.get("fusions", []) or (beats and not lacking):
        return []
    missing = ", ".join(lacking) or "none of run.encoders is of family beats"
    return [
        f"{key}.fusions: concat_avex is made of the ffn site of BEATs' blocks; say sites: [block, "
        f"ffn] for every encoder of family beats ({missing})"
    ]


def _attended(key: str, probes: dict, config: dict) -> list[str]:
    """What is wrong with the encoders whose tokens ``probes`` asks for."""
    tokened = [n for n, entry in config["encoders"].items() if catalogue.has_tokens(entry)]
    named = (probes.get("attention") or {}).get("encoders", [])
    return [
        f"{key}.attention.encoders: found {name!r}; allowed, encoders with tokens: "
        f"{', '.join(sorted(tokened))}"
        for name in named
        if name not in tokened
    ]
