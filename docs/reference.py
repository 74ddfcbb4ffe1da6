"""Pages of docs/ that repeat the config's schema and the families' facts.

A test compares them; to write them again: python docs/reference.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from avex.models.utils import registry

from stratavox import config
from stratavox.encoders import catalogue
from stratavox.encoders.avex import AVES

DOCS = Path(__file__).resolve().parent
LIMITS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}
HEAD = """# The keys of the config

Made from `workflow/schemas/config.schema.yaml` and the `facts.py` of each family of encoders by
`python docs/reference.py`. A key that is left out has its default; **bold** keys must be
given. NAME is a name of your own.
"""


def pages() -> dict[Path, str]:
    """File -> text: the page of all keys, and the page of encoders with its table made again."""
    rules = config.schema()
    lines = [HEAD]
    for name, rule in rules["properties"].items():
        lines += [f"## {name}\n", *_keys(rules, rule), ""]
    rows = ["| family | model | readouts | seen to work |", "|---|---|---|---|"]
    for family in catalogue.families():
        table = catalogue.facts(family).TABLE
        rows += [f"| {' | '.join((f'`{family}`', *row))} |" for row in table]
        lines += [f"## encoders of family {family}\n", *_keys(rules, config.entry(family)), ""]
    encoders = (DOCS / "encoders.md").read_text(encoding="utf-8")
    for table in (rows, _avex_names()):
        first = re.escape(table[0].split("|")[1])
        place = re.compile(rf"\|{first}\|.*?\n(?=\n)", re.DOTALL)
        encoders = place.sub(lambda _, table=table: "\n".join([*table, ""]), encoders)
    return {DOCS / "config.md": "\n".join(lines), DOCS / "encoders.md": encoders}


def _avex_names() -> list[str]:
    """The table of all names in avex's registry: its models, and its classes of models.

    Raises `KeyError` for a name that is neither loaded nor refused with a reason.
    """
    facts = catalogue.facts("avex")
    loaded = {AVES: "avex"} | {
        name: family for family in ("avex", "beats") for name in catalogue.facts(family).MODELS
    }
    rows = ["| name in avex | here | why not; the nearest |", "|---|---|---|"]
    # avex's list_models asks the hub for each model
    for name in sorted({*registry._MODEL_REGISTRY, *registry.list_model_classes()}):
        no = None if name in loaded else facts.refused(name)
        if no is None:
            rows.append(f"| `{name}` | `family: {loaded[name]}` | |")
        else:
            rows.append(f"| `{name}` | refused | {no.why}; nearest: {no.nearest} |")
    return rows


def _keys(rules: dict, rule: dict, indent: str = "") -> Iterator[str]:
    """A line for each key inside a mapping: what it allows, its default, its meaning."""
    rule = _resolved(rules, rule)
    keys = dict(rule.get("properties", {}))
    if isinstance(rule.get("additionalProperties"), dict):
        keys["NAME"] = rule["additionalProperties"]
    for name, own in keys.items():
        inner = _resolved(rules, own)
        bold = "**" if name in rule.get("required", ()) else ""
        default = json.dumps(inner["default"]).replace('"', "") if "default" in inner else "{}"
        parts = [_allowed(rules, own), "" if default == "{}" else f"default `{default}`"]
        # an asterisk of a pattern (**/*.txt) would start emphasis
        meaning = inner.get("description", "").strip().replace("*", r"\*")
        text = "; ".join(filter(None, [*parts, meaning]))
        yield f"{indent}* {bold}`{name}`{bold}" + (f": {text}" if text else "")
        # a reference with a description of its own is to keys that have their own section
        if not {"$ref", "description"} <= own.keys():
            # four spaces: mkdocs ends a list at fewer
            yield from _keys(rules, inner, indent + "    ")


def _resolved(rules: dict, rule: dict) -> dict:
    """The rule that a reference is to, with what stands beside the reference."""
    return rules["$defs"][rule["$ref"].rpartition("/")[2]] | rule if "$ref" in rule else rule


def _allowed(rules: dict, rule: dict) -> str:
    rule = _resolved(rules, rule)
    if "const" in rule or "enum" in rule:
        values = rule.get("enum", [rule.get("const")])
        return ", ".join(f"`{value}`".replace("\t", r"\t") for value in values)
    if "oneOf" in rule:
        return _forms(rules, rule["oneOf"])
    types = rule.get("type", [])
    if types == "array":
        return f"list of {_allowed(rules, rule['items'])}"
    types = [types] if isinstance(types, str) else types
    words = " or ".join(kind for kind in types if kind != "object")
    limits = (f"{word} {rule[key]}" for key, word in LIMITS.items() if key in rule)
    return " ".join([words, *limits])


def _forms(rules: dict, forms: list[dict]) -> str:
    """One of several forms; the keys of a mapping have no lines of their own."""
    texts: list[str] = []
    for form in forms:
        if form.get("type") != "object":
            texts.append(_allowed(rules, form))
            continue
        keys = {key: _allowed(rules, own) for key, own in form["properties"].items()}
        shown = (key if text in texts else f"{key}: {text}" for key, text in keys.items())
        texts.append(f"mapping ({', '.join(shown)})")
    return " or ".join(texts)


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
