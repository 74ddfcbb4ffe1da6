"""The songs of eleven Bengalese finches of Koumura & Okanoya 2016 (figshare 3470165).

`Bird0` to `Bird10` each hold `Annotation.xml` and the songs in `Wave`. The annotation lists
sequences (a file, and where in it the sequence begins) and their notes, the syllables: position in
the sequence, length, both in samples, and a label that means something in this bird alone. There
are tens of thousands, so that at most `MOST` of each label are clips, at even steps through the
bird's songs.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

import soundfile

from stratavox.corpus.layout import Inventory, files
from stratavox.errors import StratavoxError

COLUMNS = ("file", "start_s", "end_s", "label", "individual", "song", "syllable")
# figshare serves one zip that contains a zip for each bird
NESTED = True
EXPECTED = "Bird0/Annotation.xml with songs such as Bird0/Wave/0.wav, and the like"
ANNOTATION = "Annotation.xml"
MOST = 40


def read(folder: Path) -> Inventory:
    """The clips of the archive unpacked to ``folder``; a song without any is not used."""
    inventory = Inventory()
    there = files(folder)
    for path in there:
        if path.name == ANNOTATION:
            _read_bird(folder, path, set(there), inventory)
    inventory.not_used = [path.as_posix() for path in there if path not in inventory.clips]
    return inventory


def _read_bird(folder: Path, annotation: Path, there: set[Path], inventory: Inventory) -> None:
    bird, songs = annotation.parent.name, annotation.parent / "Wave"
    notes = _notes(folder, annotation)
    of_label = defaultdict(list)
    for note in notes:
        if songs / note["song"] in there:
            of_label[note["label"]].append(note)
    taken = [note for same in of_label.values() for note in _spread(same)]
    rates = {name: soundfile.info(folder / songs / name).samplerate for name in _songs(taken)}
    for note in sorted(taken, key=lambda note: (note["song"], note["first"])):
        rate, song = rates[note["song"]], note["song"]
        row = {
            "file": f"{bird}/{song}",
            "start_s": f"{note['first'] / rate:.6f}",
            "end_s": f"{(note['first'] + note['length']) / rate:.6f}",
            "label": f"{bird}:{note['label']}",
            "individual": bird,
            "song": f"{bird}/{Path(song).stem}",
            "syllable": note["label"],
        }
        inventory.clips.setdefault(songs / song, []).append(row)
    if lost := sorted(_songs(notes) - {path.name for path in there if path.parent == songs}):
        why = f"names songs that are not in the archive ({len(lost)}), such as {lost[0]}"
        inventory.irregular.append({"file": annotation.as_posix(), "why": why})
    counts = {"clips": len(taken), "of": len(notes), "why": f"at most {MOST} of each label"}
    inventory.sampled.append({"file": annotation.as_posix()} | counts)


def _notes(folder: Path, annotation: Path) -> list[dict]:
    """Song, label, first sample in the song and length of each note, in the file's order."""
    try:
        tree = ElementTree.parse(folder / annotation)
        return [
            {
                "song": _text(sequence, "WaveFileName"),
                "label": _text(note, "Label"),
                "first": int(_text(sequence, "Position")) + int(_text(note, "Position")),
                "length": int(_text(note, "Length")),
            }
            for sequence in tree.iter("Sequence")
            for note in sequence.iter("Note")
        ]
    except (ElementTree.ParseError, ValueError) as error:
        raise StratavoxError(
            f"{annotation}: no annotation of sequences and notes ({error}); the archive is not the "
            "published one, or broken: remove it and fetch it again"
        ) from None


def _text(element: ElementTree.Element, tag: str) -> str:
    text = element.findtext(tag)
    if not text:
        raise ValueError(f"a {element.tag} without {tag}")
    return text


def _songs(notes: list[dict]) -> set[str]:
    return {note["song"] for note in notes}


def _spread(notes: list[dict]) -> list[dict]:
    """At most `MOST` of ``notes``, at even steps."""
    if len(notes) <= MOST:
        return notes
    return [notes[place * len(notes) // MOST] for place in range(MOST)]
