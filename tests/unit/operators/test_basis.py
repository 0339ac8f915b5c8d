import pytest
import torch

from softdiffusion.operators import Basis

X = torch.randn(2, 1, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Q = torch.linalg.qr(torch.arange(36.0).reshape(6, 6).sin().double()).Q


def test_coefficients_are_inner_products_with_the_rows():
    z = Basis(Q).forward(X)
    for k in range(6):
        assert torch.allclose(z.flatten(1)[:, k], (X.flatten(1) * Q[k]).sum(1))
    assert torch.allclose(Basis(Q).inverse(z), X)


def test_equal_bases_are_equal():
    assert len({Basis(Q), Basis(Q.clone()), Basis(-Q)}) == 2
    assert Basis(Q) != Basis(Q.flip(0))


def test_rows_that_are_not_orthonormal_are_refused():
    with pytest.raises(ValueError, match="rows of a basis must be orthonormal, but miss it by 3"):
        Basis(2 * Q)


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"takes images of 6 numbers, but got .* \(1, 2, 2\)"):
        Basis(Q).forward(X[..., :2])
