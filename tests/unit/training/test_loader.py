"""What is drawn follows from seed and position, whoever draws it and however far ahead."""

import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from softdiffusion.data import ArrayImages, DataOrder, Images
from softdiffusion.training.loader import Batch, Draws, _by_thread, load_ahead, readers_alive

#: The first image of the first epoch of seed 3.
DAMAGED = int(DataOrder(24, 3).indices(0, 1))
IMAGES = torch.rand(24, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
DATA = ArrayImages("some", IMAGES, torch.arange(24) % 5)
PROCESSOR = torch.device("cpu")


def draws(data: Images = DATA, **changes) -> Draws:
    kind = {"share": slice(None), "classes": 5, "label_dropout": 0.3} | changes
    return Draws(data, batch_size=8, seed=3, **kind)


def assert_same(one: Batch, other: Batch) -> None:
    for a, b in zip(one, other, strict=True):
        assert (a is None and b is None) or torch.equal(a, b)


class Noted(Images):
    """Images that show the index and the seed with which they are drawn; one is damaged."""

    name, shape = "noted", (1, 1, 2)

    def __len__(self) -> int:
        return 24

    def batch(self, indices: Tensor) -> Tensor:
        return self.draw(indices, torch.zeros_like(indices))

    def draw(self, indices: Tensor, seeds: Tensor) -> Tensor:
        if (indices == DAMAGED).any():
            raise ValueError("An image is damaged; restore it.")
        return torch.stack([indices, seeds % 1000], dim=1).float().reshape(-1, 1, 1, 2)


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_drawn_ahead_is_what_is_drawn_at_its_position(workers):
    positions = range(16, 96, 8)
    kind = draws(flips=True, turns=True)
    for position, batch in zip(
        positions, load_ahead(kind, positions, workers, PROCESSOR), strict=True
    ):
        assert_same(batch, kind[position])


def test_a_thread_draws_the_same():
    """As it does beside a GPU."""
    positions = range(16, 96, 8)
    kind = draws(flips=True, turns=True)
    batches = _by_thread(kind.__getitem__, positions)
    for position, batch in zip(positions, batches, strict=True):
        assert_same(batch, kind[position])
    with pytest.raises(ValueError, match="damaged"):
        list(_by_thread(draws(Noted(), classes=0).__getitem__, range(0, 24, 8)))


@given(st.integers(0, 100), st.integers(1, 8))
def test_the_shares_of_the_processes_make_the_batch(step, processes):
    whole = draws(flips=True, turns=True)[8 * step]
    for process in range(processes):
        mine = slice(process, None, processes)
        part = draws(flips=True, turns=True, share=mine)[8 * step]
        assert_same(part, Batch(*(a[mine] for a in whole[:4])))


@given(st.integers(0, 100), st.sampled_from([1, 2, 4, 8]))
def test_the_parts_of_a_batch_make_it(step, parts):
    whole = draws()[8 * step]
    split = list(whole.split(parts))
    assert len(split) == parts
    parted = zip(*(part[:4] for part in split), strict=True)
    assert_same(Batch(*(torch.cat(tensors) for tensors in parted)), whole)


def test_a_set_draws_with_the_seeds_of_the_positions():
    order = DataOrder(24, 3)
    drawn = draws(Noted(), classes=0)[40].x0.reshape(8, 2)
    indices, seeds = order.indices(40, 8), order.seeds(40, 8)
    assert torch.equal(drawn, torch.stack([indices, seeds % 1000], dim=1).float())


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_can_not_be_read_says_so_as_it_is(workers):
    """Not with the traceback of a worker in its sentence."""
    batches = load_ahead(draws(Noted(), classes=0), range(0, 24, 8), workers, PROCESSOR)
    with pytest.raises(ValueError, match=r"^An image is damaged; restore it\.$"):
        list(batches)


def test_flips_and_turns_are_those_of_the_order():
    order = DataOrder(24, 3)
    plain = draws()[40].x0
    flipped, turned = draws(flips=True)[40].x0, draws(turns=True)[40].x0
    coins, quarters = order.flips(40, 8), order.turns(40, 8)
    assert 0 < coins.sum() < 8 and len(quarters.unique()) > 1
    for i in range(8):
        assert torch.equal(flipped[i], plain[i].flip(-1) if coins[i] else plain[i])
        assert torch.equal(turned[i], plain[i].rot90(int(quarters[i]), (-2, -1)))


def test_labels_are_left_out_as_often_as_asked():
    labels = torch.cat([draws()[8 * step].labels for step in range(500)])
    assert float((labels < 0).float().mean()) == pytest.approx(0.3, abs=4 * (0.21 / 4000) ** 0.5)


def test_images_of_global_random_numbers_are_drawn_when_they_are_needed():
    """Beside a step they would take its random numbers."""

    class Restless(Noted):
        uses_global_random = True

        def __init__(self) -> None:
            self.drawn = 0

        def draw(self, indices: Tensor, seeds: Tensor) -> Tensor:
            self.drawn += 1
            return torch.rand(len(indices), 1, 1, 2)

    data = Restless()
    for count, _ in enumerate(load_ahead(draws(data, classes=0), range(0, 24, 8), 0, PROCESSOR)):
        assert data.drawn == count + 1


class Own(Exception):
    """An error that pickle can write and not read."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


class Failing(Noted):
    """Images whose errors are the user's own."""

    def draw(self, indices: Tensor, seeds: Tensor) -> Tensor:
        raise Own("no", "more")


def test_an_error_that_can_not_be_passed_on_is_told_in_words():
    batches = load_ahead(draws(Failing(), classes=0), range(0, 24, 8), 1, PROCESSOR)
    with pytest.raises(ValueError, match=r"^Own: no more$"):
        list(batches)


def test_a_worker_that_is_killed_is_told_in_a_sentence():
    batches = load_ahead(draws(), range(0, 80_000, 8), 1, PROCESSOR)
    told = "reads batches ahead was killed, .* goes on after the last"
    with pytest.raises(OSError, match=told), readers_alive():
        next(batches)
        (worker,) = psutil.Process().children()
        worker.kill()
        list(batches)
