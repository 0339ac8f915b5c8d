import pytest
import torch

from softdiffusion.operators import ChannelMatrix, Diagonal, Matrix, Pixel, Scale

X = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
M = torch.tensor([[0.2, 0.7, 0.1], [1.0, -1.0, 0.5]], dtype=torch.float64)
SQUARE = torch.randn(3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_every_pixel_is_multiplied():
    y = ChannelMatrix(M)(X)
    assert y.shape == (2, 2, 4, 5)
    assert torch.allclose(y[1, :, 2, 3], M @ X[1, :, 2, 3])
    assert torch.allclose(ChannelMatrix(M)(X[..., 0])[1, :, 2], M @ X[1, :, 2, 0])


def test_one_matrix_a_sample():
    matrices = torch.stack([SQUARE, SQUARE.T])
    y = ChannelMatrix(matrices)(X)
    assert torch.allclose(y[1, :, 0, 0], SQUARE.T @ X[1, :, 0, 0])
    with pytest.raises(ValueError, match="2 values do not fit a batch of 3 images"):
        ChannelMatrix(matrices)(X[[0, 1, 1]])


def test_the_pseudo_inverse_is_that_of_every_pixel():
    y = ChannelMatrix(M)(X)
    assert torch.allclose(
        ChannelMatrix(M).pinv(y)[0, :, 1, 1], torch.linalg.pinv(M) @ y[0, :, 1, 1]
    )


def test_its_sums_and_products_stay_in_the_channels():
    A, B = ChannelMatrix(SQUARE), ChannelMatrix(M)
    for combined in (A + A, A - Scale(0.5), B @ A, 2 * B, A @ Scale(torch.ones(2)), (B @ A).T):
        assert isinstance(combined, ChannelMatrix)
    assert not isinstance(A + Diagonal(Pixel(), torch.ones_like), ChannelMatrix)
    assert not isinstance(A + Matrix(torch.eye(60)), ChannelMatrix)


def test_images_with_other_channels_are_refused():
    with pytest.raises(ValueError, match=r"takes images of 3 channels, but got .* \(1, 4, 5\)"):
        ChannelMatrix(M)(X[:, :1])
