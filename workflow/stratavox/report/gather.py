"""The content of the page (summary.json), collected from the tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from stratavox import words
from stratavox.errors import StratavoxError
from stratavox.report import cards, confounds, figures, findings
from stratavox.report.planted import planted
from stratavox.report.results import Results, answer_tables, load
from stratavox.tables import open_table, read_json, read_provenance, read_table

# A card warns of silent clips where their share is above this.
SILENT = 0.5


def content(index: dict) -> dict:
    """The page's content, from an index of the run's files (see `stratavox.report.summary`).

    Only strings, numbers, lists and objects; raises `StratavoxError` where a table is missing.
    """
    verdicts = read_table(index["verdicts"]).to_pandas()
    datasets = [dataset(name, entry, index, verdicts) for name, entry in index["datasets"].items()]
    used = encoders(index)
    for number, entry in enumerate(datasets, start=1):
        for place, one in enumerate(entry["tasks"], start=1):
            one["anchor"] = f"d{number}t{place}"
    targets = [task for entry in datasets for task in entry["tasks"] if task["role"] == "target"]
    return {
        "cards": [task.pop("card") | {"anchor": task["anchor"]} for task in targets],
        "trained": sorted({row["name"] for row in used if row["weights"] not in words.WEIGHTS}),
        "grouped": all(task["group"] is not None for task in targets),
        "datasets": datasets,
        "encoders": used,
        "synthetic": [entry["name"] for entry in datasets if entry["synthetic"]],
        "random_weights": _named(used, "weights", "random"),
        "permuted_weights": _named(used, "weights", "permuted"),
        "licences": {
            licence: _named(used, "licence", licence)
            for licence in sorted({row["licence"] for row in used if row["licence"]})
        },
        "files": files(index),
        "unfinished": index["unfinished"],
        "config": index["config"],
    }


def _named(used: list[dict], key: str, value: str) -> list[str]:
    """The names of the encoders whose row has ``value``, sorted."""
    return sorted({row["name"] for row in used if row[key] == value})


def dataset(name: str, entry: dict, index: dict, verdicts: pd.DataFrame) -> dict:
    """One dataset: its hygiene report, its tasks, and its figures."""
    hygiene, label = read_json(entry["hygiene"]), words.dataset(name, entry["source"])
    silent = without_signal(hygiene, entry["shape"])
    return {
        "name": name,
        "label": label,
        "synthetic": entry["source"] == "chorus",
        "archive": archive_facts(entry["archive"]) if entry["archive"] else [],
        "facts": [
            *([["Recordings", entry["instead"]]] if entry["instead"] else []),
            *hygiene_facts(hygiene),
        ],
        "rejected": hygiene["rejected"],
        "hygiene": hygiene,
        "tasks": [
            task(name, entry, key, index, verdicts, silent) for key in in_order(entry["tasks"])
        ],
        "figures": [
            shown(figure, stem, {"dataset": label}, label)
            for figure, stem in entry["stems"].items()
        ],
    }


def shown(figure: str, stem: str, heading: str, of: str = "", data: Results | None = None) -> dict:
    """A figure of the page: topic, title, path without ending, caption and alternative text."""
    facts, caption = figures.facts()[figure], Path(f"{stem}.txt")
    if not caption.exists():
        raise StratavoxError(f"{caption}: no such file; run the workflow to make it")
    return {
        "topic": facts.topic,
        "kind": facts.title + (f", {of}" if of else ""),
        "stem": stem,
        "caption": caption.read_text(encoding="utf-8").strip(),
        "alt": figures.alt(figure, heading, data),
    }


def in_order(tasks: dict) -> list[str]:
    """Target tasks first, nuisances last."""
    return sorted(tasks, key=lambda name: tasks[name]["role"] != "target")


def hygiene_facts(hygiene: dict) -> list[list[str]]:
    """Pairs of a fact's name and its value, in the order of the page."""
    duration, above = hygiene["duration_s"], hygiene["share_above_8khz"]
    rates = ", ".join(f"{n} at {int(hz):,} Hz" for hz, n in hygiene["sample_rates"].items())
    channels = ", ".join(f"{n} with {k}" for k, n in hygiene["channels"].items())
    annotated = "unannotated" in hygiene
    rows = "annotated boxes" if annotated else "rows of the table"
    rows = "windows" if "windows" in hygiene else rows
    optional = []
    if hygiene["join"]:
        missed = f"{hygiene['join']['clips_not_mentioned']} of {hygiene['clips']}"
        optional.append([f"Clips that {hygiene['join']['table']} does not mention", missed])
    if hygiene["cut_at_file_end"]:
        windows = str(len(hygiene["cut_at_file_end"]))
        optional.append(["Windows that end with their recording before their own end", windows])
    if "windows" in hygiene:
        held, clips = (hygiene["windows"][key] for key in ("with_box", "clips"))
        optional.append(["Windows", f"{held} with a box, {clips - held} without any"])
    if hygiene["trimmed"]:
        cut = f"{hygiene['trimmed']['clips']} clips, {hygiene['trimmed']['seconds']:.2f} s in all"
        optional.append(["Zeros trimmed from head and tail", cut])
    if hygiene["longer_than_header"]["files"]:
        longer = hygiene["longer_than_header"]
        listed = ", ".join(row["file"] for row in longer["first"])
        more = ", ..." if longer["files"] > len(longer["first"]) else ""
        cells = f"{longer['files']}, read whole ({listed}{more})"
        optional.append(["Files that hold more than their headers tell", cells])
    for factor, count in hygiene["time_expansion"].items():
        optional.append([f"Files that play {factor} times slower, read in true time", str(count)])
    return [
        ["Clips used", f"{hygiene['clips']} of {hygiene['rows']} {rows}"],
        *(_annotation_facts(hygiene) if annotated else []),
        ["Rejected files", str(len(hygiene["rejected"]))],
        ["Repeated rows", str(hygiene["duplicate_rows"])],
        ["Clips with the same audio", _identical(hygiene["identical_audio"])],
        ["Cells read as no value", _missing(hygiene["missing"])],
        ["Files shared by rows", str(len(hygiene["shared_files"]))],
        ["Sample rates", rates],
        ["Channels", f"{channels}; policy: {hygiene['channel_policy']}"],
        ["Clips whose channels differ", str(hygiene["channels_differ"])],
        [
            "Duration",
            f"median {duration['median']:.2f} s, {duration['min']:.2f} to {duration['max']:.2f} s; "
            f"{duration['total'] / 60:.1f} min in all",
        ],
        ["Silent clips", str(len(hygiene["silent"]))],
        ["Clipped clips", str(hygiene["clipped"])],
        *optional,
        [
            "Share of energy above 8 kHz",
            "all sample rates are too low"
            if above is None
            else f"median {above['median'] * 100:.1f} %, at most {above['max'] * 100:.1f} %",
        ],
    ]


