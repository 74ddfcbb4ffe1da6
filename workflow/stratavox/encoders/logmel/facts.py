"""Baseline: mean and standard deviation over time of a log-mel spectrogram."""

ENTRY = ""
TABLE = (("baseline: mean and standard deviation of 64 log-mel bands", "`features`", "tested"),)
