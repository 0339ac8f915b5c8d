"""What a measurement was made on."""

import platform
from pathlib import Path

import torch

from .. import __version__

__all__ = ["machine", "processor"]


def machine(device: torch.device) -> dict[str, str | int]:
    """The processor, the GPU if that is the device, the threads and the versions, for a row."""
    gpu = {"gpu": torch.cuda.get_device_name(device)} if device.type == "cuda" else {}
    return {
        "processor": processor(),
        **gpu,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "softdiffusion": __version__,
    }


def processor() -> str:
    """The processor's name, which Python does not know on Linux, or its architecture."""
    listing = Path("/proc/cpuinfo")
    lines = (
        listing.read_text(encoding="utf-8", errors="replace").splitlines()
        if listing.is_file()
        else []
    )
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())
