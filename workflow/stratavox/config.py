"""The config of a run: checked against its schema, defaults filled in, files looked for."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import yaml

from stratavox.corpus import window_keys
from stratavox.encoders import catalogue
from stratavox.errors import StratavoxError

SCHEMA = Path(__file__).resolve().parents[1] / "schemas" / "config.schema.yaml"


def check(config: dict) -> dict:
    """Return ``config`` with defaults filled in.

    Raises `StratavoxError` naming the key's path, what was found and what is allowed: for a key
    or value that the schema does not allow, and for names that have no entry.
    """
    filled = copy.deepcopy(config)
    messages = problems(filled, _unfilled(schema())) or list(_unmatched(filled))
    if messages:
        raise StratavoxError("the config cannot be used:\n  " + "\n  ".join(messages))
    for dataset in filled["datasets"].values():
        dataset["probes"] = filled["probes"] | dataset.get("probes", {})
        if isinstance(dataset["recording"], str):
            dataset["recording"] = [dataset["recording"]]
        window_keys.fill(dataset)
        for crossing in (task.get("transfer", {}) for task in dataset["tasks"].values()):
            for side in {"train", "test"} & set(crossing):
                if isinstance(crossing[side], str):
                    crossing[side] = [crossing[side]]
    return filled


def schema() -> dict:
    """The config's schema: the file's, with the keys of each family of encoders."""
    rules = _read(SCHEMA)
    encoder = rules["$defs"]["encoder"]
    encoder["properties"]["family"]["enum"] = list(catalogue.families())
    # before the rules for all families, which check keys that a default may fill
    encoder["allOf"] = [*map(_rule, catalogue.families()), *encoder["allOf"]]
    return rules


def default(part: str, key: str) -> object:
    """The default of a key in a part of the config, such as ``task``."""
    return _read(SCHEMA)["$defs"][part]["properties"][key]["default"]


def entry(family: str) -> dict:
    """The schema of an encoder's entry of ``family``."""
    rules = yaml.safe_load(catalogue.facts(family).ENTRY) or {}
    speed = {"$ref": "#/$defs/speed", "description": "for this encoder, in place of the dataset's"}
    keys = {"family": {"const": family}} | rules.get("properties", {})
    keys.setdefault("speed", speed)
    return rules | {"properties": keys, "additionalProperties": False}


def _rule(family: str) -> dict:
    of_family = {"required": ["family"], "properties": {"family": {"const": family}}}
    return {"if": {"type": "object"} | of_family, "then": entry(family)}


def _unfilled(rules: dict) -> dict:
    """Remove the defaults of a dataset's own ``probes``: missing keys are those of the run."""
    probes = rules["$defs"]["probes"]
    own = {
        name: {key: value for key, value in rule.items() if key != "default"}
        for name, rule in probes["properties"].items()
    }
    rules["$defs"]["dataset"]["properties"]["probes"] = probes | {"properties": own}
    return rules


def laid_over(default: dict, config: dict) -> dict:
    """``config`` over ``default``, key by key, as Snakemake lays a --configfile."""
    merged = copy.deepcopy(default)
    for key, value in config.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = laid_over(merged[key], value) if both else value
    return merged


def problems(values: object, schema: dict | Path) -> list[str]:
    """What a schema does not allow in ``values``, by key; fills its defaults into ``values``."""
    rules = _read(schema) if isinstance(schema, Path) else schema
    validator = _filling(jsonschema.Draft202012Validator)(rules)
    return list(dict.fromkeys(map(_message, _leaves(validator.iter_errors(values)))))


def draws(name: str, encoder: dict) -> dict[str, dict]:
    """The encoders of an entry, by name: with ``seeds`` one for each seed."""
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
    """The most specific errors: for a value with several forms, those of the form it has."""
    for error in errors:
        inside = []
        if error.validator == "oneOf":
            forms = error.validator_value
            inside = [e for e in error.context if e.validator not in ("type", "const")]
            inside = [e for e in inside if "type" in forms[e.schema_path[0]]]
        if inside:
            yield from _leaves(inside)
        else:
            yield error


def _message(error: jsonschema.ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path) or "the top level"
    rule = error.schema
    about = rule.get("description", "").strip()
    if error.validator == "additionalProperties":
        allowed = sorted(rule.get("properties", {}))
        hints = []
        for key in sorted(set(error.instance) - set(allowed)):
            near = difflib.get_close_matches(str(key), allowed, n=1)
            hints.append(f"{key!r}" + (f" (did you mean {near[0]!r}?)" if near else ""))
        return f"{where}: unknown key {', '.join(hints)}; allowed: {', '.join(allowed)}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        why = f" ({about})" if about and "type" not in rule else ""
        return f"{where}: the key {', '.join(map(repr, missing))} is missing{why}"
    if error.validator == "enum":
        allowed = ", ".join(map(str, error.validator_value))
        return f"{where}: found {error.instance!r}; allowed: {allowed}"
    if about and error.validator in ("not", "oneOf", "contains"):
        # the description says more than the library's message
        keys = error.validator == "not" or isinstance(error.instance, dict)
        return f"{where}: " + (about if keys else f"found {error.instance!r}; allowed: {about}")
    return f"{where}: found {error.instance!r}: {error.message}" + (f" ({about})" if about else "")


def _unmatched(config: dict) -> Iterator[str]:
    """Problems that a schema cannot express: names without an entry elsewhere in the config."""
    entries = config["encoders"]
    for name, dataset in config["datasets"].items():
        for key, wrong in window_keys.problems(dataset):
            yield f"datasets.{name}.{key}: {wrong}"
    for kind, names in config["run"].items():
        for name in names:
            if name not in config[kind]:
                there = ", ".join(sorted(config[kind]))
                yield f"run.{kind}: {name!r} has no entry under {kind}; there are: {there}"
    for name, encoder in entries.items():
        taken = (set(draws(name, encoder)) - {name}) & set(entries)
        if taken:
            yield f"encoders.{name}: other entries are also called {', '.join(sorted(taken))}"
    layers = {
        name: catalogue.has_avex_layers(entries[name])
        for name in config["run"]["encoders"]
        if name in entries
    }
    beats = [name for name, has in layers.items() if has is not None]
    lacking = ", ".join(name for name in beats if not layers[name])
    tokened = sorted(name for name, entry in entries.items() if catalogue.has_tokens(entry))
    places = {"probes": config["probes"]} | {
        f"datasets.{name}.probes": dataset.get("probes", {})
        for name, dataset in config["datasets"].items()
    }
    for key, probes in places.items():
        if "concat_avex" in probes.get("fusions", []) and (lacking or not beats):
            yield (
                f"{key}.fusions: concat_avex uses the site ffn of BEATs' blocks; write sites: "
                "[block, ffn] for every encoder of family beats "
                f"({lacking or 'none of run.encoders is of family beats'})"
            )
        asked = [
            (section, name)
            for section in ("attention", "all_blocks")
            for name in (probes.get(section) or {}).get("encoders", [])
        ]
        for section, name in asked:
            if name not in tokened:
                yield (
                    f"{key}.{section}.encoders: found {name!r}; allowed, encoders with tokens: "
                    f"{', '.join(tokened)}"
                )


def _read(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))
