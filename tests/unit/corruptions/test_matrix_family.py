import pytest
import scipy.linalg
import torch

import softdiffusion as sd

X = torch.randn(2, 1, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_family_is_a_straight_line_to_the_matrix():
    A = torch.arange(36, dtype=torch.float64).reshape(6, 6)
    y = sd.MatrixFamily(A).at(torch.tensor([0.25, 1.0], dtype=torch.float64))(X).flatten(1)
    x = X.flatten(1)
    assert torch.allclose(y[0], 0.75 * x[0] + 0.25 * A @ x[0])
    assert torch.allclose(y[1], A @ x[1])


def test_a_matrix_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match=r"must be square, but has shape \(2, 3\)"):
        sd.MatrixFamily(torch.zeros(2, 3))


def test_a_matrix_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="must be finite, but 1 of its 4 entries"):
        sd.MatrixFamily(torch.tensor([[1.0, float("nan")], [0.0, 1.0]]))


def test_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match="takes images of 4 numbers"):
        sd.MatrixFamily(torch.eye(4)).at(0.5)(X)


def test_a_symmetric_matrix_is_interpolated_in_its_spectrum():
    A = torch.randn(6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    family = sd.MatrixFamily(A @ A.T)
    y = family.at(0.25)(X).flatten(1)
    assert torch.allclose(y, 0.75 * X.flatten(1) + 0.25 * X.flatten(1) @ (A @ A.T))
    spectrum = family.at(0.25).diagonal(X).flatten()
    expected = 0.75 + 0.25 * scipy.linalg.eigvalsh((A @ A.T).numpy())
    assert torch.allclose(spectrum, torch.from_numpy(expected))


def test_symmetric_means_up_to_rounding():
    A = torch.eye(6, dtype=torch.float64)
    A[0, 1] = 1e-16
    assert sd.MatrixFamily(A).transform is not None
    A[0, 1] = 1e-12
    assert sd.MatrixFamily(A).transform is None


def test_schedules_take_the_closed_form_for_a_symmetric_matrix():
    """For the projection onto the mean W2 is the difference of severities times the rest."""
    family = sd.MatrixFamily(torch.full((6, 6), 1 / 6, dtype=torch.float64))
    rest = (X - X.mean(dim=(1, 2, 3), keepdim=True)).flatten(1).square().sum(1).mean().sqrt()
    distance = sd.schedules.wasserstein_distance(family, X, 0.25, 0.75, method="closed")
    assert distance == pytest.approx(0.5 * rest.item())
