import pytest
import torch
from torch import nn

import softdiffusion as sd

SIZES = [(8, 8), (5, 7), (1, 1), (28, 28), (13, 4), (3, 20)]


def random_network(**options):
    """Layers that start at zero would hide the others."""
    torch.manual_seed(0)
    network = sd.SmallUNet(**options).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
@torch.no_grad()
def test_sizes_and_channels_are_kept(size, channels):
    network = random_network(channels=channels, width=8)
    x = torch.randn(2, channels, *size)
    y = network(x, torch.tensor([0.2, 0.9]))
    assert y.shape == x.shape and y.isfinite().all() and (y != 0).any()


@pytest.mark.parametrize(
    "options",
    [
        {"multipliers": (1,)},
        {"multipliers": (1, 2, 2, 1)},
        {"blocks": 2},
        {"attention": False},
        {"dropout": 0.3},
    ],
)
@torch.no_grad()
def test_every_option_works(options):
    x = torch.randn(2, 1, 9, 6)
    network = random_network(channels=1, width=8, **options)
    assert network(x, torch.tensor([0.2, 0.9])).shape == x.shape


@torch.no_grad()
def test_it_starts_as_zero():
    x = torch.randn(2, 3, 9, 6)
    assert (sd.SmallUNet(channels=3, width=8)(x, torch.tensor([0.2, 0.9])) == 0).all()


def test_every_weight_is_trained():
    network = random_network(channels=2, width=8, multipliers=(1, 2))
    network(torch.randn(2, 2, 5, 6), torch.tensor([0.2, 0.9])).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@torch.no_grad()
def test_the_time_matters_finely_and_every_image_has_its_own():
    network = random_network(channels=1, width=8, multipliers=(1, 2))
    x = torch.randn(1, 1, 8, 8).expand(4, -1, -1, -1)
    y = network(x, torch.tensor([0.0, 0.001, 0.5, 1.0])).flatten(1)
    assert torch.pdist(y).min() > 1e-3 * y.norm(dim=1).max()


@torch.no_grad()
def test_images_do_not_see_each_other():
    network = random_network(channels=1, width=8).double()
    x, t = torch.randn(3, 1, 7, 6).double(), torch.tensor([0.1, 0.5, 0.9]).double()
    together = network(x, t)
    for i in range(3):
        alone = network(x[i : i + 1], t[i : i + 1])
        assert torch.allclose(alone[0], together[i], rtol=1e-10, atol=1e-11)


@torch.no_grad()
def test_dropout_is_for_training_alone():
    network = random_network(channels=1, width=8, dropout=0.5)
    x, t = torch.randn(1, 1, 8, 8), torch.tensor([0.5])
    assert torch.equal(network(x, t), network(x, t))
    network.train()
    assert not torch.equal(network(x, t), network(x, t))


@pytest.mark.parametrize(
    "options",
    [
        {"width": 12},
        {"width": 0},
        {"multipliers": ()},
        {"multipliers": (1, 0)},
        {"blocks": 0},
        {"channels": 0},
    ],
)
def test_impossible_shapes_of_networks_are_refused(options):
    with pytest.raises(ValueError, match="a positive width that is a multiple of 8"):
        sd.SmallUNet(**{"channels": 1} | options)
