import pytest
import torch

from softdiffusion.denoisers import DiffusersUNet

pytest.importorskip("diffusers", reason="the extra 'diffusers' is not installed")

CASES = [(1, 28), (3, 16), (2, (9, 14))]


def build(channels, size, skip):
    torch.manual_seed(0)
    return DiffusersUNet(channels, size, width=32, multipliers=(1, 2), blocks=1, skip=skip).eval()


def batch(channels, size, count=2):
    height, width = (size, size) if isinstance(size, int) else size
    return torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(("channels", "size"), CASES)
def test_shape_time_and_gradients(channels, size, skip):
    unet = build(channels, size, skip)
    x = batch(channels, size).requires_grad_()
    y = unet(x, torch.tensor([0.2, 0.7]))
    assert y.shape == x.shape
    later = unet(x, torch.tensor([0.3, 0.7]))
    change = (later - y).detach().flatten(1).norm(dim=1) / y.detach().flatten(1).norm(dim=1)
    assert change[0] > 0.05 and change[1] < 1e-5
    y.square().sum().backward()
    assert x.grad is not None and (x.grad != 0).all()
    for name, parameter in unet.named_parameters():
        # A bias just before a normalisation, and the key's bias, cancel exactly.
        assert parameter.grad is not None, name
        if parameter.ndim > 1:
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("skip", [False, True])
def test_a_loaded_state_gives_the_same_output(skip):
    unet, other = build(1, 16, skip), build(1, 16, skip)
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    x, t = batch(1, 16), torch.tensor([0.2, 0.7])
    assert not torch.equal(unet(x, t), other(x, t))
    other.load_state_dict(unet.state_dict())
    assert torch.equal(unet(x, t), other(x, t))


def test_another_size_than_announced_is_accepted():
    unet = build(1, 16, skip=True)
    assert unet(batch(1, (12, 10)), torch.tensor([0.2, 0.7])).shape == (2, 1, 12, 10)


@pytest.mark.parametrize(
    ("size", "attention", "expected"),
    [
        (64, 16, [False, False, True, False]),
        (32, 16, [False, True, False, False]),
        (28, 16, [False, True, False, False]),  # padded to 32
        ((64, 20), 16, [False, False, True, False]),
        (8, 16, [True, False, False, False]),
        (64, None, [False, False, False, False]),
    ],
)
def test_the_level_with_attention(size, attention, expected):
    unet = DiffusersUNet(
        1, size, width=32, multipliers=(1, 1, 1, 1), blocks=1, attention=attention, skip=True
    ).unet
    assert [hasattr(block, "attentions") for block in unet.down_blocks] == expected
    assert [hasattr(block, "attentions") for block in unet.up_blocks] == expected[::-1]


def test_ncsnpp_has_the_size_that_its_authors_state():
    with torch.device("meta"):
        unet = DiffusersUNet.ncsnpp(3, 64)
    assert (unet.width, unet.multipliers, unet.blocks) == (128, (1, 2, 2, 2), 4)
    assert (unet.attention, unet.dropout, unet.skip) == (16, 0.1, True)
    assert sum(p.numel() for p in unet.parameters()) == pytest.approx(61.8e6, rel=0.01)
    assert {m.p for m in unet.modules() if isinstance(m, torch.nn.Dropout)} >= {0.1}


@pytest.mark.parametrize("arguments", [{"width": 48}, {"width": 0}, {"multipliers": ()}])
def test_widths_that_can_not_be_normalised_in_groups_are_refused(arguments):
    with pytest.raises(ValueError, match="multiple of 32"):
        DiffusersUNet(1, 16, **arguments)
