import pytest
import torch

import softdiffusion as sd
from softdiffusion.random import randn


def test_an_image_sees_the_same_noise_in_every_batch():
    alone = randn((1, 2, 3), sd.generators(seed=5, indices=[7]))
    among = randn((3, 2, 3), sd.generators(seed=5, indices=[2, 7, 9]))
    assert torch.equal(alone[0], among[1])


def test_seeds_and_indices_are_not_interchangeable():
    """(0, 1) and (1, 0), say, must not share a stream."""
    pairs = [(seed, index) for seed in range(8) for index in range(8)]
    noise = [randn((1, 4), sd.generators(seed, [index])) for seed, index in pairs]
    assert len(torch.cat(noise).unique(dim=0)) == len(pairs)


def test_the_noise_is_standard_normal():
    noise = randn((2000, 50), sd.generators(seed=0, indices=range(2000)))
    n = noise.numel()
    assert noise.mean().abs() <= 4 / n**0.5
    assert (noise.var() - 1).abs() <= 4 * (2 / n) ** 0.5
    assert torch.corrcoef(noise)[0, 1:].abs().max() <= 5 / 50**0.5


def test_a_generator_goes_on_where_it_was():
    one, two = sd.generators(seed=1, indices=range(2)), sd.generators(seed=1, indices=range(2))
    first, second = randn((2, 3), one), randn((2, 3), one)
    assert not torch.equal(first, second)
    assert torch.equal(randn((2, 6), two), torch.cat([first, second], dim=1))


def test_one_generator_serves_a_batch():
    a = randn((4, 3), torch.Generator().manual_seed(3), dtype=torch.float64)
    b = randn((4, 3), torch.Generator().manual_seed(3), dtype=torch.float64)
    assert a.dtype == torch.float64
    assert torch.equal(a, b)


def test_without_a_generator_torchs_own_state_is_used():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        a = randn((2, 3))
        torch.manual_seed(0)
        assert torch.equal(a, torch.randn(2, 3))


def test_there_is_one_generator_for_every_image():
    with pytest.raises(ValueError, match="3 images need 3 generators, but 2 were given"):
        randn((3, 4), sd.generators(seed=0, indices=range(2)))


@pytest.mark.parametrize("seed, indices", [(-1, [0]), (0, [3, -2]), (2**32, [0])])
def test_numbers_out_of_range_are_refused(seed, indices):
    with pytest.raises(ValueError, match=r"must lie in \[0, 2\^32\), but one is"):
        sd.generators(seed, indices)
