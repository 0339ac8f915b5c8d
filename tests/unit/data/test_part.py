import torch

from softdiffusion.data import ArrayImages, Part


def test_a_part_is_the_chosen_images_in_their_order():
    images = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(5, 1, 2, 3)
    data = ArrayImages("five", images, labels=torch.arange(5), classes="abcde", notes=["noted"])
    chosen = torch.tensor([4, 0, 2])
    part = Part(data, chosen)
    assert (len(part), part.shape, part.name) == (3, (1, 2, 3), "five")
    assert (part.classes, part.notes) == (tuple("abcde"), ("noted",))
    assert part.labels is not None
    assert torch.equal(part.labels, chosen)
    assert torch.equal(part.tensor(), data.batch(chosen))
    assert torch.equal(part.batch(torch.tensor([2])), data.batch(torch.tensor([2])))
    seeds = torch.tensor([7])
    assert torch.equal(part.draw(torch.tensor([1]), seeds), data.draw(torch.tensor([0]), seeds))
    assert Part(ArrayImages("five", images), chosen).labels is None


def test_a_part_draws_from_where_its_set_draws():
    class Own(ArrayImages):
        uses_global_random = True

    images = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    assert Part(Own("own", images), torch.tensor([1])).uses_global_random
    assert not Part(ArrayImages("three", images), torch.tensor([1])).uses_global_random
