"""Warm-up and decay fit into the training, whatever its length."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import softdiffusion as sd

COUNTS = st.integers(0, 10**7)


@given(COUNTS, COUNTS, st.integers(1, 10**6), st.integers(1, 256))
def test_every_training_reaches_its_learning_rate(warmup, decay, images, batch_size):
    """And not for a moment alone, if both do not fit: for half of it, bar a batch at either end."""
    options = sd.TrainingOptions(batch_size=batch_size, warmup=warmup, decay=decay)
    images = options.whole_batches(images)
    up, down = options.ramps(images)
    if warmup + decay <= images:
        assert (up, down) == (warmup, decay)
    else:
        assert up + down == pytest.approx(images / 2)
        assert up * (warmup + decay) == pytest.approx(warmup * (up + down))
        batches = range(0, images, batch_size)
        full = [p for p in batches if options.share(p, images) == 1] if len(batches) < 5000 else []
        assert len(full) * batch_size >= images / 2 - 2 * batch_size or not full


def test_a_recipe_cut_short_trains_at_its_learning_rate():
    """That of digits at a sixth of its length, which had peaked at 0.67 and then only fallen."""
    options = sd.TrainingOptions(warmup=6400, decay=30_000)
    rates = [options.share(position, 20_032) for position in range(0, 20_032, 64)]
    assert max(rates) == 1
    assert sum(rate == 1 for rate in rates) >= 0.48 * len(rates)


def test_a_decay_is_a_straight_line_or_half_a_cosine():
    for shape, expected in (
        ("linear", lambda left: left),
        ("cosine", lambda left: 0.5 * (1 + math.cos(math.pi * (1 - left)))),
    ):
        options = sd.TrainingOptions(batch_size=10, warmup=0, decay=400, decay_shape=shape)
        for position in range(0, 1000, 10):
            left = min(1.0, (1000 - position) / 400)
            assert options.share(position, 1000) == pytest.approx(expected(left))


def test_without_decay_the_rate_stays():
    options = sd.TrainingOptions(batch_size=10, warmup=0, decay_shape="cosine")
    assert {options.share(position, 1000) for position in range(0, 1000, 10)} == {1.0}
