"""Reasons to leave a row out that are no fault of the data."""

from __future__ import annotations

REPEATS = "repeats row"
TOO_SHORT = "shorter than min_s"
UNANNOTATED = "no annotation file belongs to it"
NO_FAULT = (REPEATS, TOO_SHORT, UNANNOTATED)
