"""Methods whose only corruption is noise."""

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import SMALLEST, is_traced
from ..corruptions import Identity, Scaling
from ..denoisers import EDM, NoisePrediction, VelocityPrediction
from ..objectives import DriftMatched, Objective, SoftScoreMatching, square, with_derivative
from ..process import SoftDiffusion
from ..samplers import AncestralSampler, DeterministicSampler, KarrasSampler, MomentumSampler
from ..schedules import (
    Constant,
    DDPMAmplitudeLoss,
    DDPMNoise,
    Geometric,
    Karras,
    Schedule,
    linear,
)
from .preset import Preset, default_sampler

__all__ = ["EDMRegression", "edm", "rectified_flow", "ve", "vp"]


@checked
def ve(sigma_min: float = 0.02, sigma_max: float = 100.0, steps: int = 1000) -> Preset:
    r"""NCSN's noise levels as the VE-SDE: :math:`C_t = I`, :math:`\sigma_t` geometric.

    The paper's noise goes from 0.01 to 50 for images in [0, 1] (CIFAR-10); both numbers double
    here. The loss is denoising score matching at weighting :math:`\sigma_t^2`, the network
    predicts the noise, and the sampler is the reverse-diffusion predictor, whose grid of 1000
    levels includes both ends.

    Source: Song et al. 2021, Score-based generative modeling through SDEs, Section 3.4 and
    Appendices C and E.

    Arguments:
        sigma_min: The noise at t = 0.
        sigma_max: The noise at t = 1.
        steps: The number of network calls.
    """
    process = SoftDiffusion(Identity(), Schedule(Constant(0.0), Geometric(sigma_min, sigma_max)))
    return Preset(
        process=process,
        objective=SoftScoreMatching("1/sigma^2"),
        preconditioning=NoisePrediction(),
        sampler=default_sampler(MomentumSampler, process, steps=steps),
        source="Song et al. 2021, arXiv 2011.13456",
        notes="The predictor alone, without the paper's Langevin corrector; for larger images the "
        "paper's sigma_max is larger, about the greatest distance between two of them.",
    )


@checked
def vp(
    levels: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02, steps: int = 1000
) -> Preset:
    r"""DDPM: :math:`C_t = \alpha_t I`, :math:`\sigma_t = \sqrt{1 - \alpha_t^2}`.

    All numbers are the paper's. Level k = 1, ..., N of the paper is the time k / N, so the
    timestep j = 0, ..., N - 1 of common implementations is (j + 1) / N; t = 0 is the clean image.
    The loss is the unweighted mean square error of the noise. The sampler is the ancestral one,
    with the smaller of the paper's two variances.

    Source: Ho et al. 2020, Denoising diffusion probabilistic models, Sections 3 and 4.

    Arguments:
        levels: The number N of levels.
        beta_start: The variance of the first step.
        beta_end: The variance of the last step.
        steps: The number of network calls.
    """
    process = SoftDiffusion(
        Scaling(),
        Schedule(
            DDPMAmplitudeLoss(levels, beta_start, beta_end),
            DDPMNoise(levels, beta_start, beta_end),
        ),
    )
    return Preset(
        process=process,
        objective=SoftScoreMatching("1/sigma^2"),
        preconditioning=NoisePrediction(),
        sampler=default_sampler(AncestralSampler, process, steps=steps),
        source="Ho et al. 2020, arXiv 2006.11239",
        notes="Between the paper's levels the logarithm of the amplitude is linear, so that "
        "training draws continuous times.",
    )


@checked
def rectified_flow(steps: int = 100) -> Preset:
    r"""Rectified flow, flow matching: :math:`C_t = (1 - t) I`, :math:`\sigma_t = t`.

    The path and the loss, the mean square error of the velocity :math:`\eta - x_0`, are the
    paper's; its time runs the other way. The sampler is Euler's method.

    Source: Liu et al. 2023, Flow straight and fast, Section 2.1; Lipman et al. 2023, Flow
    matching for generative modeling, with the optimal transport path at sigma_min = 0.

    Arguments:
        steps: The number of network calls.
    """
    process = SoftDiffusion(Scaling(), linear((0.0, 1.0), (0.0, 1.0)))
    return Preset(
        process=process,
        objective=DriftMatched(),
        preconditioning=VelocityPrediction(),
        sampler=default_sampler(DeterministicSampler, process, steps=steps),
        source="Liu et al. 2023, arXiv 2209.03003; Lipman et al. 2023, arXiv 2210.02747",
        notes="The first flow, without reflow; 100 steps of Euler in the place of an adaptive "
        "Runge-Kutta method.",
    )


