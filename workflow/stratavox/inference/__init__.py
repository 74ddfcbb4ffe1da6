"""From out-of-fold predictions to answers; nothing here draws."""

# The tables of answers to a task, one file each.
ANSWERS = ("estimates", "atlas", "weights", "contrasts", "depths", "claims")
