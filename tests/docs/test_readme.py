"""The examples in README.md run as written, one after the other."""

import re
from pathlib import Path

import torch

README = Path(__file__).parents[2] / "README.md"


def test_the_examples_run():
    names: dict = {}
    for code in re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL):
        exec(code, names)
        assert names.pop("loss").shape == (64,)
        out = names.pop("out")
        assert out.shape == (16, 1, 8, 8)
        assert torch.isfinite(out).all()
    x, t = names["data"][:4], torch.full((4,), 0.5)
    assert torch.isfinite(names["denoiser"](x, t)).all()
