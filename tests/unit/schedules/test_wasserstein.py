"""The choice of severities by their distances."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

import softdiffusion as sd
from softdiffusion import schedules
from softdiffusion.schedules import Wasserstein, narrowest_path, wasserstein_distance

BLUR = sd.GaussianBlur()


@st.composite
def grids(draw):
    """Distances between a few candidates: of points on a line, or of no geometry at all."""
    n = draw(st.integers(2, 8))
    rng = np.random.default_rng(draw(st.integers(0, 10000)))
    if draw(st.booleans()):
        points = np.sort(rng.random(n))
        return np.abs(points[:, None] - points)
    return rng.integers(0, 5, (n, n)).astype(float)  # with ties, and not even symmetric


def hops(distances, path):
    return [distances[i, j] for i, j in pairwise(path)]


def assert_a_path(path, n):
    assert path[0] == 0 and path[-1] == n - 1
    assert all(i < j for i, j in pairwise(path))


@given(grids(), st.data())
def test_the_largest_hop_of_so_many_levels_is_the_smallest_possible(distances, data):
    n = len(distances)
    levels = data.draw(st.integers(2, n))
    path = narrowest_path(distances, levels=levels)
    assert_a_path(path, n)
    assert len(path) == levels
    every = [(0, *middle, n - 1) for middle in combinations(range(1, n - 1), levels - 2)]
    smallest = min(max(hops(distances, one)) for one in every)
    assert max(hops(distances, path)) == smallest
    # Of all these paths, the most even one.
    evenness = [
        np.square(hops(distances, one)).sum()
        for one in every
        if max(hops(distances, one)) == smallest
    ]
    assert np.square(hops(distances, path)).sum() == pytest.approx(min(evenness))


@given(grids(), st.floats(0.01, 5))
def test_the_fewest_hops_under_a_cap_are_dijkstras(distances, epsilon):
    n = len(distances)
    allowed = csr_array(np.triu(distances <= epsilon, k=1).astype(float))
    fewest = dijkstra(allowed, unweighted=True, indices=0)[-1]
    if np.isinf(fewest):
        with pytest.raises(ValueError, match="No path keeps every hop within epsilon"):
            narrowest_path(distances, epsilon=epsilon)
        return
    path = narrowest_path(distances, epsilon=epsilon)
    assert_a_path(path, n)
    assert len(path) - 1 == fewest
    assert max(hops(distances, path)) <= epsilon


def test_the_message_says_which_cap_would_do():
    distances = np.abs(np.subtract.outer([0, 1, 3, 4.5], [0, 1, 3, 4.5]))
    with pytest.raises(
        ValueError, match="within epsilon = 1.5; the smallest cap .* allow is 2. Ra"
    ):
        narrowest_path(distances, epsilon=1.5)
    assert narrowest_path(distances, epsilon=2.0) == [0, 1, 2, 3]


def test_more_levels_than_candidates_are_refused():
    with pytest.raises(ValueError, match="5 levels can't be chosen among 4 candidates; raise"):
        narrowest_path(np.zeros((4, 4)), levels=5)


@pytest.mark.parametrize("levels", [2, 7, 32])
def test_a_selection_has_the_levels_that_were_asked_for(levels, digits):
    choice = Wasserstein(8.0, (0.02, 0.2), levels=levels, candidates=64).select(BLUR, digits)
    assert choice.method == "closed"
    assert len(choice.severities) == levels and len(choice.hops) == levels - 1
    assert choice.severities[0] == 0 and choice.severities[-1] == 8
    assert set(choice.severities) <= set(choice.candidates) and len(choice.candidates) == 64
    assert choice.epsilon == max(choice.hops)
    for (a, b), hop in zip(pairwise(choice.severities), choice.hops, strict=True):
        assert hop == pytest.approx(wasserstein_distance(BLUR, digits, a, b), rel=1e-9)


def test_the_cap_that_was_found_can_be_asked_for(digits):
    wanted = Wasserstein(8.0, (0.02, 0.2), levels=12, candidates=64).select(BLUR, digits)
    capped = Wasserstein(8.0, (0.02, 0.2), epsilon=wanted.epsilon, candidates=64)
    found = capped.select(BLUR, digits)
    assert max(found.hops) <= wanted.epsilon
    assert len(found.severities) <= 12


def test_a_tighter_cap_costs_more_hops(digits):
    def count(epsilon):
        choice = Wasserstein(8.0, (0.02, 0.2), epsilon=epsilon, candidates=64)
        return len(choice.select(BLUR, digits).hops)

    counts = [count(epsilon) for epsilon in (5.0, 1.0, 0.7)]
    assert counts == sorted(counts) and counts[0] < counts[-1]


def test_the_schedule_reaches_the_levels_at_even_times(digits):
    choice = Wasserstein(
        6.0, (0.02, 0.2), levels=9, min_severity=0.5, candidates=40, sigma_saturation=0.25
    ).select(BLUR, digits)
    schedule = choice.schedule()
    t = torch.linspace(0, 1, 9, dtype=torch.float64)
    assert schedule.severity(t).tolist() == pytest.approx(choice.severities, rel=1e-12)
    assert schedule.severity(t)[0] == 0.5
    assert schedule.sigma(t)[0].item() == pytest.approx(0.02)
    assert (schedule.sigma(t[t >= 0.25]) == 0.2).all()


def test_the_shorthand_returns_the_schedule(digits):
    schedule = schedules.wasserstein(BLUR, digits, max_severity=8.0, sigma=(0.0, 0.2), levels=5)
    choice = Wasserstein(8.0, (0.0, 0.2), levels=5).select(BLUR, digits)
    t = torch.linspace(0, 1, 21, dtype=torch.float64)
    assert torch.equal(schedule.severity(t), choice.schedule().severity(t))
    assert torch.allclose(schedule.sigma(t), 0.2 * t)


@pytest.mark.parametrize("first", [0.0, 0.02])
def test_the_noise_saturates_from_zero_as_from_above(first, digits):
    choice = Wasserstein(8.0, (first, 0.2), levels=5, sigma_saturation=0.25).select(BLUR, digits)
    sigma = choice.schedule().sigma(torch.linspace(0, 1, 9, dtype=torch.float64))
    assert sigma[0].item() == pytest.approx(first, rel=1e-14)
    assert first < sigma[1] < 0.2
    assert (sigma[2:] == 0.2).all()


def test_candidates_may_be_given(digits):
    candidates = [0.0, 0.1, 1.0, 2.5, 4.0]
    choice = Wasserstein(4.0, (0.02, 0.2), levels=3, candidates=candidates).select(BLUR, digits)
    assert choice.candidates == candidates
    assert set(choice.severities) <= set(candidates)


@pytest.mark.parametrize("method", ["exact", "sliced", "entropic"])
def test_every_estimator_chooses_levels(method, digits):
    chooser = Wasserstein(4.0, (0.02, 0.2), levels=4, candidates=6, method=method, samples=30)
    choice = chooser.select(BLUR, digits)
    assert choice.method == method
    assert len(choice.severities) == 4


def test_a_family_without_a_closed_form_is_sampled(digits):
    """Sliced distances lie below the exact ones, up to the spread of their 256 directions."""
    family = sd.MatrixFamily(torch.eye(64, dtype=torch.float64).roll(1, 0))
    paths = {}
    for method in ("auto", "exact"):
        chooser = Wasserstein(1.0, (0.1, 0.2), levels=4, candidates=7, method=method, samples=60)
        paths[method] = chooser.select(family, digits)
    assert paths["auto"].method == "sliced"
    assert 0 < paths["auto"].epsilon < 1.18 * paths["exact"].epsilon


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "either levels or epsilon, but levels is None and epsilon None"),
        ({"levels": 3, "epsilon": 0.1}, "either levels or epsilon"),
        ({"levels": 1}, "at least 2 levels, both ends counted, not 1"),
        ({"epsilon": 0.0}, "epsilon must be > 0, but is 0"),
        ({"epsilon": float("nan")}, "epsilon must be > 0, but is nan"),
        ({"levels": 300}, "300 levels can't be chosen among 256 candidates"),
        ({"epsilon": 1e-9}, "No path keeps every hop within epsilon = 1e-09; the smallest cap"),
        ({"levels": 3, "candidates": 0}, "at least two candidate severities.* there are 0"),
        ({"levels": 3, "candidates": 1}, "at least two candidate severities.* there are 1"),
        ({"levels": 3, "min_severity": 9.0}, "ascending order from 9 to 8"),
        ({"levels": 3, "min_severity": -1.0}, "severity of GaussianBlur .* but is -1"),
        ({"levels": 3, "candidates": [0.0, 2.0, 1.0, 8.0]}, "they do not ascend"),
        ({"levels": 3, "candidates": [0.0, 2.0, 4.0]}, "go from 0 to 4, but must .* 0, .* 8."),
        ({"levels": 3, "method": "fast"}, "method must be one of"),
    ],
)
def test_impossible_choices_are_refused(arguments, message, digits):
    with pytest.raises(ValueError, match=message):
        Wasserstein(8.0, (0.02, 0.2), **arguments).select(BLUR, digits)


@pytest.mark.parametrize("goal", [{}, {"levels": 1}, {"epsilon": 0.0}, {"levels": 2, "epsilon": 1}])
def test_a_path_needs_one_goal(goal):
    with pytest.raises(ValueError, match="levels|epsilon"):
        narrowest_path(np.ones((3, 3)), **goal)


def test_an_unknown_method_is_refused_at_once():
    with pytest.raises(ValueError, match="bogus"):
        Wasserstein(3.0, (0.02, 0.2), levels=3, method="bogus")


@pytest.mark.parametrize("method", ["closed", "sliced"])
def test_a_set_is_measured_as_its_images(method):
    images = torch.rand(1500, 3, 20, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1
    chooser = Wasserstein(8.0, (0.02, 0.2), levels=5, candidates=16, method=method, samples=32)
    whole = chooser.select(BLUR, images)
    assert chooser.select(BLUR, sd.data.ArrayImages("set", images)) == whole


def test_large_images_are_measured_in_single_precision():
    """Above 1,024 numbers an image, by the rounding of a transform."""
    images = torch.rand(60, 3, 20, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1
    single, double = (wasserstein_distance(BLUR, x, 1.0, 2.0) for x in (images, images.double()))
    assert single == pytest.approx(double, rel=2.0**-24 * 40)
