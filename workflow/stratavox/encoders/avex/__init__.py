"""avex's models other than BEATs: constants of facts.py and load.py."""

AVES, AVES_RATE = "aves_bio", 16000
