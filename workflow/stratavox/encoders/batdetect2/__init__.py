"""The file of weights in the installed package batdetect2: for facts.py and load.py."""

from importlib.metadata import PackageNotFoundError, files

from stratavox.errors import StratavoxError

FILE = "Net2DFast_UK_same.pth.tar"
LICENCE = "CC BY-NC 4.0"
RATE = 256000
# Where weights come from that are the package's: permuted ones without another file too.
PACKAGED = ("batdetect2", "permuted")


def installed() -> str:
    """The path of the file, without importing the package: its code is not run."""
    try:
        there = [file for file in files("batdetect2") or () if file.name == FILE]
    except PackageNotFoundError:
        there = []
    if not there:
        raise StratavoxError(
            f"weights: {FILE} is part of the package batdetect2 1.3.1, which is not installed; "
            "run make setup, or give a .safetensors file of the model's state_dict"
        )
    return str(there[0].locate())
