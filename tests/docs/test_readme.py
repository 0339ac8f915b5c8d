"""The example in README.md runs as written."""

import re
from pathlib import Path

import torch

README = Path(__file__).parents[2] / "README.md"


def test_the_example_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["loss"].shape == (64,)
    assert names["out"].shape == (16, 1, 8, 8)
    assert torch.isfinite(names["out"]).all()
    x, t = names["data"][:4], torch.full((4,), 0.5)
    assert torch.isfinite(names["denoiser"](x, t)).all()
