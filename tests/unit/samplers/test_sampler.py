import math
from dataclasses import FrozenInstanceError
from itertools import pairwise

import pytest
import torch
from torch import Tensor

import softdiffusion as sd
from softdiffusion.samplers import Step
from softdiffusion.schedules import Constant, Linear, geometric, linear
from tests.registry import class_denoiser

SHAPE = (1, 6, 5)
SAMPLERS = {
    "Naive": {},
    "Momentum": {},
    "Bridge": {},
    "Ancestral": {},
    "Deterministic": {},
    "ProbabilityFlow": {},
    "Heun": {},
    "Karras": {},
    "Nu": {"nu": 0.5},
    "Multistep": {},
}
EXACT_AND_SILENT = ["Deterministic", "Heun", "Karras", "Multistep", "Nu"]

every_sampler = pytest.mark.parametrize("name", SAMPLERS)
both_ends = pytest.mark.parametrize("final", ["x0_hat", "sigma_min"])


def blur() -> sd.SoftDiffusion:
    return sd.SoftDiffusion(sd.GaussianBlur(), geometric((0.2, 3.0), (0.02, 0.2)))


def rectified_flow() -> sd.SoftDiffusion:
    return sd.SoftDiffusion(sd.Scaling(), linear((0, 1), (0, 1)))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def gaussian(process: sd.SoftDiffusion) -> sd.GaussianDenoiser:
    return sd.GaussianDenoiser(process, 0.3 * normal(*SHAPE), 0.1 + normal(*SHAPE) ** 2)


def build(name: str, process: sd.SoftDiffusion, denoiser=None, **options) -> sd.Sampler:
    denoiser = denoiser or gaussian(process)
    return getattr(sd, f"{name}Sampler")(process, denoiser, **(SAMPLERS[name] | options))


class Counter(sd.BaseDenoiser):
    """Counts and times the calls of another denoiser."""

    def __init__(self, denoiser: sd.BaseDenoiser) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.process = denoiser.process
        self.times: list[float] = []

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        self.times.append(float(t))
        return self.denoiser(x_t, t)


class Fixed(sd.BaseDenoiser):
    """Always predicts the same image."""

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self.image = image

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        return self.image.expand_as(x_t)


