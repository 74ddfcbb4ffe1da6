"""Baseline: how long and how loud a clip is."""

ENTRY = ""
TABLE = (("baseline: length and loudness of the clip", "`features`", "tested"),)
