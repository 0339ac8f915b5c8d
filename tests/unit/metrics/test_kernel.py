import pytest
import torch

from softdiffusion.metrics import KernelDistance


def gaussian(count, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 5, generator=generator, dtype=torch.float64) + shift


def closed_form(a, b):
    """The unbiased estimate, pair by pair."""

    def kernel(x, y):
        return (x @ y.T / 5 + 1) ** 3

    def without_diagonal(x):
        pairs = kernel(x, x)
        return (pairs.sum() - pairs.diagonal().sum()) / (len(x) * (len(x) - 1))

    return (without_diagonal(a) + without_diagonal(b) - 2 * kernel(a, b).mean()).item()


def test_it_is_the_unbiased_estimate_where_subsets_hold_everything():
    a, b = gaussian(60, 0), gaussian(60, 1, 0.5)
    distance = KernelDistance(a, subsets=2, subset_size=60)(b)
    assert distance.item() == pytest.approx(closed_form(a, b), rel=1e-9)


def test_subsets_of_any_size_give_the_same_mean():
    a, b = gaussian(2000, 0), gaussian(2000, 1, 1.0)
    whole = closed_form(a, b)
    for size in (50, 250):
        assert KernelDistance(a, subset_size=size)(b).item() == pytest.approx(whole, rel=0.1)


def test_it_is_repeatable_and_leaves_the_global_state_alone():
    a, b = gaussian(100, 0), gaussian(80, 1)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    distance = KernelDistance(a, subset_size=20)
    first = distance(b)
    distance(b + 1)
    assert distance(b) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert KernelDistance(a, subset_size=20, seed=1)(b) != first


def test_too_few_features_are_refused():
    with pytest.raises(ValueError, match="at least 2"):
        KernelDistance(gaussian(10, 0))(gaussian(1, 0))
