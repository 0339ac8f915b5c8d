"""What the arguments of a training are read as."""

import pytest
import torch

import softdiffusion as sd
from softdiffusion.cli import train
from softdiffusion.cli.recipe import Recipe


class OwnNetwork(torch.nn.Conv2d):
    """Shares an argument's name with SmallUNet, but not its default."""

    def __init__(self, channels: int, width: int = 77) -> None:
        super().__init__(channels, channels, 3, padding=1)
        self.channels = channels
        self.width = width


def backbone(*arguments: str) -> torch.nn.Module:
    parser = train.parser()
    return Recipe(parser, parser.parse_args(["--out", "run", *arguments])).built.backbone


def test_a_network_of_ones_own_keeps_its_defaults():
    network = backbone("--channels", "3", "--backbone", f"{__name__}.OwnNetwork")
    assert (network.channels, network.width) == (3, 77)


def test_the_network_is_a_small_unet_if_none_is_named():
    network = backbone("--channels", "3")
    assert isinstance(network, sd.SmallUNet)
    assert (network.channels, network.width) == (3, 32)


@pytest.mark.parametrize(
    ("part", "default"),
    [("corruption", "softdiffusion.GaussianBlur"), ("preconditioning", "softdiffusion.Residual")],
)
def test_a_part_beside_a_preset_is_refused_even_if_it_is_the_default(part, default):
    parser = train.parser()
    arguments = parser.parse_args(["--out", "run", "--preset", "vp", f"--{part}", default])
    with pytest.raises(ValueError, match=f"brings its {part}, but the recipe names another one"):
        Recipe(parser, arguments)


def test_what_is_left_out_is_blurred_and_predicted_as_residual():
    parser = train.parser()
    built = Recipe(parser, parser.parse_args(["--out", "run"])).built
    assert isinstance(built.corruption, sd.GaussianBlur)
    assert isinstance(built.preconditioning, sd.Residual)
