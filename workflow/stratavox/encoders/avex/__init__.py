"""avex's models beside BEATs: what their facts and their loading both need."""

AVES, AVES_RATE = "aves_bio", 16000
