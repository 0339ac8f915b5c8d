"""The laws of corruptions on the families that belong to one preset each."""

import pytest
import torch
from hypothesis import given

from softdiffusion import presets
from softdiffusion.corruptions import Corruption
from softdiffusion.operators import Diagonal
from tests.laws.closeness import assert_close
from tests.laws.registry import Draw, draws

FAMILIES: dict[str, Corruption] = {
    "BlurringKernel": presets.BlurringKernel(blur_max=3.0, floor=0.01),
    "GaussianMasks": presets.GaussianMasks(growth=0.4, count=7),
    "ScaleSpace": presets.ScaleSpace(resolutions=3, levels=50, beta_start=0.01, beta_end=0.2),
}
every_family = pytest.mark.parametrize("name", FAMILIES)


def severities(family: Corruption, draw: Draw) -> torch.Tensor:
    return family.max_severity * draw.uniform(draw.batch)


@every_family
@given(draws())
def test_severity_0_is_the_identity(name: str, draw: Draw):
    x = draw.images()
    for severity in (0.0, torch.zeros(draw.batch)):
        assert_close(FAMILIES[name].at(severity)(x), x)


@every_family
@given(draws())
def test_a_batch_equals_its_images_one_by_one(name: str, draw: Draw):
    family, x = FAMILIES[name], draw.images()
    severity = severities(family, draw)
    apart = [family.at(s)(x[i : i + 1]) for i, s in enumerate(severity)]
    assert_close(family.at(severity)(x), torch.cat(apart), scale=x.norm())


@every_family
@given(draws())
def test_the_transform_makes_every_member_diagonal_and_no_image_grows(name: str, draw: Draw):
    family, x = FAMILIES[name], draw.images()
    operator = family.at(severities(family, draw))
    assert isinstance(operator, Diagonal)
    z = family.transform.forward(x)
    diagonal = operator.diagonal(z)
    assert_close(operator(x), family.transform.inverse(diagonal * z), scale=x.norm())
    assert (diagonal.abs() <= 1).all()


@every_family
@given(draws())
def test_more_severity_leaves_less(name: str, draw: Draw):
    family, z = FAMILIES[name], draw.images()
    low, high = severities(family, draw).sort().values[[0, -1]]
    less, more = (family.at(s).diagonal(z) for s in (low, high))
    assert (more <= less + 1e-12).all()


@every_family
def test_a_severity_outside_the_range_is_refused(name: str):
    family = FAMILIES[name]
    family.at(family.max_severity)
    for severity in (-0.1, 1.001 * family.max_severity, float("nan")):
        with pytest.raises(ValueError, match=f"severity of {name} .* must be in"):
            family.at(severity)
