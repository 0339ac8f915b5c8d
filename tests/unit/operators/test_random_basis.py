import pytest
import torch
from scipy.fft import dctn

from softdiffusion.operators import RandomBasis


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_it_is_the_dct_of_channels_and_pixels_after_signs():
    impulses = torch.eye(60, dtype=torch.float64).reshape(60, 3, 4, 5)
    z = RandomBasis(1).forward(impulses)
    plain = torch.from_numpy(dctn(impulses.numpy(), axes=(1, 2, 3), norm="ortho"))
    signs = (z * plain).flatten(1).sum(1)
    assert torch.allclose(signs.abs(), torch.ones(60, dtype=torch.float64))
    assert torch.allclose(z, signs.reshape(-1, 1, 1, 1) * plain)
    assert 15 <= int((signs > 0).sum()) <= 45  # binomial: 30 +- 3.9 standard deviations


def test_a_constant_image_is_spread_over_all_coefficients():
    """Its power per coefficient is that of noise: exponential-like, so the largest of 3,072 is
    about 2 log 3072 = 16 times the mean; a DCT alone would put all of it, 3,072, into one.
    """
    z = RandomBasis(0).forward(torch.ones(1, 3, 32, 32, dtype=torch.float64))
    assert z.square().mean() == pytest.approx(1)
    assert z.square().max() <= 40


def test_signs_depend_on_seed_and_shape_alone():
    x = normal(1, 2, 6, 5)
    assert torch.equal(
        RandomBasis(3).forward(x), RandomBasis(3).forward(x.expand(4, -1, -1, -1))[:1]
    )
    assert not torch.allclose(RandomBasis(3).forward(x), RandomBasis(4).forward(x))
    assert RandomBasis(3) == RandomBasis(3) != RandomBasis(4)
    assert len({RandomBasis(3), RandomBasis(3), RandomBasis(4)}) == 2


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match=r"must lie in \[0, 2\^32\), but one is -1"):
        RandomBasis(-1)
