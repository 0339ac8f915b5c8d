"""Denoisers among what torch does with modules: copies, half precision, graphs, sharding."""

import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import softdiffusion as sd
from softdiffusion.denoisers import compiled
from tests.command import ON_PROCESSOR
from tests.registry import process, randomised

# torch warns of itself where it compiles.
pytestmark = pytest.mark.filterwarnings("ignore")

IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
TIMES = torch.tensor([0.1, 0.4, 0.7, 1.0])
LABELS = torch.tensor([0, 2, -1, 1])


def network(classes: int = 0) -> nn.Module:
    return randomised(sd.SmallUNet(1, width=8, multipliers=(1, 2), classes=classes))


def diffusers() -> nn.Module:
    return randomised(sd.DiffusersUNet(1, 8, width=32, multipliers=(1,), blocks=1, attention=8))


def measured() -> sd.PosteriorDenoiser:
    """One that knows every second row of the images."""
    rows = sd.operators.Matrix(torch.eye(64)[:32], (1, 8, 8), (1, 32))
    seen = rows(IMAGES)
    return sd.PosteriorDenoiser(
        sd.Denoiser(network(), process()), rows, seen, 0.1, torch.ones(1, 8, 8)
    )


DENOISERS = {
    "small": lambda: sd.Denoiser(network(), process()),
    "scaled": lambda: sd.Denoiser(network(), process(), sd.EDM()),
    "diffusers": lambda: sd.Denoiser(diffusers(), process()),
    "classes": lambda: sd.Denoiser(network(3), process()),
    "average": lambda: sd.EMA(sd.Denoiser(network(), process())),
    "clipped": lambda: sd.ClippedDenoiser(sd.Denoiser(network(), process())),
    "guided": lambda: sd.GuidedDenoiser(sd.Denoiser(network(3), process()), 1.5),
    "gaussian": lambda: sd.GaussianDenoiser(process(), torch.zeros(1, 8, 8), torch.ones(1, 8, 8)),
    "posterior": measured,
}

#: The one that asks for a gradient within, which no graph of torch holds.
GRAPHS = [name for name in DENOISERS if name != "posterior"]


def given(denoiser: sd.BaseDenoiser) -> tuple[Tensor, ...]:
    return (IMAGES, TIMES, LABELS) if denoiser.classes else (IMAGES, TIMES)


