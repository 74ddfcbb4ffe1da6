"""Baseline: how long and how loud a clip is."""

ENTRY: dict = {}
TABLE = (("baseline: length and loudness of the clip", "`features`", "tested"),)
