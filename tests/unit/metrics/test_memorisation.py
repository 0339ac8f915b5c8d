import pytest
import torch

from softdiffusion import data
from softdiffusion.metrics import NearestNeighbours, eight_bit, extractor, memorisation


@pytest.fixture(scope="module")
def training():
    return data.load("digits")


@pytest.fixture(scope="module")
def test_images():
    return data.load("digits", split="test")


def test_nearest_neighbours_are_those_of_the_full_distance_matrix(training, test_images):
    distances, indices = NearestNeighbours(training)(test_images)
    matrix = torch.cdist(test_images.flatten(1).double(), training.flatten(1).double())
    assert torch.equal(indices, matrix.argmin(dim=1))
    torch.testing.assert_close(distances.double(), matrix.min(dim=1).values, atol=1e-5, rtol=1e-5)


def test_a_bank_that_is_looked_through_in_parts_and_kept_in_8_bits():
    """In parts of 2,000 vectors."""
    generator = torch.Generator().manual_seed(0)
    bank = torch.randint(256, (5000, 2000), generator=generator, dtype=torch.uint8)
    queries = bank[torch.tensor([4999, 0, 2500, 1999, 2000])].clone()
    queries[2:, ::3] += 1
    distances, indices = NearestNeighbours(bank)(queries)
    assert indices.tolist() == [4999, 0, 2500, 1999, 2000]
    expected = (queries.double() - bank[indices].double()).norm(dim=1)
    torch.testing.assert_close(distances.double(), expected)
    assert distances[0] == distances[1] == 0


@pytest.mark.parametrize("features", [False, True])
def test_copies_are_all_flagged_and_their_origin_is_found(training, test_images, features):
    chosen = torch.arange(100, 150)
    found = memorisation(
        training[chosen], training, test_images, extractor("digits-8") if features else None
    )
    assert found.share == 1
    assert found.ratio == pytest.approx(0, abs=1e-4)
    assert torch.equal(found.indices, chosen)


def test_real_images_are_not_flagged(training, test_images):
    found = memorisation(test_images[:150], training, test_images[150:])
    assert found.ratio == pytest.approx(1, abs=0.1)
    assert found.share < 0.05
    assert 0.01 <= found.floor < 0.02


def test_the_closest_pairs_come_first(training, test_images):
    images = test_images[:20].clone()
    images[7] = training[3]
    found = memorisation(images, training, test_images)
    samples, partners = found.closest(5)
    assert (samples[0], partners[0]) == (7, 3)
    expected = (eight_bit(images[samples]) - eight_bit(training[partners])).flatten(1).norm(dim=1)
    torch.testing.assert_close(found.distances[samples], expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(expected, expected.sort().values)


def test_shapes_must_agree(training, test_images):
    with pytest.raises(ValueError, match=r"Images have shape \(1, 4, 4\), but training images"):
        memorisation(test_images[:, :, :4, :4], training, test_images)
