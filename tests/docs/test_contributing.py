"""The example in CONTRIBUTING.md is a corruption as it promises."""

import math
import re
from pathlib import Path

import pytest
import torch

from softdiffusion import Corruption, SoftDiffusion, schedules
from softdiffusion.operators import Diagonal

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture
def shade() -> Corruption:
    (code,) = re.findall(r"```python\n(.*?)```", CONTRIBUTING.read_text(), flags=re.DOTALL)
    namespace: dict[str, type[Corruption]] = {}
    exec(code, namespace)
    return namespace["Shade"]()


def test_it_computes_its_formula(shade):
    x = torch.ones(3, 2, 4, 6, dtype=torch.float64)
    severity = torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    y = shade.at(severity)(x)
    assert torch.equal(y[0], x[0])
    for sample in (1, 2):
        for j in range(6):
            expected = math.exp(-severity[sample].item() * (j + 0.5) / 6)
            assert torch.allclose(y[sample, :, :, j], x[0, 0, 0, 0] * expected, rtol=1e-14, atol=0)
    assert torch.equal(shade.at(0.5)(x)[0], y[1])


def test_a_process_with_it_stays_diagonal(shade):
    process = SoftDiffusion(shade, schedules.geometric((0.1, 3.0), (0.01, 0.1)))
    hop = process.transition(torch.tensor([0.8, 1.0]), torch.tensor([0.2, 0.5]))
    assert isinstance(hop.C_s - hop.C_t, Diagonal)
