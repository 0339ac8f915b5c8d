"""The example in docs/restoration.md runs as written."""

import re
from pathlib import Path

import torch

PAGE = Path(__file__).parents[2] / "docs" / "restoration.md"


def test_the_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["known"].std.shape == (4, 1, 8, 8)
    assert names["known"].residual.shape == (8, 4)
    estimate = names["unknown"].estimate
    assert (estimate.low < estimate.high).all()
    assert torch.isfinite(names["other"].samples).all()