def _identical(identical: dict) -> str:
    if not identical["sets"]:
        return "0"
    differing = ", ".join(f"{name} in {n}" for name, n in identical["differing"].items())
    text = f"{identical['clips']} in {words.count(identical['sets'], 'set')}"
    return f"{text}; several values of {differing}" if differing else text


def _missing(missing: dict) -> str:
    marks = (
        f"{name}: " + ", ".join(f"{mark} ({n})" for mark, n in cells.items())
        for name, cells in missing.items()
    )
    return "; ".join(marks) or "0"


def _annotation_facts(hygiene: dict) -> list[list[str]]:
    count, first = hygiene["unannotated"], hygiene["unannotated_first"]
    listed = ", ".join([*first, *(["..."] if count > len(first) else [])])
    return [
        ["Boxes too short, left out", str(hygiene["too_short"])],
        ["Clips that overlap others", str(hygiene["overlapping"])],
        ["Recordings without annotation", f"{count} ({listed})" if count else "0"],
    ]


def archive_facts(archive: dict) -> list[list[str]]:
    """The same about a published archive: source, checks, licence, citation and counts."""
    account = read_json(archive["account"])
    counts = account["counts"]
    merged = words.count(counts["merged"], "duplicate") + " by name"
    if counts["merged_different"]:
        merged += f" ({counts['merged_different']} with other content)"
    sampled = account["notes"]["sampled"]
    taken, there = (sum(part[key] for part in sampled) for key in ("clips", "of"))
    return [
        *(["Source", f"{file['name']}, {file['address']}"] for file in account["files"]),
        *(["Checked against", checked(file)] for file in account["files"]),
        ["Licence", archive["licence"]],
        ["Citation", archive["citation"] + (f", doi {archive['doi']}" if archive["doi"] else "")],
        [
            "Files in the archive",
            f"{counts['files']:,}: {words.count(counts['clips'], 'recording')} read, {merged}, "
            f"{words.count(counts['unread'], 'recording')} whose names do not fit, "
            f"{words.count(counts['not_used'], 'other file')}",
        ],
        *([["Clips taken", f"{taken:,} of {there:,}: {sampled[0]['why']}"]] if sampled else []),
        ["Files with something irregular", f"{counts['irregular']}, in {archive['account']}"],
    ]


