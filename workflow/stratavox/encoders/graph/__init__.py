"""A graph in a file: a function of facts.py and load.py."""


def window(settings: dict) -> int:
    """The samples that the graph takes at once."""
    return round(settings["context_s"] * settings["rate"])
