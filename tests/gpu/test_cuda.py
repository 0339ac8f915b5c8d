"""On a GPU everything computes what it computes on the processor."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import softdiffusion as sd
import tests.registry as registry
from softdiffusion.cli.main import main
from softdiffusion.training import TrainingOptions
from tests.command import TINY

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")

BATCH = ("IMAGES", "NOISE", "TIMES", "LINES")

#: Parts that compute by themselves, for the others are only functions of these.
NAMES = [name for name in registry.EXAMPLES if name not in ("Wasserstein", "Selection")]


@pytest.fixture(autouse=True)
def full_precision():
    """Convolutions round to 10 bits on many GPUs unless told not to."""
    allowed = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = allowed


@pytest.fixture
def on_gpu(monkeypatch):
    """Lays the registry's batch on the GPU."""

    def move() -> None:
        for name in BATCH:
            monkeypatch.setattr(registry, name, getattr(registry, name).cuda())

    return move


def assert_same(found: Tensor, expected: Tensor) -> None:
    scale = float(expected.abs().max())
    torch.testing.assert_close(found.cpu(), expected, rtol=0, atol=1e-4 * max(scale, 1.0))


@pytest.mark.parametrize("name", NAMES)
def test_every_part(name, on_gpu):
    expected = registry.output(registry.EXAMPLES[name]())
    on_gpu()
    part = registry.EXAMPLES[name]()
    found = registry.output(part.cuda() if isinstance(part, nn.Module) else part)
    assert isinstance(part, sd.Prior) or found.is_cuda
    assert_same(found, expected)


@pytest.mark.parametrize("name", ["GaussianPrior", "MixturePrior", "DataPrior"])
def test_priors_draw_the_same_start(name):
    prior = registry.EXAMPLES[name]()
    noise = [sd.generators(0, range(5)) for _ in range(2)]
    drawn = prior.sample(5, noise[0], device="cuda")
    assert drawn.is_cuda
    assert_same(drawn, prior.sample(5, noise[1]))


def test_classes_and_guidance(on_gpu):
    guided = sd.GuidedDenoiser(registry.class_denoiser(), scale=2.0)
    labels = torch.tensor([0, 2, -1])
    sampler = sd.MultistepSampler(guided.process, guided, steps=3)
    noise = registry.NOISE
    expected = sampler(noise, labels=labels)
    guided.cuda()
    assert_same(sampler(noise.cuda(), labels=labels), expected)
    assert_same(sampler(noise.cuda(), labels=labels.cuda()), expected)


@pytest.mark.filterwarnings("ignore:1 image|[0-9]+ images:UserWarning")  # noise is no photograph
@pytest.mark.parametrize("known", ["severity", "noise", "operator"])
def test_restoration(known, on_gpu):
    def restored() -> Tensor:
        denoiser, x = registry.gaussian_denoiser(), registry.IMAGES
        y = denoiser.process.corruption.at(1.0)(x) + 0.05 * registry.NOISE
        how: dict = {"severity": {"severity": 1.0}, "noise": {"data": x}}.get(known, {})
        if known == "operator":
            y = registry.every_third()(x)
            how = {"operator": registry.every_third(), "data": x}
        noise = sd.generators(0, range(len(x)))
        return sd.restore(denoiser, y, sigma_y=0.05, generator=noise, **how).samples

    expected = restored()
    on_gpu()
    found = restored()
    assert found.is_cuda
    assert_same(found, expected)


def trained(out: Path, device: str, precision: str = "no") -> list[float]:
    """The losses of a few steps of the same training."""
    network = registry.small_network()
    denoiser = sd.Denoiser(network, registry.process())
    options = TrainingOptions(batch_size=16, warmup=0, log_every=16, precision=precision)
    data = sd.data.load("digits")[:64]
    sd.train(data, denoiser, sd.StepMatched(5), 128, out=out, options=options, progress=False)
    assert next(denoiser.parameters()).device.type == device
    rows = (out / "stats.jsonl").read_text().splitlines()
    return [json.loads(row)["loss"] for row in rows]


def test_a_training_sees_the_same_losses(tmp_path, monkeypatch):
    found = trained(tmp_path / "gpu", "cuda")
    with monkeypatch.context() as patch:
        from accelerate.state import PartialState

        PartialState._reset_state()
        patch.setattr(torch.accelerator, "is_available", lambda: False)
        expected = trained(tmp_path / "cpu", "cpu")
        PartialState._reset_state()
    assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision(precision, tmp_path):
    whole = trained(tmp_path / "whole", "cuda")
    half = trained(tmp_path / "half", "cuda", precision)
    assert half == pytest.approx(whole, rel=0.1)


def test_the_commands(tmp_path):
    """Images from the GPU are those of the processor, up to the rounding to 8 bits."""
    run = tmp_path / "run"
    main([*TINY.split(), "--out", str(run)])
    for device in ("cuda", "cpu"):
        out = str(tmp_path / device)
        main(f"sample --model {run} --out {out} --count 20 --device {device}".split())
        main(f"evaluate --model {run} --out {out} --count 20 --device {device}".split())
    gpu, cpu = (
        sd.data.open(f"folder:{tmp_path / device / 'images'}", channels=1).tensor()
        for device in ("cuda", "cpu")
    )
    assert (gpu - cpu).abs().max() <= 1.01 * 2 / 255