@checked
def edm(
    sigma_min: float = 0.002,
    sigma_max: float = 80.0,
    rho: float = 7.0,
    data_std: float = 0.5,
    mean: float = -1.2,
    std: float = 1.2,
    steps: int = 18,
) -> Preset:
    r"""EDM: :math:`C_t = I`, noise levels whose 7th roots are equally spaced, Heun's method.

    All numbers are the paper's, for images in [-1, 1]. Its grid of N noise levels and the step
    to zero after them are the equally spaced times 1, ..., 0 and the last prediction: 2 N - 1
    network calls.

    Source: Karras et al. 2022, Elucidating the design space of diffusion-based generative
    models, Table 1 and Algorithm 1.

    Arguments:
        sigma_min: The smallest noise.
        sigma_max: The largest noise.
        rho: The exponent of the levels.
        data_std: The standard deviation of the data.
        mean: The mean of the logarithm of the noise that is trained most.
        std: The standard deviation of that logarithm.
        steps: The number N of noise levels; the paper's is 18 for 32 and 40 for 64 pixels.
    """
    schedule = Schedule(Constant(0.0), Karras(sigma_min, sigma_max, rho))
    process = SoftDiffusion(Identity(), schedule)
    return Preset(
        process=process,
        objective=EDMRegression(data_std, mean, std),
        preconditioning=EDM(data_std),
        sampler=default_sampler(KarrasSampler, process, steps=steps),
        source="Karras et al. 2022, arXiv 2206.00364",
        notes="The deterministic sampler; the added noise of the paper's Algorithm 2 is left out. "
        "Times are drawn evenly and the loss is weighted by the density of the paper's noise "
        "levels, which has the same mean. The network is told the time, which is affine in "
        "sigma^(1/7), in the place of the paper's log(sigma) / 4.",
    )


@checked
class EDMRegression(Objective):
    r"""The regression of EDM, for times that are drawn evenly.

    .. math:: p(\log \sigma_t)\, \frac{d \log \sigma_t}{dt}\,
        \frac{\sigma_t^2 + d^2}{(\sigma_t d)^2}\, \lVert e \rVert^2

    EDM draws :math:`\log \sigma` from the normal density p; here the density is a weight of the
    evenly drawn times, so that the mean of the loss is the same. Times drawn in proportion to
    the loss (the training option `times`) make the weights even again.

    Source: Karras et al. 2022, Table 1 and Eq. 8.

    Arguments:
        data_std: The standard deviation d of the data, > 0.
        mean: The mean of the density p.
        std: The standard deviation of the density p, > 0.

    Raises:
        ValueError: If a standard deviation is not positive; when called, if there is no noise.
    """

    def __init__(self, data_std: float = 0.5, mean: float = -1.2, std: float = 1.2) -> None:
        if not (data_std >= SMALLEST and std >= SMALLEST):
            raise ValueError(
                f"Standard deviations must be > 0, but are {data_std:g} for the data and {std:g} "
                "for the logarithm of the noise."
            )
        self.data_std = data_std
        self.mean = mean
        self.std = std

    def loss(self, process: SoftDiffusion, error: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        if not is_traced() and (process.sigma(t) < SMALLEST).any():
            raise ValueError(
                "EDM's loss weighs the logarithm of the noise, but sigma is 0 at one of the times; "
                "use a process with noise at all times, such as sd.presets.edm()."
            )
        log_sigma, growth = with_derivative(lambda time: process.sigma(time).log(), t)
        normal = torch.distributions.Normal(self.mean, self.std)
        weight = normal.log_prob(log_sigma).exp() * growth
        # (sigma^2 + d^2) / (sigma d)^2
        return weight * ((-2 * log_sigma).exp() + self.data_std**-2) * square(error)
