"""A torch module of the user's: a function of facts.py and load.py."""


def context_samples(settings: dict) -> int:
    """The largest number of samples that the module takes at once."""
    return round(settings["context_s"] * settings["rate"])