class Recorder(sd.Sampler):
    """Keeps all noise that it draws."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.drawn: list[Tensor] = []

    def step(self, x_t, x0_hat, hop, noise):
        self.drawn.append(noise())
        return x_t + 0.1 * self.drawn[-1]


# The grid


def test_with_final_x0_hat_the_calls_reach_from_1_to_0():
    assert build("Momentum", blur(), steps=5).grid == [1, 0.75, 0.5, 0.25, 0]


def test_without_noise_at_the_clean_end_no_call_is_wasted_there():
    assert build("Momentum", rectified_flow(), steps=4).grid == [1, 0.75, 0.5, 0.25]
    grid = build("Multistep", rectified_flow(), steps=4).grid
    assert grid == pytest.approx([1, 1 - 7 / 24, 1 - 14 / 24, 1 / 8])


@pytest.mark.parametrize("final", ["x0_hat", "sigma_min"])
def test_a_shift_makes_the_steps_longer_at_small_times(final):
    even = build("Momentum", blur(), steps=6, final=final).grid
    shifted = build("Momentum", blur(), steps=6, final=final, shift=3.0).grid
    assert shifted == pytest.approx([3 * u / (1 + 2 * u) for u in even])
    assert (shifted[0], shifted[-1]) == (1, 0)
    lengths = [t - s for t, s in pairwise(shifted)]
    assert all(a < b for a, b in pairwise(lengths))
    back = build("Momentum", blur(), times=shifted, final=final, shift=3.0).grid
    assert back == shifted


@pytest.mark.parametrize("shift", [0.0, -1.0, math.inf, math.nan])
def test_impossible_shifts(shift):
    with pytest.raises(ValueError, match="shift of the times must be finite and > 0"):
        build("Momentum", blur(), shift=shift)


def test_with_final_sigma_min_the_grid_has_a_time_more_than_calls():
    sampler = build("Momentum", blur(), steps=4, final="sigma_min")
    assert sampler.grid == [1, 0.75, 0.5, 0.25, 0]


@every_sampler
@both_ends
@pytest.mark.parametrize("process", [blur, rectified_flow])
@pytest.mark.parametrize("grid", [{"steps": 1}, {"steps": 4}, {"times": (0.9, 0.5, 0.1)}])
def test_nfe_is_the_number_of_network_calls(name, final, process, grid):
    denoiser = Counter(gaussian(process()))
    sampler = build(name, process(), denoiser, final=final, **grid)
    sampler(normal(2, *SHAPE))
    assert len(denoiser.times) == sampler.nfe
    if name not in ("Heun", "Karras") and "steps" in grid:
        assert sampler.nfe == grid["steps"]


@both_ends
def test_the_network_is_called_at_the_times_of_the_grid(final):
    times = [0.7, 0.4, 0.35, 0.1]
    denoiser = Counter(gaussian(blur()))
    build("Bridge", blur(), denoiser, times=times, final=final)(normal(2, *SHAPE))
    assert denoiser.times == (times if final == "x0_hat" else times[:-1])


def test_one_step_is_one_prediction():
    x1 = normal(3, *SHAPE)
    expected = gaussian(blur())(x1, torch.tensor(1.0))
    for name in SAMPLERS:
        torch.testing.assert_close(build(name, blur(), steps=1)(x1), expected)


# The end


def test_starts_on_another_device_are_refused():
    elsewhere = sd.Denoiser(sd.SmallUNet(1, 8, (1,)), blur()).to("meta")
    with pytest.raises(ValueError, match=r"lie on cpu, but the network on meta; move one of them"):
        build("Naive", blur(), elsewhere, steps=2)(normal(2, 1, 8, 8))


@pytest.mark.parametrize("name", EXACT_AND_SILENT)
def test_many_steps_with_a_frozen_prediction_are_one_big_step(name):
    options = {"nu": 0.0} if name == "Nu" else {}
    x1, image = normal(2, *SHAPE).double(), normal(*SHAPE, seed=1).double()
    process = blur()
    sampler = build(
        name, process, Fixed(image), times=[1.0, 0.6, 0.5, 0.2], final="sigma_min", **options
    )
    hop = process.transition(1.0, 0.2)
    big_step = hop.C_s(image[None]) + hop.sigma_s / hop.sigma_t * (x1 - hop.C_t(image[None]))
    torch.testing.assert_close(sampler(x1), big_step)


@every_sampler
def test_rectified_flow_runs_to_t_0(name):
    process = rectified_flow()
    denoiser = gaussian(process)
    x1 = normal(4, *SHAPE)
    seen: list[Step] = []
    images = build(name, process, denoiser, steps=6, final="sigma_min")(
        x1, sd.generators(0, range(4)), seen.append
    )
    assert images.isfinite().all()
    last = seen[-1].x0_hat
    if name in ("Momentum", "ProbabilityFlow"):  # their last step leaves noise
        assert not torch.allclose(images, last, atol=1e-3)
    else:
        torch.testing.assert_close(images, last)


def draws(name: str, process: sd.SoftDiffusion, t: float, s: float) -> bool:
    """Whether a step from t to s moves the generator."""
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    sampler = build(name, process, times=[t, s], final="sigma_min")
    assert sampler(normal(2, *SHAPE), generator).isfinite().all()
    return not torch.equal(generator.get_state(), before)


@every_sampler
def test_noise_is_drawn_only_where_a_step_adds_some(name):
    steady = sd.SoftDiffusion(sd.GaussianBlur(), sd.Schedule(Linear(0.0, 0.5), Constant(0.1)))
    silent = sd.SoftDiffusion(sd.GaussianBlur(), sd.Schedule(Linear(0.0, 0.5), Constant(0.0)))
    stochastic = name in ("Naive", "Momentum", "Bridge", "Ancestral", "Nu")
    assert draws(name, blur(), 0.8, 0.4) == stochastic
    assert draws(name, steady, 0.8, 0.4) == (name in ("Naive", "Ancestral"))
    assert draws(name, rectified_flow(), 0.4, 0.0) == (name == "Momentum")
    assert not draws(name, silent, 0.8, 0.4)


# Randomness


@every_sampler
def test_an_image_is_the_same_at_any_batch_size(name):
    """With a network, whose sums depend on the batch."""
    process = blur()
    network = sd.SmallUNet(channels=1, width=8, multipliers=(1, 2))
    for parameter in network.parameters():
        parameter.data = 0.2 * normal(*parameter.shape)
    sampler = build(name, process, sd.Denoiser(network, process).eval(), steps=4, clip=(-1, 1))
    x1 = normal(16, *SHAPE)
    together = sampler(x1, sd.generators(0, range(16)))
    chunks = sampler(x1, sd.generators(0, range(16)), batch_size=5)
    alone = torch.cat([sampler(x1[i : i + 1], sd.generators(0, [i])) for i in range(16)])
    torch.testing.assert_close(chunks, together, rtol=0, atol=1e-4)
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-4)
    assert together.std() > 0.01


def test_the_noise_is_bit_identical_at_any_batch_size():
    def noise(batch_size: int) -> Tensor:
        sampler = Recorder(blur(), gaussian(blur()), steps=4)
        sampler(normal(16, *SHAPE), sd.generators(0, range(16)), batch_size=batch_size)
        batches = [torch.stack(sampler.drawn[i : i + 3]) for i in range(0, len(sampler.drawn), 3)]
        return torch.cat(batches, dim=1)

    together = noise(16)
    assert together.shape == (3, 16, *SHAPE)
    assert len(together.flatten(0, 1).unique(dim=0)) == 48  # never the same twice
    for batch_size in (1, 5, 100):
        assert torch.equal(noise(batch_size), together)


def test_one_generator_repeats_itself_and_moves_on():
    sampler = build("Momentum", blur(), steps=3)
    x1 = normal(4, *SHAPE)
    generator = torch.Generator().manual_seed(1)
    first, second = sampler(x1, generator), sampler(x1, generator)
    assert torch.equal(first, sampler(x1, torch.Generator().manual_seed(1)))
    assert not torch.equal(first, second)


# What can be watched


@every_sampler
@both_ends
def test_the_last_frame_of_the_trajectory_is_the_output(name, final):
    sampler = build(name, blur(), steps=5, final=final)
    x1 = normal(3, *SHAPE)
    frames = sampler.trajectory(x1, sd.generators(0, range(3)))
    assert frames.shape == (6, 3, *SHAPE)
    assert torch.equal(frames[0], x1)
    assert torch.equal(frames[-1], sampler(x1, sd.generators(0, range(3))))


def test_a_callback_sees_times_states_and_predictions():
    seen: list[Step] = []
    process = blur()
    images = build("Bridge", process, steps=4)(
        normal(5, *SHAPE), callback=seen.append, batch_size=3
    )
    assert [step.index for step in seen] == [0, 1, 2, 3] * 2
    assert [step.t for step in seen[:4]] == pytest.approx([1, 2 / 3, 1 / 3, 0])
    for step in seen:
        expected = gaussian(process)(step.x_t, torch.tensor(step.t))
        torch.testing.assert_close(step.x0_hat, expected)
    assert torch.equal(images, torch.cat([seen[3].x0_hat, seen[7].x0_hat]))
    with pytest.raises(FrozenInstanceError):
        seen[0].t = 0.0


def test_the_progress_bar_counts_the_calls_of_all_batches(capsys):
    sampler = build("Heun", blur(), steps=4, progress=True)
    sampler(normal(5, *SHAPE), batch_size=3)
    assert f"{2 * sampler.nfe}/{2 * sampler.nfe}" in capsys.readouterr().err


def test_without_progress_nothing_is_printed(capsys):
    build("Heun", blur(), steps=4)(normal(5, *SHAPE))
    assert capsys.readouterr() == ("", "")


# The prediction


def test_every_prediction_is_clipped():
    seen: list[Step] = []
    sampler = build("Heun", blur(), steps=4, clip=(-0.1, 0.2))
    images = sampler(3 * normal(4, *SHAPE), callback=seen.append)
    for x0_hat in (images, *(step.x0_hat for step in seen)):
        assert x0_hat.min() == pytest.approx(-0.1)
        assert x0_hat.max() == pytest.approx(0.2)


def test_no_graph_is_recorded_and_the_mode_is_left_alone():
    process = blur()
    denoiser = sd.Denoiser(sd.SmallUNet(channels=1, width=8, multipliers=(1, 2)), process)
    for training in (True, False):
        denoiser.train(training)
        assert not build("Multistep", process, denoiser, steps=2)(normal(2, *SHAPE)).requires_grad
        assert denoiser.training == training


@every_sampler
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_images_have_the_type_of_the_starts(name, dtype):
    images = build(name, blur(), Fixed(normal(*SHAPE).to(dtype)), steps=3, final="sigma_min")(
        normal(2, *SHAPE).to(dtype), sd.generators(0, range(2))
    )
    assert images.dtype == dtype


def test_any_number_of_channels_and_axes():
    for shape in ((3, 4, 6), (2, 7), (1, 3, 4, 5)):
        denoiser = sd.GaussianDenoiser(blur(), torch.zeros(shape), torch.ones(shape))
        for name in SAMPLERS:
            assert build(name, blur(), denoiser, steps=3)(normal(2, *shape)).shape == (2, *shape)


# What can't be sampled


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "at least 1, but is 0"),
        ({"times": [0.5, 0.6]}, "must descend within [0, 1], but are [0.5, 0.6]"),
        ({"times": [0.5, 0.5]}, "must descend"),
        ({"times": [1.1, 0.5]}, "within [0, 1]"),
        ({"times": [0.5, -0.1]}, "within [0, 1]"),
        ({"times": [0.5, float("nan")]}, "within [0, 1]"),
        ({"times": []}, "at least 1 times are needed"),
        ({"times": [0.5], "final": "sigma_min"}, "at least 2 times are needed"),
        ({"final": "x0"}, "but is 'x0'"),
        ({"clip": (1.0, -1.0)}, "(low, high), but is (1.0, -1.0)"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(ValueError) as error:
        build("Momentum", blur(), **options)
    assert message in str(error.value)


@pytest.mark.parametrize("nu", [-0.1, 1.1, float("nan")])
def test_an_impossible_share_of_new_noise(nu):
    with pytest.raises(ValueError, match=r"nu must be in \[0, 1\]"):
        build("Nu", blur(), nu=nu)


@pytest.mark.parametrize(
    ("x1", "message"),
    [
        (torch.full((2, *SHAPE), float("nan")), "60 of its 60 entries are NaN"),
        (torch.zeros(6, 5), "batch (B, C, ...)"),
        (torch.zeros(0, *SHAPE), "batch (B, C, ...)"),
        (torch.zeros(2, *SHAPE, dtype=torch.long), "real numbers"),
    ],
)
def test_impossible_starts(x1, message):
    with pytest.raises(ValueError) as error:
        build("Momentum", blur())(x1)
    assert message in str(error.value)


@pytest.mark.parametrize("count", [0, 3, 5])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_a_wrong_number_of_generators(count, batch_size):
    with pytest.raises(ValueError, match=f"4 images need 4 generators, but {count} were given"):
        build("Deterministic", blur())(
            normal(4, *SHAPE), sd.generators(0, range(count)), batch_size=batch_size
        )


def test_an_impossible_batch_size():
    with pytest.raises(ValueError, match="batch size must be at least 1, but is 0"):
        build("Momentum", blur())(normal(4, *SHAPE), batch_size=0)


def test_a_denoiser_that_changes_the_shape():
    class Cropping(Fixed):
        def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
            return x_t[..., :1]

    with pytest.raises(ValueError, match=r"\(2, 1, 6, 5\), but Cropping returned \(2, 1, 6, 1\)"):
        build("Momentum", blur(), Cropping(normal(*SHAPE)))(normal(2, *SHAPE))


def test_the_grid_descends():
    for steps in (1, 7, 1000):
        grid = build("Momentum", blur(), steps=steps, final="sigma_min").grid
        assert all(t > s for t, s in pairwise(grid))
        assert (grid[0], grid[-1]) == (1, 0)


@pytest.mark.parametrize("name", ["MultistepSampler", "HeunSampler", "MomentumSampler"])
def test_classes_go_with_their_images_through_all_batches(name):
    sampler = getattr(sd, name)(blur(), class_denoiser(), steps=3)
    labels = torch.tensor([0, 1, 2, -1, 0])
    x1, noise = normal(5, 1, 6, 5), sd.generators(0, range(5))
    together = sampler(x1, noise, labels=labels)
    chunks = sampler(x1, sd.generators(0, range(5)), batch_size=2, labels=labels)
    torch.testing.assert_close(chunks, together, atol=1e-4, rtol=1e-4)
    for index in range(5):
        alone = sampler(
            x1[index : index + 1], sd.generators(0, [index]), labels=labels[index : index + 1]
        )
        torch.testing.assert_close(alone[0], together[index], atol=1e-4, rtol=1e-4)
    free = sampler(x1, sd.generators(0, range(5)))
    torch.testing.assert_close(free[3], together[3], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(free[:3], together[:3], atol=1e-2)


def test_labels_that_do_not_fit_the_images():
    sampler = sd.MultistepSampler(blur(), class_denoiser(), steps=2)
    with pytest.raises(ValueError, match="2 images need 2 labels"):
        sampler(normal(2, 1, 6, 5), labels=torch.tensor([0]))
