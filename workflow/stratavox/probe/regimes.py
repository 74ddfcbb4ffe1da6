"""What each regime of folds keeps apart."""

# Regimes, strictest first -> the column of the folds whose values stay on one side of a split.
APART = {"grouped": "group", "within": "group", "recording": "recording", "random": None}
