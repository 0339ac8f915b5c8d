import pytest
import torch

import softdiffusion as sd
from softdiffusion.operators import ChannelBasis, ChannelMatrix, Diagonal

X = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LUMINANCE = [[0.299, 0.587, 0.114]] * 3


def test_colours_fade_to_the_mean_of_the_channels():
    y = sd.Greyscale().at(torch.tensor([0.3, 1.0], dtype=torch.float64))(X)
    grey = X.mean(dim=1, keepdim=True).expand_as(X)
    assert torch.allclose(y[0], 0.7 * X[0] + 0.3 * grey[0])
    assert torch.allclose(y[1], grey[1])


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_channels_has_a_grey_axis(channels):
    x = X.flatten(1)[:, : 8 * channels].reshape(2, channels, 8)
    y = sd.Greyscale(channels).at(1.0)(x)
    assert torch.allclose(y, x.mean(dim=1, keepdim=True).expand_as(x))


def test_a_matrix_that_is_not_symmetric_is_applied_pixel_by_pixel():
    y = sd.ChannelMixing(LUMINANCE).at(0.25)(X)
    luminance = torch.einsum("c,bchw->bhw", torch.tensor(LUMINANCE[0]).double(), X)
    assert torch.allclose(y, 0.75 * X + 0.25 * luminance[:, None])
    assert isinstance(sd.ChannelMixing(LUMINANCE).at(0.25), ChannelMatrix)
    assert sd.ChannelMixing(LUMINANCE).transform is None


def test_a_symmetric_matrix_is_diagonal_in_its_eigenvectors():
    swap = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    corruption = sd.ChannelMixing(swap)
    operator = corruption.at(torch.tensor([0.25, 1.0], dtype=torch.float64))
    assert isinstance(operator, Diagonal) and isinstance(corruption.transform, ChannelBasis)
    y = operator(X)
    assert torch.allclose(y[0], 0.75 * X[0] + 0.25 * X[0, [1, 0, 2]])
    assert torch.allclose(y[1], X[1, [1, 0, 2]])


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: sd.Greyscale(0), "at least one channel, not 0"),
        (lambda: sd.Greyscale(2).at(0.5)(X), r"images of 2 channels, but .* \(3, 4, 5\)"),
        (lambda: sd.ChannelMixing([[1, 2]]), r"must be square, but has shape \(1, 2\)"),
        (lambda: sd.ChannelMixing([[float("inf")]]), "must be finite, but 1 of its 1 entries"),
        (lambda: sd.ChannelMixing([[1, 2], [3, 4]]).at(0.5)(X), "takes images of 2 channels"),
        (lambda: sd.ChannelMixing([[1, 2], [2, 4]]).at(0.5)(X), "takes images of 2 channels"),
    ],
)
def test_impossible_arguments_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
