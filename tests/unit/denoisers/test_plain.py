"""Torch's own wrappers around denoisers and networks never reach a file."""

import pytest
import torch
from torch import nn

import softdiffusion as sd
from softdiffusion.denoisers.plain import plain
from tests.registry import EXAMPLES, IMAGES, TIMES, process, small_network

# torch.compile imports code of torch that warns.
pytestmark = pytest.mark.filterwarnings("ignore")


def wrapped(kind: str) -> nn.Module:
    denoiser = sd.Denoiser(small_network(), process())
    match kind:
        case "compiled":
            return torch.compile(denoiser)
        case "parallel":
            return nn.DataParallel(denoiser)
        case "both":
            return torch.compile(nn.DataParallel(denoiser))
        case "backbone":
            denoiser.backbone = torch.compile(denoiser.backbone)
        case "layer":
            denoiser.backbone.first = torch.compile(denoiser.backbone.first)
        case "clipped":
            denoiser.backbone = nn.DataParallel(torch.compile(denoiser.backbone))
            return sd.ClippedDenoiser(denoiser)
        case "ema":
            denoiser.backbone = torch.compile(denoiser.backbone)
            return sd.EMA(denoiser)
    return denoiser


@pytest.mark.parametrize(
    "kind", ["compiled", "parallel", "both", "backbone", "layer", "clipped", "ema"]
)
def test_a_wrapped_denoiser_is_saved_as_the_one_within(kind, tmp_path):
    denoiser = wrapped(kind)
    before = list(denoiser.state_dict())
    sd.save(tmp_path / "model", denoiser)
    assert list(denoiser.state_dict()) == before  # the given one stays as it was
    original = sd.Denoiser(small_network(), process())
    loaded, _ = sd.load(tmp_path / "model")
    names = {name.removeprefix("denoiser.") for name in loaded.state_dict()}
    assert names == original.state_dict().keys()
    with torch.no_grad():
        expected = original(IMAGES, TIMES)
        if kind == "clipped":
            expected = expected.clamp(-1, 1)
        assert torch.equal(loaded(IMAGES, TIMES), expected)


def test_what_has_no_wrapper_is_itself():
    for name in ("Denoiser", "GaussianDenoiser", "GuidedDenoiser", "EMA"):
        denoiser = EXAMPLES[name]()
        assert plain(denoiser) is denoiser
