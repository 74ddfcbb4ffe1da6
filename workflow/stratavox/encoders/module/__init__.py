"""A torch module of the user's own: what its facts and its loading both need."""


def context_samples(settings: dict) -> int:
    """Most samples that the module takes at once."""
    return round(settings["context_s"] * settings["rate"])