@pytest.mark.parametrize("name", DENOISERS)
def test_copies_predict_the_same(name):
    denoiser = DENOISERS[name]().eval()
    expected = denoiser(*given(denoiser))
    for copied in (copy.deepcopy(denoiser), pickle.loads(pickle.dumps(denoiser))):
        assert torch.equal(copied(*given(denoiser)), expected)


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_predicts_nearly_the_same(name, dtype):
    denoiser = DENOISERS[name]().eval()
    expected = denoiser(*given(denoiser))
    half = denoiser.half() if dtype == torch.float16 else denoiser.to(dtype)
    predicted = half(*given(denoiser))
    assert predicted.dtype == torch.float32
    # A dozen layers round by up to 2^-8 each.
    assert (predicted - expected).abs().mean() < 0.1 * expected.abs().mean()


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_denoisers_are_one_graph_and_can_be_exported(name):
    """Without a break, or torch would refuse it."""
    denoiser = DENOISERS[name]().eval()
    expected = denoiser(*given(denoiser))
    torch._dynamo.reset()
    graph = torch.compile(denoiser, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(graph(*given(denoiser)), expected)
    exported = torch.export.export(denoiser, given(denoiser)).module()
    torch.testing.assert_close(exported(*given(denoiser)), expected)


@pytest.fixture
def alone() -> Iterator[None]:
    """A group of one process."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("name", ["small", "diffusers"])
def test_a_denoiser_trains_in_distributed_data_parallel(name):
    denoiser = DENOISERS[name]()
    alone = gradients(copy.deepcopy(denoiser))
    parallel = DistributedDataParallel(denoiser)
    assert torch.equal(parallel(IMAGES, TIMES), denoiser(IMAGES, TIMES))
    gradients(parallel)
    for parameter, gradient in zip(denoiser.parameters(), alone, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.usefixtures("alone")
@pytest.mark.filterwarnings("error:FSDP2-wrapped module")
@pytest.mark.parametrize("name", ["small", "diffusers"])
def test_a_denoiser_trains_and_samples_fully_sharded(name):
    sharded_as_plain(name)


def sharded_as_plain(name: str) -> None:
    """Shards a denoiser over the processes, and compares with what it was."""
    denoiser = DENOISERS[name]()
    plain = copy.deepcopy(denoiser)
    mesh = init_device_mesh("cpu", (distributed.get_world_size(),))
    fully_shard(denoiser.backbone, mesh=mesh)
    fully_shard(denoiser, mesh=mesh)
    assert isinstance(denoiser, sd.Denoiser)
    torch.testing.assert_close(denoiser(IMAGES, TIMES), plain(IMAGES, TIMES))
    for shard, gradient in zip(gradients(denoiser), gradients(plain), strict=True):
        torch.testing.assert_close(shard.full_tensor(), gradient, rtol=1e-4, atol=1e-6)
    sampled = [
        sd.MultistepSampler(process(), one, steps=2)(IMAGES, torch.Generator().manual_seed(0))
        for one in (denoiser, plain)
    ]
    torch.testing.assert_close(sampled[0], sampled[1])
    whole = {key: value.full_tensor() for key, value in denoiser.state_dict().items()}
    plain.load_state_dict(whole)


def gradients(denoiser: nn.Module) -> list[Tensor]:
    """Those of a loss on the same images in every process."""
    noise = torch.randn(IMAGES.shape, generator=torch.Generator().manual_seed(1))
    sd.StepMatched(10)(process(), denoiser, IMAGES, TIMES, noise).mean().backward()
    return [parameter.grad for parameter in denoiser.parameters()]


@pytest.mark.slow
def test_two_processes_share_the_weights_of_a_denoiser():
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    root = Path(__file__).parents[3]
    paths = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [*launcher, __file__],
        capture_output=True,
        text=True,
        timeout=240,
        env=ON_PROCESSOR | {"PYTHONPATH": paths},
    )
    assert ended.returncode == 0, ended.stderr


# Compiled networks


@pytest.mark.slow
def test_compiled_networks_predict_the_same_to_rounding(tmp_path):
    """By inductor, in batches of two sizes; the gradients, too, and what was saved."""
    torch._dynamo.reset()
    denoiser = DENOISERS["small"]()
    fast = compiled(copy.deepcopy(denoiser))
    for count in (4, 3):
        torch.testing.assert_close(
            fast(IMAGES[:count], TIMES[:count]), denoiser(IMAGES[:count], TIMES[:count])
        )
    for gradient, expected in zip(gradients(fast), gradients(denoiser), strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)
    assert fast.state_dict().keys() == denoiser.state_dict().keys()
    sd.save(tmp_path / "model", fast)
    loaded, _ = sd.load(tmp_path / "model")
    assert torch.equal(loaded(IMAGES, TIMES), denoiser(IMAGES, TIMES))
    average = sd.EMA(fast)
    average.update(fast)
    assert torch.equal(average(IMAGES, TIMES), denoiser(IMAGES, TIMES))
    torch.testing.assert_close(compiled(average)(IMAGES, TIMES), denoiser(IMAGES, TIMES))


@pytest.mark.parametrize("name", ["small", "average", "clipped", "guided", "posterior"])
def test_the_network_is_found_wherever_it_is(name):
    denoiser = DENOISERS[name]()
    names = list(denoiser.state_dict())
    assert compiled(denoiser) is denoiser
    within = [part for part in denoiser.modules() if isinstance(part, sd.Denoiser)]
    assert [part.backbone._compiled_call_impl is None for part in within] == [False]
    assert list(denoiser.state_dict()) == names


def test_what_has_no_network_is_not_compiled():
    with pytest.raises(ValueError, match="no network to compile in a GaussianDenoiser"):
        compiled(DENOISERS["gaussian"]())


def test_a_compiler_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ValueError, match="takes a C\\+\\+ compiler; install g\\+\\+"):
        compiled(DENOISERS["small"]())


if __name__ == "__main__":
    distributed.init_process_group("gloo")
    sharded_as_plain("small")
    distributed.destroy_process_group()
