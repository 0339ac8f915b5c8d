"""Times of a batch: where they lie, and that their weights make an average over all times."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion.training.times import (
    LEVELS,
    ImportanceTimes,
    StratifiedTimes,
    level_of,
    stratified,
)

MIDDLES = (torch.arange(LEVELS) + 0.5) / LEVELS


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def taught(losses: torch.Tensor) -> ImportanceTimes:
    """Has seen one loss in the middle of every level."""
    times = ImportanceTimes()
    times.update(MIDDLES, losses)
    return times


@given(st.integers(1, 100), st.integers(0, 1000))
def test_every_equal_part_has_one_stratified_time(count: int, seed: int):
    t, weight = StratifiedTimes().at(stratified(count, seeded(seed)))
    part = torch.arange(count) / count
    assert ((t > part - 1e-6) & (t <= part + 1 / count + 1e-6)).all()
    assert (t > 0).all() and (t <= 1).all()
    assert torch.equal(weight, torch.ones(count))


@given(st.integers(0, 1000))
def test_the_weights_make_an_average_over_all_times(seed: int):
    """Within a level the density is flat, so a function of the level is averaged exactly.

    Stratified draws fill every level with its share of the batch, bar one at either border, whose
    weight is at most 10.
    """
    losses = 2 ** (10 * torch.rand(LEVELS, generator=seeded(seed)))
    values = torch.rand(LEVELS, generator=seeded(seed + 1))
    count = 100_000
    t, weight = taught(losses).at(stratified(count, seeded(seed + 2)))
    error = (weight * values[level_of(t)]).mean() - values.mean()
    assert abs(error) <= 2 * LEVELS * 10 / count


def test_levels_are_drawn_in_proportion_to_the_root_of_the_squared_loss():
    losses = torch.arange(1.0, LEVELS + 1)
    t, _ = taught(losses).at(stratified(100_000, seeded(0)))
    shares = torch.bincount(level_of(t), minlength=LEVELS) / len(t)
    torch.testing.assert_close(
        shares, 0.1 / LEVELS + 0.9 * losses / losses.sum(), atol=1e-4, rtol=0
    )


def test_until_every_level_was_seen_times_are_uniform():
    times = ImportanceTimes()
    times.update(MIDDLES[1:], 9.0 * torch.arange(1, LEVELS))
    t, weight = times.at(stratified(64, seeded(0)))
    torch.testing.assert_close(
        t, StratifiedTimes().at(stratified(64, seeded(0)))[0], atol=1e-6, rtol=0
    )
    assert torch.equal(weight, torch.ones(64))


def test_the_second_moment_is_a_slow_average_and_unseen_levels_keep_theirs():
    times = taught(torch.full((LEVELS,), 2.0))
    times.update(torch.tensor([0.31, 0.39]), torch.tensor([1.0, 3.0]))  # mean square 5
    expected = torch.full((LEVELS,), 4.0)
    expected[3] = 0.95 * 4 + 0.05 * 5
    torch.testing.assert_close(times.state, expected)


@pytest.mark.parametrize("t, level", [(0.0, 0), (0.0999, 0), (0.35, 3), (0.9999, 9), (1.0, 9)])
def test_the_level_of_a_time(t: float, level: int):
    assert level_of(torch.tensor([t])).item() == level
