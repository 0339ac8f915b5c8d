import collections.abc
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

import softdiffusion as sd
from softdiffusion.arguments import _conformed, _glance
from softdiffusion.checks import ImageLike
from tests.laws.hostile import HOSTILE

GIVEN = [*HOSTILE, 0.5, 2, True, "l2", (1, 2), {"x": 1}, len, nn.Identity(), sd.GaussianBlur()]
HINTS = [
    *(bool, int, float, str, Tensor, nn.Module, sd.Corruption, object, Any, ImageLike, list, dict),
    *(float | Tensor, int | None, str | Path, Tensor | None, Literal["l2"], tuple[int, int]),
    *(collections.abc.Sequence[float], collections.abc.Mapping[str, int]),
    *(collections.abc.Callable[..., Tensor], torch.Generator | None),
]


@pytest.mark.parametrize("hint", HINTS, ids=str)
def test_what_passes_at_a_glance_is_what_the_whole_check_returns(hint):
    is_plain = _glance(hint)

    for value in [*GIVEN, *GIVEN]:  # a class may have been seen before
        if is_plain(value):
            assert _conformed("It", value, hint) is value


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (float, 0.5),
        (float | Tensor, torch.ones(3)),
        (ImageLike, torch.ones(3)),
        (sd.Corruption, sd.GaussianBlur()),
        (collections.abc.Callable[..., Tensor], len),
        (torch.Generator | None, None),
    ],
)
def test_what_a_step_gives_passes_at_a_glance(hint, value):
    assert _glance(hint)(value)
