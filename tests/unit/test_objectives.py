import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import softdiffusion as sd
from softdiffusion import schedules

# torch's forward-mode derivatives, which DriftMatched uses, warn about a part of torch itself.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

PROCESSES = {
    "blur": sd.SoftDiffusion(sd.GaussianBlur(), schedules.geometric((0.2, 3.0), (0.02, 0.4))),
    "mask": sd.SoftDiffusion(sd.FadingMask(), schedules.linear((0.1, 4.0), (0.1, 0.5))),
    "vp": sd.SoftDiffusion(sd.Scaling(), schedules.vp()),
    "matrix": sd.SoftDiffusion(
        sd.MatrixFamily(torch.arange(400.0).reshape(20, 20).sin().double() / 5),
        schedules.linear((0, 1), (0.1, 0.5)),
    ),
    "constant noise": sd.SoftDiffusion(sd.GaussianBlur(), schedules.linear((0, 3), (0.2, 0.2))),
}
COLD = sd.SoftDiffusion(sd.GaussianBlur(), schedules.linear((0, 3), (0, 0)))
every_process = pytest.mark.parametrize("name", PROCESSES)

OBJECTIVES = [
    sd.SoftScoreMatching(),
    sd.SoftScoreMatching("1"),
    sd.CleanRegression(),
    sd.CleanRegression("l1"),
    sd.DenoisingScoreMatching(),
    sd.LookAhead(5),
    sd.StepMatched(5),
    sd.StepMatched(5, soft_share=0.3),
    sd.DriftMatched(),
]


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def times(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.05 + 0.95 * torch.rand(count, generator=generator, dtype=torch.float64)


X0, NOISE, ERROR = normal(6, 1, 5, 4), normal(6, 1, 5, 4, seed=1), normal(6, 1, 5, 4, seed=2)
T = times(6)


def wrong_by(error: Tensor):
    """A predictor whose error is known."""
    return lambda x_t, t: X0 + error


def losses(objective, process, error=ERROR, t=T):
    return objective(process, wrong_by(error), X0, t, NOISE)


def mean_square(x: Tensor) -> Tensor:
    return x.square().flatten(1).mean(1)


class Network(nn.Module):
    """A small network with the signature of a denoiser."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Linear(21, 16), nn.Tanh(), nn.Linear(16, 20)).double()

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        features = torch.cat([x_t.flatten(1), t[:, None]], dim=1)
        return x_t + self.layers(features).reshape(x_t.shape)

    def gradient(self, loss: Tensor) -> Tensor:
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, self.parameters())])


@every_process
@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_soft_score_matching_has_the_gradient_of_denoising_score_matching(name, seed):
    """DSM written out: the score of the network against the score of q(x_t | x_0)."""
    process, network, t = PROCESSES[name], Network(), times(6, seed)
    noise = normal(*X0.shape, seed=seed)
    soft = sd.soft_score_matching(process, network, X0, t, noise)

    sigma = process.sigma(t)[:, None, None, None]
    x_t = process.perturb(X0, t, noise)
    score = process.score(x_t, t, network(x_t, t))
    written_out = mean_square(sigma * (score + noise / sigma))
    library = sd.DenoisingScoreMatching()(process, network, X0, t, noise)

    expected = network.gradient(written_out.sum())
    for loss in (soft, library):
        assert torch.allclose(loss, written_out, rtol=1e-9)
        assert (network.gradient(loss.sum()) - expected).norm() <= 1e-10 * expected.norm()


@every_process
def test_closed_forms_on_a_frozen_predictor(name):
    process = PROCESSES[name]
    s = (T - 1 / 5).clamp(min=0)
    C_t, C_s = process.operator(T), process.operator(s)
    sigma_t, sigma_s = process.sigma(T), process.sigma(s)
    rho = (sigma_s / sigma_t)[:, None, None, None]
    step = mean_square(C_s(ERROR) - rho * C_t(ERROR))
    soft = mean_square(C_t(ERROR))
    for objective, expected in [
        (sd.SoftScoreMatching("1"), soft),
        (sd.SoftScoreMatching(), soft / sigma_t**2),
        (sd.CleanRegression(), mean_square(ERROR)),
        (sd.CleanRegression("l1"), ERROR.abs().flatten(1).mean(1)),
        (sd.DenoisingScoreMatching(), soft / sigma_t**2),
        (sd.LookAhead(5), mean_square(C_s(ERROR))),
        (sd.StepMatched(5), step),
        (sd.StepMatched(5, soft_share=0.3), step + 0.3 * soft),
    ]:
        assert torch.allclose(losses(objective, process), expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", ["blur", "constant noise"])
def test_the_drift_matched_loss_of_the_blur_in_closed_form(name):
    """Lambda' = -severity severity' omega^2 lambda, for every DCT coefficient."""
    process = PROCESSES[name]
    severity = process.schedule.severity(T)
    if name == "blur":  # geometric: the logarithm grows evenly
        slope, growth = severity * math.log(15), torch.full_like(T, math.log(20))
    else:
        slope, growth = torch.full_like(T, 3.0), torch.zeros_like(T)
    rows, columns = (torch.arange(n, dtype=torch.float64) * math.pi / n for n in (5, 4))
    omega2 = rows[:, None] ** 2 + columns**2
    severity, slope, growth = (v[:, None, None, None] for v in (severity, slope, growth))
    lam = torch.exp(-0.5 * severity**2 * omega2)
    E = sd.operators.DCT().forward(ERROR)
    expected = mean_square((-severity * slope * omega2 - growth) * lam * E)
    assert torch.allclose(losses(sd.DriftMatched(), process), expected, rtol=1e-10)


@pytest.mark.parametrize("name", ["blur", "mask", "vp", "constant noise"])
@given(st.integers(0, 1000))
def test_clean_regression_is_an_upper_bound_of_soft_score_matching(name, seed):
    """These corruptions have a norm of at most 1."""
    error, t = normal(*X0.shape, seed=seed), times(6, seed)
    soft = losses(sd.SoftScoreMatching("1"), PROCESSES[name], error, t)
    assert (soft <= losses(sd.CleanRegression(), PROCESSES[name], error, t) * (1 + 1e-12)).all()


@every_process
def test_look_ahead_lies_between_clean_regression_and_soft_score_matching(name):
    process = PROCESSES[name]
    nearly_clean = mean_square(process.operator(0.0)(ERROR))
    assert torch.allclose(losses(sd.LookAhead(1), process), nearly_clean, rtol=1e-10)
    if process.schedule.severity(torch.zeros(())) == 0:
        plain = losses(sd.CleanRegression(), process)
        assert torch.allclose(losses(sd.LookAhead(1), process), plain, rtol=1e-10)
    soft = losses(sd.SoftScoreMatching("1"), process)
    far = [(losses(sd.LookAhead(n), process) - soft).abs().max() for n in (1000, 10000)]
    assert far[1] <= 0.11 * far[0]
    assert far[1] <= 1e-2 * soft.max()


@pytest.mark.parametrize("name", ["blur", "mask", "vp", "constant noise"])
def test_step_matched_tends_to_drift_matched_with_an_error_of_one_over_n(name):
    process = PROCESSES[name]
    drift = losses(sd.DriftMatched(), process)
    steps = [400, 800, 1600, 3200, 6400]
    errors = [
        (n**2 * losses(sd.StepMatched(n), process) - drift).abs().mean().item() for n in steps
    ]
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(-1, abs=0.02)
    assert errors[-1] <= 0.02 * drift.mean().item()


@pytest.mark.parametrize("steps", [30, 1000])
def test_on_a_straight_line_every_step_is_the_drift(steps):
    """Corruption and noise are both linear in t."""
    drift = losses(sd.DriftMatched(), PROCESSES["matrix"])
    step = steps**2 * losses(sd.StepMatched(steps), PROCESSES["matrix"])
    assert torch.allclose(step, drift, rtol=1e-9)


def test_where_there_is_no_noise_at_all_the_drift_has_no_noise_term():
    drift = losses(sd.DriftMatched(), COLD)
    step = 20000**2 * losses(sd.StepMatched(20000), COLD)
    assert torch.allclose(step, drift, rtol=2e-3)


def test_the_drift_of_a_mask_exists_where_the_hole_opens():
    process = sd.SoftDiffusion(sd.FadingMask(), schedules.linear((0, 4), (0.1, 0.1)))
    t = torch.zeros(6, dtype=torch.float64)
    assert (losses(sd.DriftMatched(), process, t=t) == 0).all()


def test_weights_that_need_noise_refuse_times_without():
    t = T.clone()
    for objective in (sd.SoftScoreMatching(), sd.DenoisingScoreMatching()):
        with pytest.raises(ValueError, match="sigma"):
            losses(objective, COLD, t=t)
    growing = sd.SoftDiffusion(sd.GaussianBlur(), schedules.linear((0, 3), (0, 1)))
    t[2] = 0
    for objective in (sd.SoftScoreMatching(), sd.DenoisingScoreMatching(), sd.DriftMatched()):
        assert losses(objective, growing).isfinite().all()
        with pytest.raises(ValueError, match="sigma"):
            losses(objective, growing, t=t)


@pytest.mark.parametrize("objective", OBJECTIVES)
@every_process
def test_a_perfect_prediction_costs_nothing_and_every_sample_counts_for_itself(objective, name):
    process = PROCESSES[name]
    assert (losses(objective, process, torch.zeros_like(X0)) == 0).all()
    together = losses(objective, process)
    assert together.shape == (6,)
    for i in range(6):
        alone = objective(
            process, lambda x_t, t, i=i: X0[i : i + 1] + ERROR[i : i + 1],
            X0[i : i + 1], T[i : i + 1], NOISE[i : i + 1],
        )  # fmt: skip
        assert torch.allclose(alone, together[i], rtol=1e-9)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains_in_single_precision(objective):
    """The same value as in double precision, and a gradient."""
    error = ERROR.float().requires_grad_()
    loss = objective(
        PROCESSES["blur"], lambda x_t, t: X0.float() + error, X0.float(), T.float(), NOISE.float()
    )
    assert loss.dtype == torch.float32
    assert torch.allclose(loss.double(), losses(objective, PROCESSES["blur"]), rtol=1e-3)
    loss.sum().backward()
    assert error.grad.isfinite().all() and (error.grad != 0).any()


def test_the_denoiser_sees_what_the_process_made():
    seen = []

    def denoiser(x_t, t):
        seen.append((x_t, t))
        return x_t

    sd.CleanRegression()(PROCESSES["blur"], denoiser, X0, T, NOISE)
    ((x_t, t),) = seen
    assert torch.equal(x_t, PROCESSES["blur"].perturb(X0, T, NOISE)) and t is T


@pytest.mark.parametrize("objective", [sd.SoftScoreMatching(), sd.DriftMatched(), sd.LookAhead(2)])
def test_one_time_a_sample_is_needed(objective):
    for t in (torch.tensor(0.5), torch.full((2,), 0.5), torch.full((6, 1), 0.5)):
        with pytest.raises(ValueError, match=r"one time a sample, shape \(6,\), but t has shape"):
            losses(objective, PROCESSES["blur"], t=t)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: sd.LookAhead(0), "number of steps must be at least 1, but is 0"),
        (lambda: sd.StepMatched(-3), "number of steps must be at least 1, but is -3"),
        (lambda: sd.StepMatched(5, soft_share=-0.1), "soft share must be .* >= 0, but is -0.1"),
        (lambda: sd.StepMatched(5, soft_share=math.nan), "soft share must be finite"),
    ],
)
def test_arguments_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_unknown_norm_or_weight_is_refused():
    with pytest.raises(ValueError, match="norm must be l2 or l1, but is 'l3'"):
        sd.CleanRegression("l3")
    with pytest.raises(ValueError, match="weight must be 1 or 1/sigma\\^2, but is 'snr'"):
        sd.SoftScoreMatching("snr")