def checked(file: dict) -> str:
    """How a file of an archive was checked, and its SHA-256."""
    known = {"nothing": "nothing, as no checksum is published", "size": "its published size"}
    how = known.get(file["verified"], f"its published {file['verified']}")
    return f"{how}; sha256 {file['sha256']}"


def task(
    dataset_name: str,
    entry: dict,
    name: str,
    index: dict,
    verdicts: pd.DataFrame,
    silent: list[str],
) -> dict:
    """One task: verdicts, sentences, figures and tables; ``silent`` are warnings of its dataset."""
    paths = entry["tasks"][name]
    folders = {key: index["encoders"][key]["dirs"][dataset_name] for key in paths["encoders"]}
    results = load(dataset_name, name, entry["source"], Path(paths["answers"]), folders)
    folds = read_json(paths["folds_json"])
    confounded = confounds.rows(paths["confounds"], folds["target"])
    pictures = [
        shown(figure, stem, results.heading, data=results)
        for figure, stem in paths["stems"].items()
    ] + [
        shown("umap", stem, f"{encoder} on {results.title}", encoder)
        for encoder, stem in paths["umap"].items()
    ]
    first = {}
    if paths["role"] == "target":
        card = cards.card(results, verdicts, confounded)
        card["beware"] = [*silent, *card["beware"]]
        first = {
            "card": card | {"figure": next(one for one in pictures if one["topic"] == "answer")}
        }
    return first | {
        "cells": {encoder: cards.cell(results, encoder) for encoder in results.listed},
        "labels": {encoder: results.label(encoder) for encoder in results.listed},
        "name": name,
        "metric": words.sentence(results.metric),
        "role": paths["role"],
        "heading": results.heading,
        "group": folds["group"],
        "target": words.grouping(folds["target"]),
        "notes": [
            *results.about,
            results.interval_line("Intervals of the encoders' scores"),
            results.control_line(),
            *results.draws_line("Random weights"),
            *(f"Not scored {key}: {why}" for key, why in folds["regimes_left_out"].items()),
            *results.not_computed(),
        ],
        "planted": planted(results, folds["target"], entry["chorus"]) if entry["chorus"] else [],
        "verdicts": findings.verdicts(results, verdicts),
        "robustness": findings.robustness_rows(results),
        "claims": findings.claim_rows(results),
        "leads": [findings.lead(results, name) for name in results.listed],
        "contrasts": findings.contrast_rows(results),
        "chosen_blocks": findings.chosen_blocks(results),
        "depths": findings.depths(results),
        "weights": findings.weight_rows(results),
        "selectivity": results.selectivity() or [results.no_selectivity()],
        "fits": findings.fits(results),
        "others": findings.others(results),
        "classes": [{"label": key, **value} for key, value in folds["classes"].items()],
        "left_out": [left_out(row) for row in folds["left_out"]],
        "hygiene": label_facts(folds),
        "confounds": confounded,
        "compared": [
            _row(results, encoder, readout)
            for encoder in results.listed
            for readout in results.compared(encoder)
        ],
        "layers": [
            _row(results, encoder, readout)
            for encoder in results.layered
            for readout in results.curve(encoder)["readout"]
        ],
        "figures": pictures,
        "csv": list(csv_of_task(dataset_name, name, paths)),
    }


def without_signal(hygiene: dict, shapes: dict[str, str]) -> list[str]:
    """Warnings of a dataset whose clips are mostly silent, or a readout equal for all of them.

    ``shapes`` are the tables of each encoder's readouts.
    """
    silent, clips = len(hygiene["silent"]), hygiene["clips"]
    sentences = []
    if silent > SILENT * clips:
        sentences.append(f"{silent} of {clips} clips are silent: is the channel the right one?")
    for encoder, path in shapes.items():
        rows = read_table(path).to_pandas()
        level = rows[(rows["measure"] == "effective_rank") & rows["value"].isna()]["readout"]
        if len(level):
            listed = ", ".join(map(words.readout, level))
            sentences.append(
                f"{encoder}: {listed} is the same for all clips, so its probes predict at chance."
            )
    return sentences


def left_out(row: dict) -> str:
    """A class that cannot be tested, and why."""
    groups = "" if row["groups"] is None else f", {words.count(row['groups'], 'group')}"
    return f"{row['label']}: {words.count(row['clips'], 'clip')}{groups} ({row['why']})"


