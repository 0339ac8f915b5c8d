import pytest
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
