import pytest
import torch

from softdiffusion.operators import Matrix, Scale, identity

X = torch.randn(3, 2, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_identity_changes_nothing():
    assert torch.equal(identity()(X), X)


def test_a_number_keeps_its_precision():
    """0.1 in single precision would be off by 1e-8."""
    assert (Scale(0.1).pinverse()(X) - 10 * X).norm() <= 1e-15 * (10 * X).norm()
    assert (Scale(0.1).sqrt()(X) - 0.1**0.5 * X).norm() <= 1e-15 * X.norm()
    assert (Scale(2).sqrt()(X) - 2**0.5 * X).norm() <= 1e-15 * X.norm()


def test_the_pseudo_inverse_of_zero_is_zero():
    inverse = Scale(torch.tensor([0.0, 2.0, -4.0])).pinverse()(torch.ones(3, 1))
    assert inverse.flatten().tolist() == [0, 0.5, -0.25]


def test_a_negative_factor_has_no_square_root():
    with pytest.raises(ValueError, match="needs factors >= 0, but one is -0.5"):
        Scale(torch.tensor([1.0, -0.5])).sqrt()


def test_factors_have_at_most_one_axis():
    with pytest.raises(ValueError, match=r"shape \(B,\), but has shape \(3, 1\)"):
        Scale(torch.ones(3, 1))


def test_another_number_of_samples_is_refused():
    with pytest.raises(ValueError, match="2 values do not fit a batch of 3 images"):
        Scale(torch.ones(2))(X)
    with pytest.raises(ValueError, match="2 values do not fit a batch of 3 images"):
        (Scale(torch.ones(2)) @ Matrix(torch.ones(3, 8, 8)))(X)