def label_facts(folds: dict) -> list[str]:
    """Problems with the labels; empty where there are none."""
    lines = []
    transfer = folds.get("transfer")
    if transfer and transfer["straddling_clips"]:
        groups = transfer["straddling_groups"]
        lines.append(
            f"Clips of {words.side(transfer, 'train')} left out of training, as their group is "
            f"also tested: {transfer['straddling_clips']} ({words.count(len(groups), 'group')})."
        )
    if folds["empty_labels"]:
        lines.append(
            f"Clips without {words.grouping(folds['target'])}, left out: {folds['empty_labels']}."
        )
    for labels in folds["near_duplicates"]:
        listed = ", ".join(f"“{label}”" for label in labels)
        lines.append(
            f"Labels that differ only in case or white space, kept as separate classes: {listed}."
        )
    for names in folds["near_duplicate_groups"]:
        listed = ", ".join(f"“{name}”" for name in names)
        lines.append(f"Groups that differ only in case or white space, kept apart: {listed}.")
    for what in ("label", "group"):
        same = folds[f"identical_across_{what}s"]
        if not same:
            continue
        listed = "; ".join(", ".join(ids) for ids in same)
        lines.append(
            f"{words.count(len(same), 'set')} of identical clips in more than one {what}, never on "
            f"both sides of a split: {listed}."
        )
    return lines


def _row(results: Results, encoder: str, readout: str) -> dict:
    row = results.one(encoder, readout)
    control = results.one(encoder, readout, control="permutation")
    split = results.one(encoder, readout, regime="random")
    return {
        "encoder": results.label(encoder),
        "readout": results.place(encoder, readout),
        "value": words.number(row["value"]),
        "bounds": words.bounds(row["low"], row["high"]),
        "interval": words.INTERVALS[row["interval"]],
        "permuted": "–" if control is None else findings.score(control),
        "random": "–" if split is None else words.number(split["value"]),
    }


def encoders(index: dict) -> list[dict]:
    """Provenance of each encoder on each dataset, from its encoder.json."""
    rows = []
    for name, entry in index["encoders"].items():
        for dataset_name, folder in entry["dirs"].items():
            facts = read_json(Path(folder) / "encoder.json")
            provenance = read_provenance(Path(folder) / f"{facts['readouts'][0]}.parquet")
            sha256, context = facts["weights_sha256"], facts["context_s"]
            rows.append(
                {
                    "name": name,
                    "label": words.encoder(name, facts["weights"]),
                    "dataset": dataset_name,
                    "weights": facts["weights"],
                    "licence": facts.get("licence"),
                    "file": f"sha256 {sha256}" if sha256 else "no file",
                    "setup": f"{facts['family']}, {facts['rate']:,} Hz"
                    + (f" at {facts['speed']:g} times the speed" if "speed" in facts else "")
                    + f", {facts['precision']}, "
                    f"{facts['device']}, "
                    + (f"context {context} s, " if context else "")
                    + words.count(len(facts["readouts"]), "readout"),
                    "clips": f"{facts['clips']} ({facts['audio_s'] / 60:.1f} min); "
                    f"{facts['padded']} padded, {facts['windowed']} windowed",
                    "run_time": f"{facts['seconds']:.1f} s",
                    "code": provenance.get("code"),
                    "versions": versions(facts),
                }
            )
    return rows


def versions(provenance: dict) -> str:
    """The libraries that a table was made with."""
    return ", ".join(f"{name} {of}" for name, of in provenance.get("versions", {}).items())


def files(index: dict) -> list[dict]:
    """Every table behind the page: rows, code fingerprint, versions."""
    rows = []
    for path in dict.fromkeys(csv_tables(index).values()):
        provenance = read_provenance(path)
        with open_table(path) as file:
            count = file.metadata.num_rows
        made_by = {key: provenance.get(key) for key in ("stage", "code", "key")}
        rows.append({"path": path, "rows": count, **made_by, "versions": versions(provenance)})
    return rows


def csv_tables(index: dict) -> dict[str, str]:
    """Name of a CSV file -> the Parquet table it is made from."""
    tables = {"verdicts.csv": index["verdicts"]}
    for name, entry in index["datasets"].items():
        if entry["similarity"]:
            tables[f"{name}.similarity.csv"] = entry["similarity"]
        tables |= {f"{name}.shape.{key}.csv": path for key, path in entry["shape"].items()}
        for key, paths in entry["tasks"].items():
            tables |= csv_of_task(name, key, paths)
    return tables


def csv_of_task(dataset_name: str, name: str, paths: dict) -> dict[str, str]:
    """The same for one task."""
    stem = f"{dataset_name}.{name}"
    answers = answer_tables(paths["answers"])
    tables = {f"{stem}.{kind}.csv": str(path) for kind, path in answers.items()}
    for kind in ("notebook", "neighbours"):
        tables |= {f"{stem}.{kind}.{key}.csv": path for key, path in paths[kind].items()}
    return tables
