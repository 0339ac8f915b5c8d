"""EDM's recipe carried over to blur: Wiener skip, scales, and a loss divided by the variance left.

For coefficients X_k with mean m_k and variance v_k the linear posterior mean given x_t is

    m_k + lambda_k v_k / (lambda_k^2 v_k + sigma^2) (X_t,k - lambda_k m_k),

a Wiener filter W, and the variance that is left is v_k sigma^2 / (lambda_k^2 v_k + sigma^2).
The variants are backbones, so that a recipe can name them; the denoiser around them adds x_t.
"""

import functools
from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

import softdiffusion as sd
from softdiffusion.checks import per_sample
from softdiffusion.objectives import Objective
from softdiffusion.operators import Diagonal

#: The process of recipes/fashion-mnist-16.yaml, and how many images give mean and spectrum.
SEVERITY, SIGMA, SATURATION, FITTED = (0.2, 16.0), (0.02, 0.2), 0.25, 10_000


@functools.cache
def process() -> sd.SoftDiffusion:
    curve = sd.schedules.Geometric
    return sd.SoftDiffusion(
        sd.GaussianBlur(), sd.Schedule(curve(*SEVERITY), curve(*SIGMA, saturation=SATURATION))
    )


@functools.cache
def wiener() -> sd.GaussianDenoiser:
    return fitted(process())


@functools.cache
def wiener_of_flow() -> sd.GaussianDenoiser:
    return fitted(sd.presets.blurred_flow().process)


def fitted(process: sd.SoftDiffusion) -> sd.GaussianDenoiser:
    """The Wiener filter for the spectrum of Fashion-MNIST at 16 pixels."""
    data = sd.data.open("fashion-mnist", size=16)
    chosen = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))[:FITTED]
    return sd.GaussianDenoiser.fit(process, data.batch(chosen))


def variance_left(t: Tensor, z: Tensor) -> Tensor:
    """The variance of every coefficient given x_t, (B, C, H, W)."""
    v = wiener().spectrum.to(z)[None]
    noise = per_sample(process().sigma(t), z) ** 2
    return v * noise / (process().spectrum(t, z) ** 2 * v + noise)


Variant = Literal["skip", "scaled", "spectral", "channel"]


class WienerNetwork(nn.Module, ABC):
    """A U-Net that is told the Wiener estimate, as a second input or by what is made of its output.

    The estimate is a second input in the variant "channel".
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 16,
        multipliers: list[int] = [1, 2, 4],  # noqa: B006
        variant: Variant = "skip",
    ) -> None:
        super().__init__()
        self.channels = channels
        self.width = width
        self.multipliers = multipliers
        self.variant = variant
        # The last convolution of a network with two inputs also has two outputs; one is used.
        self.net = sd.SmallUNet(channels * (2 if variant == "channel" else 1), width, multipliers)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        with torch.no_grad():
            estimate = self.estimate(x, t)
        if self.variant == "channel":
            return self.net(torch.cat([x, estimate], dim=1), t)[:, : self.channels]
        return self.around(estimate, x, t, self.net(x, t))

    @abstractmethod
    def estimate(self, x: Tensor, t: Tensor) -> Tensor:
        """The Wiener estimate of the clean image."""

    @abstractmethod
    def around(self, estimate: Tensor, x: Tensor, t: Tensor, out: Tensor) -> Tensor:
        """What the denoiser takes for the network's output, so that it corrects the estimate."""


class WienerUNet(WienerNetwork):
    """For blur and noise, whose denoiser is x_t + (this network).

    Variants: "skip": W x_t + F(x_t); "scaled": W x_t + s(t) F(x_t), s^2 the mean variance left;
    "spectral": W x_t + T^-1 sqrt(variance left) T F(x_t); "channel": x_t + F(x_t, W x_t).
    """

    def estimate(self, x: Tensor, t: Tensor) -> Tensor:
        return wiener()(x, t)

    def around(self, estimate: Tensor, x: Tensor, t: Tensor, out: Tensor) -> Tensor:
        if self.variant == "scaled":
            out = variance_left(t, x).mean(dim=(1, 2, 3), keepdim=True).sqrt() * out
        if self.variant == "spectral":
            transform = process().corruption.transform
            out = Diagonal(transform, lambda z: variance_left(t, z).sqrt())(out)
        return out + estimate - x


class WienerFlow(WienerNetwork):
    """For blurred flow, whose denoiser is x_t - t (this network), without output scales.

    Variants: "skip": W x_t + t F(x_t); "channel": x_t - t F(x_t, W x_t).
    """

    def estimate(self, x: Tensor, t: Tensor) -> Tensor:
        return wiener_of_flow()(x, t)

    def around(self, estimate: Tensor, x: Tensor, t: Tensor, out: Tensor) -> Tensor:
        if self.variant != "skip":
            raise ValueError(f"Blurred flow has no variant {self.variant!r}; use skip or channel.")
        return (x - estimate) / per_sample(t.clamp(min=1e-4), x) - out


class Whitened(Objective):
    """The error divided, coefficient by coefficient, by the standard deviation left."""

    def loss(self, process: sd.SoftDiffusion, error: Tensor, t: Tensor, noise: Tensor) -> Tensor:
        z = process.corruption.transform.forward(error)
        return (z.square() / variance_left(t, z)).flatten(1).mean(dim=1)
