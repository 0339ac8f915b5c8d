"""What holds for every preset."""

from dataclasses import FrozenInstanceError

import pytest
import torch

import softdiffusion as sd
from softdiffusion.configuration import from_config, to_config
from softdiffusion.presets import PRESETS, Preset
from tests.registry import small_network

# torch's forward-mode derivatives warn about a part of torch itself.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

X0 = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
NOISE = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
T = torch.tensor([0.1, 0.6, 1.0])

every_preset = pytest.mark.parametrize("name", PRESETS)


def test_presets_go_by_the_names_of_their_functions():
    for name, preset in PRESETS.items():
        assert getattr(sd.presets, name) is preset
    with pytest.raises(FrozenInstanceError):
        sd.presets.vp().notes = ""


@every_preset
def test_a_preset_says_where_it_comes_from_and_what_was_chosen(name):
    preset = PRESETS[name]()
    assert "arXiv" in preset.source
    assert preset.notes.endswith(".")


@every_preset
def test_its_parts_survive_saving(name):
    preset = PRESETS[name]()
    config, tensors = to_config([preset.process, preset.objective, preset.preconditioning])
    process, objective, preconditioning = from_config(config, tensors)
    assert torch.equal(process.perturb(X0, T, NOISE), preset.process.perturb(X0, T, NOISE))
    denoiser, copy = (
        preset.denoiser(small_network()),
        Preset(process, objective, preconditioning, preset.sampler, "", "").denoiser(
            small_network()
        ),
    )
    with torch.no_grad():
        loss = preset.objective(preset.process, denoiser, X0, T, NOISE)
        assert torch.equal(objective(process, copy, X0, T, NOISE), loss)


@every_preset
def test_it_trains_a_network(name):
    preset = PRESETS[name]()
    denoiser = preset.denoiser(small_network())
    loss = preset.objective(preset.process, denoiser, X0, T, NOISE)
    assert loss.shape == (3,)
    loss.mean().backward()
    for parameter in denoiser.parameters():
        if parameter.grad is not None:
            assert parameter.grad.isfinite().all()
    assert any((p.grad != 0).any() for p in denoiser.parameters() if p.grad is not None)


@every_preset
@pytest.mark.parametrize("options", [{"steps": 4}, {"times": [1.0, 0.7, 0.1]}])
def test_it_samples_with_a_network(name, options):
    preset = PRESETS[name]()
    x1 = preset.process.perturb(X0, 1.0, NOISE)
    sampler = preset.sampler(preset.denoiser(small_network()), clip=(-1, 1), **options)
    images = sampler(x1, torch.Generator().manual_seed(0))
    assert images.shape == X0.shape
    assert images.isfinite().all()


@every_preset
def test_the_details_are_lost_at_last(name):
    """At t = 1 the details of the image are lost: what is left says little of a checkerboard."""
    process = PRESETS[name]().process
    board = torch.ones(1, 1, 64, 64)
    board[..., ::2, 1::2] = board[..., 1::2, ::2] = -1
    hidden = process.operator(1.0)(board).square().mean().sqrt() / max(1, process.sigma(1.0))
    kept = {"cold_inpainting": 1.0}  # its masks leave the corners
    assert hidden < kept.get(name, 0.05)
