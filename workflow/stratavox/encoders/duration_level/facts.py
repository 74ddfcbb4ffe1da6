"""Baseline: duration and level of a clip."""

ENTRY = ""
TABLE = (("baseline: duration and level of the clip", "`features`", "tested"),)
