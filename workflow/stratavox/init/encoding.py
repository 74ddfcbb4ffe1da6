"""The encoding of text files that do not tell it: neither UTF-8 nor UTF-16."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

from charset_normalizer import from_bytes

from stratavox.corpus import user_table
from stratavox.corpus.text_table import encoding_of
from stratavox.init.look import counts, first

# Of the languages of Europe, on Windows and on old Macs; the first of equally likely ones is taken.
KNOWN = ("cp1252", "mac_roman", "cp1250", "cp1251")
# These bytes are letters on a Mac; on Windows nearly all are signs.
MAC_LETTERS = range(0x80, 0xA0)


@lru_cache(maxsize=1024)
def needed(path: Path) -> str | None:
    """The likeliest encoding of a file for which the config must state one, else None."""
    if user_table.reader_of(path.name):
        return None
    data = path.read_bytes()
    if encoding_of(data) is not None:
        return None
    high = [byte for byte in data if byte >= 0x80]
    mac = 2 * sum(byte in MAC_LETTERS for byte in high) > len(high)
    known = sorted(KNOWN, key=lambda name: (name == "mac_roman") != mac)
    likely = {
        name: (match.chaos, -match.coherence, known.index(name))
        for match in from_bytes(data, cp_isolation=known)
        for name in match.could_be_from_charset
        if name in known
    }
    return min(likely, key=likely.get) if likely else known[0]


def text_of(paths: list[Path]) -> tuple[dict, list[str]]:
    """The config's ``text`` for the files ``paths``, {} where they need none, and messages."""
    encodings = {path: name for path in paths if (name := needed(path))}
    if not encodings:
        return {}, []
    names = Counter(encodings.values())
    chosen = names.most_common(1)[0][0]
    path = next(path for path, name in encodings.items() if name == chosen)
    words = dict.fromkeys(
        word
        for word in re.split(r'[\s,;|"]+', path.read_bytes().decode(chosen, "replace"))
        if not word.isascii()
    )
    messages = [
        f"  look: {len(encodings)} files such as {path.name} are not UTF-8 and are read as "
        f"{chosen}, a guess (key text): are these words right? {', '.join(first([*words]))}"
    ]
    if len(names) > 1:
        messages.append(
            f"  look: files seem to have several encodings ({counts(names)}): save them as UTF-8"
        )
    return {"encoding": chosen}, messages
