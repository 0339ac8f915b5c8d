"""What the tests of the command share beside its fixtures."""

import os
from pathlib import Path

import pytest
import torch

RECIPES = Path(__file__).parents[1] / "recipes"

#: A training of the recipe on a network small enough for a second.
TINY = (
    f"train --config {RECIPES / 'digits.yaml'} --images 128 --backbone.width 8 "
    "--backbone.multipliers [1] --backbone.attention false --progress false"
)

#: The environment of a process that sees no GPU.
ON_PROCESSOR = os.environ | {"CUDA_VISIBLE_DEVICES": ""}

needs_processor = pytest.mark.skipif(
    torch.cuda.is_available(), reason="a GPU adds in an order of its own, so the last bits differ"
)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
