"""Warm-up and decay fit into the training, whatever its length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import softdiffusion as sd
from softdiffusion.training.train import _ramp

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
        full = [p for p in batches if _ramp(p, images, options) == 1] if len(batches) < 5000 else []
        assert len(full) * batch_size >= images / 2 - 2 * batch_size or not full


def test_a_recipe_cut_short_trains_at_its_learning_rate():
    """That of digits at a sixth of its length, which had peaked at 0.67 and then only fallen."""
    options = sd.TrainingOptions(warmup=6400, decay=30_000)
    rates = [_ramp(position, 20_032, options) for position in range(0, 20_032, 64)]
    assert max(rates) == 1
    assert sum(rate == 1 for rate in rates) >= 0.48 * len(rates)
