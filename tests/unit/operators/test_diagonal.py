import pytest
import torch

from softdiffusion.operators import DCT, Diagonal, Pixel

X = torch.randn(3, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def diagonal(*values):
    return Diagonal(Pixel(), lambda z: torch.tensor(values, dtype=z.dtype).reshape(1, 1, 2, 2))


def test_one_operator_serves_every_size():
    halving = Diagonal(DCT(), lambda z: torch.full((1, 1, 1, 1), 0.5, dtype=z.dtype))
    for shape in [(1, 1, 4, 4), (2, 3, 5, 2)]:
        x = torch.ones(shape, dtype=torch.float64)
        assert torch.allclose(halving(x), x / 2)


@pytest.mark.parametrize("rtol, kept", [(None, 4), (1e-12, 3), (0.05, 2), (0.5, 1)])
def test_small_values_count_as_zero(rtol, kept):
    """At most rtol times the largest one: 0.5 is cut by a cut-off of exactly 0.5."""
    inverse = diagonal(1.0, -0.5, 0.01, 1e-13).pinverse(rtol)
    values = inverse.diagonal(X)
    assert int((values != 0).sum()) == kept
    assert values.flatten()[0] == 1
    if kept > 1:
        assert values.flatten()[1] == -2


def test_the_cut_off_is_relative_to_each_sample():
    values = torch.tensor([[1, 1 / 64], [1 / 1024, 1 / 64]]).reshape(2, 1, 1, 2)
    inverse = Diagonal(Pixel(), lambda z: values).pinverse(0.05).diagonal(torch.zeros(2, 1, 1, 2))
    assert inverse.flatten(1).tolist() == [[1, 0], [1024, 64]]


def test_a_negative_spectrum_has_no_square_root():
    with pytest.raises(ValueError, match="needs a spectrum >= 0, but it has -0.5"):
        diagonal(1.0, -0.5, 0.0, 0.2).sqrt()(X)


def test_another_number_of_samples_is_refused():
    two = Diagonal(Pixel(), lambda z: torch.ones(2, 1, 1, 1, dtype=z.dtype))
    with pytest.raises(ValueError, match="2 values do not fit a batch of 3 images; give one value"):
        two(X)
    assert two(X[:1]).shape == (2, 1, 2, 2)
