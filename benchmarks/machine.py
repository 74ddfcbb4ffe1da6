"""What the machine can do, for the first line of a benchmark."""

from __future__ import annotations

import os
from pathlib import Path

# The instructions that make matrix products of bf16 faster than those of float32 on a CPU.
BF16 = ("amx_bf16", "avx512_bf16")


def bf16_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Which of `BF16` the CPU has; none where the system does not tell."""
    if not cpuinfo.is_file():
        return []
    flags = set(cpuinfo.read_text(encoding="utf-8").split())
    return [name for name in BF16 if name in flags]


def emulates_bf16() -> bool:
    """Whether products of bf16 would run on a CPU that has no instructions for them."""
    return device() == "cpu" and not bf16_instructions()


def device() -> str:
    """What the encoder runs on: the name of the GPU, if any, or cpu."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def summary(threads: int) -> str:
    """A line on threads, how busy the machine is, and bf16 on its CPU."""
    instructions = bf16_instructions()
    has = " and ".join(instructions) if instructions else f"neither {' nor '.join(BF16)}"
    several = "s" if threads > 1 else ""
    busy = f"load average {os.getloadavg()[0]:.1f}"
    return f"{threads} thread{several} of {os.cpu_count()}; {busy}; this CPU has {has}"
