import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import softdiffusion as sd
from softdiffusion.schedules import wasserstein_distance

SHAPES = st.lists(st.integers(1, 8), min_size=1, max_size=3).map(tuple)
SEEDS = st.integers(0, 1000)
SHARES = st.floats(0, 1)


def mask(corruption: sd.Corruption, severity: float, shape: tuple[int, ...]) -> Tensor:
    """What is left of every Fourier coefficient of white noise, measured from outside."""
    x = torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    axes = tuple(range(2, x.ndim))
    return (torch.fft.fftn(corruption.at(severity)(x), dim=axes) / torch.fft.fftn(x, dim=axes))[
        0, 0
    ]


@given(SHAPES, SEEDS, SHARES, SHARES)
def test_coefficients_are_kept_or_missing_in_pairs(shape, seed, severity, centre):
    kept = mask(sd.UndersampledFourier(centre, seed=seed), severity, shape)
    is_kept = kept.abs() > 0.5
    assert (kept - is_kept.double()).abs().max() <= 1e-10
    axes = tuple(range(len(shape)))
    assert torch.equal(is_kept, is_kept.flip(axes).roll((1,) * len(axes), axes))


@given(SHAPES, SEEDS, SHARES, SHARES)
def test_the_share_is_met_to_the_nearest_pair(shape, seed, severity, centre):
    kept = mask(sd.UndersampledFourier(centre, seed=seed), severity, shape).real
    assert abs(severity * kept.numel() - (1 - kept).sum()) <= 1 + 1e-9


@given(SHAPES, SEEDS, st.tuples(SHARES, SHARES))
def test_what_is_missing_stays_missing(shape, seed, severities):
    corruption = sd.UndersampledFourier(seed=seed)
    mild, strong = (mask(corruption, severity, shape).real for severity in sorted(severities))
    assert (strong <= mild + 1e-10).all()


@given(SHAPES, SEEDS)
def test_the_mean_is_the_last_to_go(shape, seed):
    n = torch.Size(shape).numel()
    kept = mask(sd.UndersampledFourier(seed=seed), 1 - 0.75 / n, shape).real
    assert kept.sum() == pytest.approx(1, abs=1e-9)
    assert float(kept.flatten()[0]) == pytest.approx(1, abs=1e-9)
    x = torch.ones(1, 1, *shape)
    assert (sd.UndersampledFourier(seed=seed).at(1.0)(x) == 0).all()


def test_the_centre_outlives_the_rest():
    """Of 20 x 20 frequencies 41 are the centre: 37 within the radius sqrt(10), and two pairs."""
    k = 20 * torch.fft.fftfreq(20)
    radius = (k[:, None] ** 2 + k**2).flatten()
    for severity in (0.5, 359 / 400):
        kept = mask(sd.UndersampledFourier(0.1), severity, (20, 20)).real.flatten() > 0.5
        assert kept[radius <= 10].all()
        assert kept[radius > 13].any() == (severity == 0.5)


def test_a_centre_of_everything_takes_the_highest_first():
    k = 9 * torch.fft.fftfreq(9)
    radius = (k[:, None] ** 2 + k**2).flatten()
    one, other = (sd.UndersampledFourier(1.0, seed=seed) for seed in (0, 1))
    for severity in (0.2, 0.6, 0.9):
        kept = mask(one, severity, (9, 9)).real.flatten() > 0.5
        assert radius[kept].max() <= radius[~kept].min()
        assert torch.equal(kept, mask(other, severity, (9, 9)).real.flatten() > 0.5)


@pytest.mark.parametrize("shape", [(8, 5), (5, 4, 6)])
def test_lines_are_missing_as_a_whole(shape):
    kept = mask(sd.UndersampledFourier(0.25, lines=True), 0.5, shape).real
    assert torch.allclose(kept, kept[..., :1].expand(shape))
    lines = kept[..., 0].numel()
    assert abs(0.5 * lines - (1 - kept[..., 0]).sum()) <= 1 + 1e-9


def test_the_seed_decides():
    draw = [mask(sd.UndersampledFourier(seed=seed), 0.6, (16, 16)).real for seed in (3, 3, 4)]
    assert torch.equal(draw[0], draw[1])
    # Two random choices of 0.4 among what is outside the centre differ in about half of them.
    assert (draw[0] - draw[2]).abs().sum() >= 0.25 * 256


def test_projections_are_an_order_in_which_distances_are_closed(digits):
    fourier = sd.UndersampledFourier()
    closed = wasserstein_distance(fourier, digits[:150], 0.3, 0.8, method="closed")
    exact = wasserstein_distance(fourier, digits[:150], 0.3, 0.8, method="exact", samples=150)
    assert closed == pytest.approx(exact, rel=1e-10)


def test_a_size_first_seen_while_sampling_can_be_trained_on():
    with torch.inference_mode():
        sd.UndersampledFourier(seed=77).at(0.5)(torch.ones(1, 1, 5, 7))
    x = torch.ones(1, 1, 5, 7, requires_grad=True)
    sd.UndersampledFourier(seed=77).at(0.5)(x).square().sum().backward()
    assert x.grad.isfinite().all()


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match=r"centre of an undersampled .* must be in \[0, 1\]"):
        sd.UndersampledFourier(1.5)
    with pytest.raises(ValueError, match="Images of one axis have no lines of frequencies; use"):
        sd.UndersampledFourier(lines=True).at(0.5)(torch.zeros(1, 1, 8))
    with pytest.raises(ValueError, match="must lie in .* but one is -1"):
        sd.UndersampledFourier(seed=-1)
