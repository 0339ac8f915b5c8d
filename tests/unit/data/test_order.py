import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion.data import DataOrder, measured

sizes = st.integers(1, 40)
seeds = st.integers(0, 2**63)
chunks = st.lists(st.integers(0, 60), min_size=1, max_size=8)


@given(sizes, seeds, st.integers(0, 500), chunks)
def test_any_chunking_gives_the_same_order(size, seed, start, counts):
    whole = DataOrder(size, seed)
    parts_indices, parts_flips, parts_turns, parts_seeds = [], [], [], []
    position = start
    for count in counts:
        fresh = DataOrder(size, seed)  # as after a restart
        parts_indices.append(fresh.indices(position, count))
        parts_flips.append(fresh.flips(position, count))
        parts_turns.append(fresh.turns(position, count))
        parts_seeds.append(fresh.seeds(position, count))
        position += count
    total = position - start
    assert torch.equal(torch.cat(parts_indices), whole.indices(start, total))
    assert torch.equal(torch.cat(parts_flips), whole.flips(start, total))
    assert torch.equal(torch.cat(parts_turns), whole.turns(start, total))
    assert torch.equal(torch.cat(parts_seeds), whole.seeds(start, total))


@given(seeds, st.integers(0, 10**9))
def test_every_quarter_turn_comes_up_and_no_seed_comes_twice(seed, position):
    order = DataOrder(10, seed)
    turns = torch.bincount(order.turns(position, 4000), minlength=4)
    assert len(turns) == 4 and (abs(turns - 1000) < 6 * (4000 * 3 / 16) ** 0.5).all()
    drawn = torch.cat([order.seeds(position, 4000), DataOrder(10, seed + 1).seeds(position, 4000)])
    assert len(drawn.unique()) == 8000 and (drawn >= 0).all()


@given(sizes, seeds, st.integers(0, 10))
def test_an_epoch_sees_every_image_once(size, seed, epoch):
    indices = DataOrder(size, seed).indices(epoch * size, size)
    assert indices.dtype == torch.int64
    assert torch.equal(indices.sort().values, torch.arange(size))


@given(st.integers(0, 2**32), st.integers(0, 1000))
def test_neighbouring_seeds_and_epochs_are_unrelated(seed, epoch):
    size = 100  # two equal permutations of 100 would be no chance
    order, other = DataOrder(size, seed), DataOrder(size, seed + 1)
    here = order.indices(epoch * size, size)
    assert not torch.equal(here, order.indices((epoch + 1) * size, size))
    assert not torch.equal(here, other.indices(epoch * size, size))
    # Seeds that were added to epochs would repeat here.
    assert not torch.equal(
        order.indices((epoch + 1) * size, size), other.indices(epoch * size, size)
    )


def test_flips_are_fair_coins_independent_of_the_order():
    count = 10_000
    order = DataOrder(count, 3)
    flips = order.flips(0, count).float()
    # 5 standard deviations of a mean of fair coins, and of a correlation with independent ranks.
    assert abs(flips.mean() - 0.5) < 5 * 0.5 / count**0.5
    ranks = order.indices(0, count).float()
    assert abs(torch.corrcoef(torch.stack([flips, ranks]))[0, 1]) < 5 / count**0.5


def test_nothing_is_drawn_from_the_global_state():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    DataOrder(10, 0).indices(0, 25)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("size", "seed", "message"), [(0, 0, "at least one"), (5, -1, ">= 0")])
def test_bad_arguments(size, seed, message):
    with pytest.raises(ValueError, match=message):
        DataOrder(size, seed)


def test_what_is_measured_are_distinct_images_and_at_most_ten_thousand():
    few, many = measured(30), measured(20_000)
    assert sorted(few.tolist()) == list(range(30))
    assert len(many) == len(set(many.tolist())) == 10_000
    assert torch.equal(many, DataOrder(20_000, 0).indices(0, 10_000))
