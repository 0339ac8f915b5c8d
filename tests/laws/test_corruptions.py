"""Laws of every family of corruptions, on random shapes, batches and severities."""

import math

import pytest
import torch
from hypothesis import given

import softdiffusion as sd
from softdiffusion import corruptions
from softdiffusion.operators import Diagonal, Scale
from tests.laws.closeness import assert_close
from tests.laws.registry import CORRUPTIONS, Draw, draws, severities

every_corruption = pytest.mark.parametrize("name", CORRUPTIONS)

#: Families of matrices: one of 5,883 by 5,883 numbers would take 277 MB.
DENSE = ["MatrixFamily", "MatrixFamily of a symmetric matrix", "Composition of a composition"]

#: Families that only ever take away.
SHRINKING = [
    "GaussianBlur",
    "HeatKernel",
    "AnisotropicBlur along the rows",
    "AnisotropicBlur at an angle",
    "MotionBlur",
    "DefocusBlur",
    "IdealLowPass",
    "Butterworth",
    "PowerLaw",
    "UndersampledFourier",
    "UndersampledFourier by lines",
    "FadingMask",
    "GrowingBox off the centre",
    "Outpainting",
    "RandomPixels",
    "MaskImage",
    "Pixelate",
    "Downsample",
    "Greyscale",
    "RandomProjection",
    "Scaling",
    "Identity",
    "Composition in two transforms",
]


def test_the_registry_holds_every_exported_corruption():
    draw = Draw((2, 3, 4), 2, 2, 0)
    built = {type(build(draw)).__name__ for build in CORRUPTIONS.values()}
    assert built == set(corruptions.__all__) - {"Corruption"}


@every_corruption
@given(draws())
def test_severity_0_is_the_identity(name: str, draw: Draw):
    corruption = CORRUPTIONS[name](draw)
    x = draw.images()
    for severity in (0.0, 0, torch.zeros(()), torch.zeros(draw.batch)):
        assert_close(corruption.at(severity)(x), x)


@every_corruption
@given(draws(batches=(3, 4)))
def test_severity_0_in_a_mixture_leaves_those_images_alone(name: str, draw: Draw):
    corruption = CORRUPTIONS[name](draw)
    x = draw.images()
    severity = min(corruption.max_severity, 9.0) * draw.uniform(draw.batch)
    severity[::2] = 0
    y = corruption.at(severity)(x)
    assert_close(y[::2], x[::2])
    assert_close(y[1], corruption.at(severity[1])(x[1:2])[0], scale=x.norm())


@every_corruption
@given(draws())
def test_a_batch_equals_its_images_one_by_one(name: str, draw: Draw):
    corruption = CORRUPTIONS[name](draw)
    x = draw.images()
    severity = severities(corruption, draw).expand(draw.batch)
    together = corruption.at(severity)(x)
    for form in (lambda s: s, lambda s: s.item(), lambda s: s[None]):
        apart = [corruption.at(form(s))(x[i : i + 1]) for i, s in enumerate(severity)]
        assert_close(together, torch.cat(apart), scale=x.norm())


@every_corruption
@given(draws())
def test_the_transform_makes_every_member_diagonal(name: str, draw: Draw):
    corruption = CORRUPTIONS[name](draw)
    if corruption.transform is None:
        assert not isinstance(corruption.at(0.5), Diagonal | Scale)
        return
    operator = corruption.at(severities(corruption, draw))
    assert isinstance(operator, Diagonal | Scale)
    x = draw.images()
    z = corruption.transform.forward(x)
    expected = corruption.transform.inverse(operator.diagonal(z) * z)
    assert_close(operator(x), expected, scale=x.norm())


@every_corruption
def test_colour_images_of_an_uncommon_size(name: str):
    """The laws of a linear operator once more, on axes that no fast algorithm likes."""
    draw = Draw((1 if name in DENSE else 3, 37, 53), 2, 2, 0)
    corruption = CORRUPTIONS[name](draw)
    x, y = draw.images(1), draw.images(2)
    assert_close(corruption.at(0.0)(x), x)
    severity = severities(corruption, draw)
    A = corruption.at(severity)
    assert_close(A(2 * x - y), 2 * A(x) - A(y), scale=x.norm() + y.norm())
    assert_close((A(x) * y).sum(), (x * A.T(y)).sum(), scale=x.norm() * y.norm())
    apart = [corruption.at(s)(x[i : i + 1]) for i, s in enumerate(severity)]
    assert_close(A(x), torch.cat(apart), scale=x.norm())
    if corruption.transform is not None:
        z = corruption.transform.forward(x)
        assert_close(z.norm(), x.norm())
        assert isinstance(A, Diagonal | Scale)
        assert_close(corruption.transform.forward(A(x)), A.diagonal(z) * z, scale=x.norm())


@pytest.mark.parametrize("name", SHRINKING)
@given(draws())
def test_no_image_grows(name: str, draw: Draw):
    corruption = CORRUPTIONS[name](draw)
    x = draw.images()
    y = corruption.at(severities(corruption, draw))(x)
    assert (y.flatten(1).norm(dim=1) <= (1 + 1e-10) * x.flatten(1).norm(dim=1)).all()


@every_corruption
@pytest.mark.parametrize("severity", [-0.1, math.nan, math.inf, -math.inf])
def test_a_severity_outside_the_range_is_refused(name: str, severity: float):
    corruption = CORRUPTIONS[name](Draw((1, 2, 2), 3, 1, 0))
    with pytest.raises(ValueError, match=f"severity of {type(corruption).__name__} .* must be"):
        corruption.at(severity)
    with pytest.raises(ValueError, match="must be"):
        corruption.at(torch.tensor([0.1, severity, 0.2]))


@every_corruption
def test_a_severity_beyond_the_largest_is_refused(name: str):
    corruption = CORRUPTIONS[name](Draw((1, 2, 2), 3, 1, 0))
    if math.isinf(corruption.max_severity):
        corruption.at(1e6)
        return
    corruption.at(corruption.max_severity)
    with pytest.raises(ValueError, match=r"must be in \[0, 1\], but is 1.001"):
        corruption.at(1.001)


@every_corruption
def test_severities_are_one_for_all_or_one_each(name: str):
    corruption = CORRUPTIONS[name](Draw((1, 2, 2), 3, 1, 0))
    with pytest.raises(
        ValueError, match=r"one number a sample, shape \(B,\), but has shape \(2, 1\)"
    ):
        corruption.at(torch.full((2, 1), 0.5))
    if isinstance(corruption, sd.Identity):
        return
    with pytest.raises(ValueError, match="2 values do not fit a batch of 3 images"):
        corruption.at(torch.tensor([0.1, 0.2]))(torch.zeros(3, 1, 2, 2))
