"""The Wasserstein-2 distance between the data at two severities."""

import numpy as np
import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.schedules import wasserstein_distance

METHODS = ["auto", "closed", "exact", "sliced", "entropic"]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def positive(n: int) -> Tensor:
    matrix = normal(n, n)
    return matrix @ matrix.T / n


def projection(n: int) -> Tensor:
    """Half of its eigenvalues are 0, up to rounding of either sign."""
    basis = torch.linalg.qr(normal(n, n)).Q[:, : n // 2]
    return basis @ basis.T


MEETING_THE_CONDITION = {
    "blur": (lambda n: sd.GaussianBlur(), 0.7, 2.3),
    "a little more blur": (lambda n: sd.GaussianBlur(), 2.0, 2.01),
    "mask": (lambda n: sd.FadingMask(), 0.0, 3.0),
    "scaling": (lambda n: sd.Scaling(), 0.2, 1.0),
    "positive matrix": (lambda n: sd.MatrixFamily(positive(n)), 0.1, 0.9),
    "projection": (lambda n: sd.MatrixFamily(projection(n)), 0.3, 1.0),
    "blur and scaling": (
        lambda n: sd.Composition([sd.GaussianBlur(), sd.Scaling()], [3, 0.9]),
        0,
        1,
    ),
}


def assert_closed_equals_an_assignment(name: str, images: Tensor):
    make, a, b = MEETING_THE_CONDITION[name]
    corruption = make(images[0].numel())
    closed = wasserstein_distance(corruption, images, a, b, method="closed")
    exact = wasserstein_distance(corruption, images, a, b, method="exact", samples=len(images))
    assert closed > 0
    assert closed == pytest.approx(exact, rel=1e-10)
    assert wasserstein_distance(corruption, images, a, b) == closed


@pytest.mark.parametrize("name", MEETING_THE_CONDITION)
def test_the_closed_form_is_an_exact_assignment_on_digits(name, digits):
    assert_closed_equals_an_assignment(name, digits[:200])


@pytest.mark.parametrize("name", ["blur", "mask", "scaling"])
def test_the_closed_form_is_an_exact_assignment_on_fashion_mnist(name, fashion_mnist):
    assert_closed_equals_an_assignment(name, fashion_mnist[:150])


def test_several_channels_and_single_precision(digits):
    """Statistics are summed in double precision, whatever the images come in."""
    colour = digits[:198].reshape(66, 3, 8, 8)
    assert_closed_equals_an_assignment("blur", colour)
    single = wasserstein_distance(sd.GaussianBlur(), colour.float(), 1.0, 2.0)
    assert single == pytest.approx(wasserstein_distance(sd.GaussianBlur(), colour, 1.0, 2.0), 1e-7)


def test_what_is_not_corrupted_does_not_move(digits):
    assert wasserstein_distance(sd.Identity(), digits, 0.0, 5.0) == 0


VIOLATING_THE_CONDITION = {
    "not symmetric": lambda n: normal(n, n) / n**0.5,
    "a rotation by 90 degrees": lambda n: torch.eye(n, dtype=torch.float64).roll(1, 0),
    "indefinite": lambda n: positive(n) - 0.5 * torch.eye(n, dtype=torch.float64),
    "the negative": lambda n: -torch.eye(n, dtype=torch.float64),
}


@pytest.mark.parametrize("name", VIOLATING_THE_CONDITION)
def test_where_the_condition_fails_the_closed_form_is_not_used(name, digits):
    corruption = sd.MatrixFamily(VIOLATING_THE_CONDITION[name](64))
    with pytest.raises(ValueError, match="MatrixFamily does not meet the condition .* use the met"):
        wasserstein_distance(corruption, digits, 0.0, 1.0, method="closed")
    found = wasserstein_distance(corruption, digits, 0.0, 1.0)
    assert found == wasserstein_distance(corruption, digits, 0.0, 1.0, method="sliced")


def test_no_common_basis_no_closed_form(digits):
    two_bases = sd.Composition([sd.GaussianBlur(), sd.FadingMask()], [2.0, 2.0])
    with pytest.raises(ValueError, match="Composition does not meet the condition"):
        wasserstein_distance(two_bases, digits, 0.1, 0.9, method="closed")


def test_the_closed_form_would_be_wrong_there():
    """Images that come with their negatives have the distribution of their negatives."""
    x = normal(30, 1, 2, 2)
    images = torch.cat([x, -x])
    corruption = sd.MatrixFamily(-torch.eye(4, dtype=torch.float64))
    formula = (2 * images).square().flatten(1).sum(1).mean().sqrt().item()
    for method in ("exact", "auto"):
        assert wasserstein_distance(corruption, images, 0, 1, method) <= 1e-7 * formula


def translation(shift: Tensor) -> tuple[sd.Corruption, Tensor]:
    """A family that moves images by `shift` times the severity, and Gaussian images for it.

    A linear map moves what has a constant coordinate: here the first pixel, which is 1.
    """
    n = len(shift)
    matrix = torch.eye(n, dtype=torch.float64)
    matrix[1:, 0] = shift[1:]
    images = normal(256, 1, 1, n, seed=1)
    images[..., 0] = 1
    return sd.MatrixFamily(matrix), images


@pytest.mark.parametrize(
    "method, tolerance", [("exact", 1e-10), ("sliced", 0.18), ("entropic", 1e-3)]
)
def test_a_translation_is_as_far_as_its_length(method, tolerance):
    """The errors that are stated: an assignment is exact, and a Sinkhorn divergence as far as it
    converged. 256 random directions see n cos^2 of the angle to the shift, whose mean is 1 and
    whose variance is at most 2; four standard errors of the square are 4 sqrt(2 / 256) = 0.35,
    and half of that for the distance.
    """
    corruption, images = translation(normal(9, seed=2))
    length = normal(9, seed=2)[1:].norm().item()
    found = wasserstein_distance(corruption, images, 0.0, 1.0, method)
    assert found == pytest.approx(length, rel=tolerance)


@pytest.mark.parametrize("method", ["closed", "sliced"])
def test_scaled_gaussians(method):
    """Between N(0, I) and N(0, a^2 I) lies (1 - a) sqrt(n).

    The stated error: 1,000 images know n = 16 to sqrt(2 / 16,000) = 1.1 %, and its root to half
    of that; four of these are 2.2 %.
    """
    images = normal(1000, 1, 4, 4, seed=3)
    found = wasserstein_distance(sd.Scaling(), images, 0.0, 0.75, method, samples=1000)
    assert found == pytest.approx(0.75 * 4, rel=0.022)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_the_entropic_distance_of_scaled_gaussians(share):
    """The Sinkhorn divergence of N(0, a^2) and N(0, b^2) is f(a b) - (f(a^2) + f(b^2)) / 2, with

    f(c) = s log(D + s) - D, D = sqrt(4 c^2 + s^2), for the regularisation 2 s (Janati et al. 2020).
    400 quantiles stand for a Gaussian to 3e-5; without its bias it would be up to 3 % more.
    """
    a, b = 1.0, 1.0 - share
    quantiles = torch.special.ndtri((torch.arange(400, dtype=torch.float64) + 0.5) / 400)
    images = quantiles.reshape(-1, 1, 1, 1) / quantiles.std(correction=0)
    s = 0.05 * (a**2 + b**2) / 2

    def f(c):
        D = np.sqrt(4 * c**2 + s**2)
        return s * np.log(D + s) - D

    expected = np.sqrt(f(a * b) - (f(a**2) + f(b**2)) / 2)
    found = wasserstein_distance(sd.Scaling(), images, 0.0, share, "entropic", samples=400)
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_distance(method, digits):
    def measure(seed):
        return wasserstein_distance(sd.GaussianBlur(), digits, 1, 2, method, samples=40, seed=seed)

    assert measure(0) == measure(0)
    assert (measure(0) == measure(1)) == (method in ("auto", "closed"))


def test_unusable_images_are_refused():
    for images in (torch.zeros(0, 1, 8, 8), torch.full((2, 1, 8, 8), np.nan)):
        with pytest.raises(ValueError, match="At least one image is needed|images must be finite"):
            wasserstein_distance(sd.GaussianBlur(), images, 1, 2)


def test_an_unknown_method_and_no_samples_are_refused(digits):
    with pytest.raises(ValueError, match="at least 1 sample, not 0"):
        wasserstein_distance(sd.GaussianBlur(), digits, 1, 2, method="exact", samples=0)
    with pytest.raises(ValueError, match="must be one of .*'entropic'\\), but is 'fast'"):
        wasserstein_distance(sd.GaussianBlur(), digits, 1, 2, method="fast")


def test_a_severity_that_the_family_lacks_is_refused(digits):
    with pytest.raises(ValueError, match=r"severity of Scaling .* must be in \[0, 1\], but is 2"):
        wasserstein_distance(sd.Scaling(), digits, 0, 2)
