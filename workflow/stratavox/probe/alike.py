"""Clips that are the same audio: no split may part them, whatever their labels and groups."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

from stratavox.corpus.identity import same_audio
from stratavox.errors import StratavoxError
from stratavox.probe import linked


def marked(clips: pd.DataFrame, sounds: pa.Table | None) -> pd.DataFrame:
    """``clips`` with a column audio, equal where their audio is; without it where none is twice.

    ``sounds`` are as `same_audio` takes them; None: no two clips are the same audio.
    """
    here, name = set(clips["clip_id"]), {}
    for same in same_audio(sounds) if sounds is not None else []:
        of_task = [clip_id for clip_id in same if clip_id in here]
        name |= {clip_id: of_task[0] for clip_id in of_task[1:]}
    if not name:
        return clips
    return clips.assign(audio=[name.get(clip_id, clip_id) for clip_id in clips["clip_id"]])


def across(clips: pd.DataFrame, column: str) -> list[list[str]]:
    """Sets of clips with the same audio and more than one value of ``column``."""
    if "audio" not in clips:
        return []
    same = clips[clips.duplicated("audio", keep=False)].groupby("audio")
    return sorted(sorted(part["clip_id"]) for _, part in same if part[column].nunique() > 1)


def tied(clips: pd.DataFrame) -> pd.DataFrame:
    """``clips`` with one group for all groups that the same audio links, and so for recordings.

    Otherwise an animal would be tested on audio that the probe was trained on as another's. The
    first name in alphabetical order is kept.
    """
    for column in ("group", "recording"):
        if across(clips, column):
            component = linked.components(list(zip(clips[column], clips["audio"], strict=True)))
            clips = clips.assign(**{column: clips.groupby(component)[column].transform("min")})
    return clips


def refuse_links(named: pd.DataFrame, clips: pd.DataFrame, folds: int, where: str) -> None:
    """Raise where groups would be enough for ``folds`` but for the audio that links them.

    ``named`` are the clips with the groups of the table, ``clips`` the same ones `tied`.
    """
    before, after = named["group"].nunique(), clips["group"].nunique()
    if before >= folds > after:
        first = across(named, "group")
        raise StratavoxError(
            f"{where}: {len(first)} sets of clips are the same audio in several groups, such as "
            f"{', '.join(map(repr, first[0][:3]))}. They link {before} groups into {after}, fewer "
            f"than the {folds} folds: remove the copies whose group is wrong"
        )
