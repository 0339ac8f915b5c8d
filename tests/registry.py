"""One example of every public class that a model can be made of, and what it computes."""

import pkgutil
from collections.abc import Callable
from importlib import import_module
from inspect import isabstract, isclass

import pytest
import torch
from torch import Tensor, nn

import softdiffusion as sd
from softdiffusion import presets, schedules
from softdiffusion.operators import (
    DCT,
    Basis,
    ChannelBasis,
    ChannelMatrix,
    Haar,
    Hartley,
    LinearOperator,
    Matrix,
    Pixel,
    RandomBasis,
    Scale,
    Transform,
)
from softdiffusion.samplers import Step
from softdiffusion.schedules import Curve, Selection, Wasserstein
from tests.physics import AsPhysics

#: Parts of the package whose classes are no part of a model.
OUTSIDE = {
    "__main__": "the command",
    "arguments": "functions alone",
    "allowance": "bounds what is built",
    "checks": "functions alone",
    "chunks": "reads images",
    "cli": "commands",
    "configuration": "functions alone",
    "data": "images, not models",
    "exports": "what the others export",
    "files": "functions alone",
    "memory": "functions alone",
    "metrics": "measure images",
    "pictures": "functions alone",
    "plots": "pictures",
    "quoting": "functions alone",
    "random": "functions alone",
    "restoration": "works with models",
    "saving": "functions alone",
    "slots": "functions alone",
    "studies": "settings of experiments, read from a file of their own",
    "signals": "what ends a command",
    "tensors": "files",
    "training": "has its own record of its settings",
}

#: Public classes that hold functions, which no configuration can.
FUNCTIONAL: dict[str, Callable[[], object]] = {
    "Diagonal": lambda: sd.GaussianBlur().at(1.0),
    "LinearPhysics": lambda: sd.LinearPhysics(AsPhysics(Scale(0.5))),
    "Convolution": lambda: sd.KernelBlur([[0.2, 0.5, 0.1]]).at(0.5),
    "MatrixFree": lambda: sd.operators.MatrixFree(torch.neg, torch.neg),
    "Preset": lambda: presets.vp(),
    "Transition": lambda: process().transition(0.8, 0.4),
}

#: A batch and what goes with it; sizes that no level of a network divides.
IMAGES = torch.rand(3, 1, 6, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1
NOISE = torch.randn(3, 1, 6, 5, generator=torch.Generator().manual_seed(1))
TIMES = torch.tensor([0.3, 0.6, 1.0])
N = IMAGES[0].numel()

#: Measurements of the batch by `every_third`.
LINES = IMAGES.flatten(1)[:, None, ::3]


def process() -> sd.SoftDiffusion:
    return sd.SoftDiffusion(sd.GaussianBlur(), schedules.geometric((0.2, 3.0), (0.02, 0.2)))


def randomised(network: nn.Module) -> nn.Module:
    """Networks start with layers at zero, which would hide weights that were not restored."""
    generator = torch.Generator().manual_seed(2)
    for parameter in network.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


def small_network() -> nn.Module:
    return randomised(sd.SmallUNet(channels=1, width=8, multipliers=(1, 2)))


def class_denoiser() -> sd.Denoiser:
    network = randomised(sd.SmallUNet(channels=1, width=8, multipliers=(1, 2), classes=3))
    return sd.Denoiser(network, process())


def diffusers_network() -> nn.Module:
    pytest.importorskip("diffusers")
    return randomised(sd.DiffusersUNet(1, size=(6, 5), width=32, multipliers=(1, 1), blocks=1))


def gaussian_denoiser() -> sd.GaussianDenoiser:
    return sd.GaussianDenoiser(process(), IMAGES.mean(dim=0), 0.1 + IMAGES[0].square())


def every_third() -> Matrix:
    """Measures every third pixel, to a line of 10."""
    return Matrix(torch.eye(N)[::3], (1, 6, 5), (1, 10))


def sampler(name: str) -> Callable[[], object]:
    extra = {"nu": 0.3} if name == "NuSampler" else {}
    return lambda: getattr(sd, name)(
        process(), gaussian_denoiser(), steps=3, clip=(-0.9, 0.9), **extra
    )


EXAMPLES: dict[str, Callable[[], object]] = {
    "Basis": lambda: Basis(torch.eye(N).roll(1, 0)),
    "ChannelBasis": lambda: ChannelBasis(-torch.eye(1)),
    "ChannelMatrix": lambda: ChannelMatrix(torch.tensor([[0.3], [-2.0]])),
    "DCT": DCT,
    "Haar": Haar,
    "Hartley": Hartley,
    "Matrix": lambda: Matrix(torch.arange(N * N).reshape(N, N) / N**2, (1, 6, 5), (1, 5, 6)),
    "Pixel": Pixel,
    "RandomBasis": lambda: RandomBasis(seed=3),
    "Scale": lambda: Scale(torch.tensor([0.5, 1.0, 2.0])),
    "ChannelMixing": lambda: sd.ChannelMixing([[0.3]]),
    "Composition": lambda: sd.Composition([sd.GaussianBlur(), sd.FadingMask()], [2.0, 1.5]),
    "Downsample": sd.Downsample,
    "AnisotropicBlur": lambda: sd.AnisotropicBlur(0.4, angle=-20.0),
    "Butterworth": lambda: sd.Butterworth(3.0),
    "DefocusBlur": sd.DefocusBlur,
    "HeatKernel": sd.HeatKernel,
    "IdealLowPass": sd.IdealLowPass,
    "KernelBlur": lambda: sd.KernelBlur([[0.0, 0.2, 0.1], [0.1, 0.3, 0.1], [0.0, 0.2, 0.0]]),
    "MotionBlur": lambda: sd.MotionBlur(angle=70.0),
    "PowerLaw": sd.PowerLaw,
    "UndersampledFourier": lambda: sd.UndersampledFourier(centre=0.2, lines=True, seed=3),
    "FadingMask": sd.FadingMask,
    "BlurringKernel": lambda: presets.BlurringKernel(5.0, 0.1, 8.0),
    "GaussianMasks": lambda: presets.GaussianMasks(2.0, 3),
    "ScaleSpace": lambda: presets.ScaleSpace(3, 0.7, 9, 0.01, 0.3),
    "GaussianBlur": sd.GaussianBlur,
    "Greyscale": lambda: sd.Greyscale(channels=1),
    "GrowingBox": lambda: sd.GrowingBox(centre=[0.2, 0.9]),
    "Identity": sd.Identity,
    "MaskImage": lambda: sd.MaskImage((IMAGES[0, 0] > 0).tolist()),
    "MatrixFamily": lambda: sd.MatrixFamily(torch.arange(N * N).reshape(N, N) / N**3),
    "Outpainting": lambda: sd.Outpainting(sides=["left", "top"]),
    "Pixelate": sd.Pixelate,
    "RandomPixels": lambda: sd.RandomPixels(seed=4),
    "RandomProjection": lambda: sd.RandomProjection(seed=5),
    "Scaling": sd.Scaling,
    "Constant": lambda: schedules.Constant(0.3),
    "BlurringNoise": lambda: presets.BlurringNoise(8.0),
    "Cosine": lambda: schedules.Cosine(0.1, 0.9),
    "Geometric": lambda: schedules.Geometric(0.1, 0.9, saturation=0.5),
    "DDPMAmplitudeLoss": lambda: schedules.DDPMAmplitudeLoss(9, 0.01, 0.3),
    "DDPMNoise": lambda: schedules.DDPMNoise(9, 0.01, 0.3),
    "Karras": lambda: schedules.Karras(0.1, 9.0, 3.0),
    "Linear": lambda: schedules.Linear(0.1, 0.9),
    "Schedule": lambda: schedules.tabulated([0.1, 0.5, 0.9], [0.2, 0.3, 0.3]),
    "Selection": lambda: wasserstein().select(sd.GaussianBlur(), IMAGES),
    "Sine": lambda: schedules.Sine(0.1, 0.9),
    "Table": lambda: schedules.Table([0.1, 0.2, 0.9]),
    "VPAmplitudeLoss": lambda: schedules.VPAmplitudeLoss(0.2, 9.0),
    "VPNoise": lambda: schedules.VPNoise(0.2, 9.0),
    "Wasserstein": lambda: wasserstein(),
    "SoftDiffusion": process,
    "CleanRegression": lambda: sd.CleanRegression("l1"),
    "DenoisingScoreMatching": sd.DenoisingScoreMatching,
    "DriftMatched": sd.DriftMatched,
    "EDMRegression": lambda: presets.EDMRegression(0.7, -2.0, 1.1),
    "LookAhead": lambda: sd.LookAhead(7),
    "SoftScoreMatching": lambda: sd.SoftScoreMatching("1"),
    "StepMatched": lambda: sd.StepMatched(7, soft_share=0.2),
    "DataPrior": lambda: sd.DataPrior(process(), IMAGES),
    "GaussianPrior": lambda: sd.GaussianPrior(process(), IMAGES[0], IMAGES[1:], explained=0.5),
    "MixturePrior": lambda: sd.MixturePrior(
        process(),
        IMAGES[0],
        IMAGES[1:],
        weights=torch.tensor([0.25, 0.75]),
        means=torch.tensor([[-1.0, 0.0], [1.0, 0.5]]),
        covariances=torch.tensor([0.3, 0.1])[:, None, None] * torch.eye(2),
    ),
    "ClippedDenoiser": lambda: sd.ClippedDenoiser(gaussian_denoiser(), -0.5, 0.25),
    "DPSDenoiser": lambda: sd.DPSDenoiser(gaussian_denoiser(), every_third(), LINES, 0.1, 0.7),
    "Denoiser": lambda: sd.Denoiser(small_network(), process(), sd.EDM(0.7)),
    "DiffusersUNet": diffusers_network,
    "CleanPrediction": sd.CleanPrediction,
    "EDM": lambda: sd.EDM(0.7),
    "EMA": lambda: sd.EMA(sd.Denoiser(small_network(), process()), decay=0.9),
    "GaussianDenoiser": gaussian_denoiser,
    "GuidedDenoiser": lambda: sd.GuidedDenoiser(class_denoiser(), scale=2.0),
    "PosteriorDenoiser": lambda: sd.PosteriorDenoiser(
        gaussian_denoiser(), every_third(), LINES, 0.1, 0.1 + IMAGES[0].square()
    ),
    "NoisePrediction": sd.NoisePrediction,
    "Residual": sd.Residual,
    "ScaledResidual": sd.ScaledResidual,
    "SmallUNet": small_network,
    "VelocityPrediction": sd.VelocityPrediction,
    "Step": lambda: Step(index=2, t=0.25, x_t=NOISE, x0_hat=IMAGES),
    **{
        f"{name}Sampler": sampler(f"{name}Sampler")
        for name in (
            "Ancestral",
            "Bridge",
            "Deterministic",
            "Heun",
            "Karras",
            "Momentum",
            "Multistep",
            "Naive",
            "Nu",
            "ProbabilityFlow",
        )
    },
}


def wasserstein() -> Wasserstein:
    return Wasserstein(max_severity=3.0, sigma=(0.02, 0.2), levels=4, candidates=9)


def output(part: object) -> Tensor:
    """What a part computes on the batch: two parts that agree here are the same."""
    match part:
        case Transform():
            return part.forward(IMAGES)
        case LinearOperator():
            return part(IMAGES)
        case sd.Corruption():
            return part.at(0.7)(IMAGES)
        case Curve():
            return part(TIMES)
        case sd.Schedule():
            return torch.stack(part(TIMES))
        case Wasserstein():
            return output(part.select(sd.GaussianBlur(), IMAGES))
        case Selection():
            return output(part.schedule())
        case sd.SoftDiffusion():
            return part.perturb(IMAGES, TIMES, NOISE)
        case sd.Objective():
            return part(process(), gaussian_denoiser(), IMAGES, TIMES, NOISE)
        case sd.Preconditioning():
            skip, out, scale = part(presets.vp().process, IMAGES, TIMES)
            return skip + out * (scale * NOISE)
        case sd.Prior():
            return part.sample(3, sd.generators(seed=0, indices=range(3)))
        case Step():
            return part.index * part.x_t + part.t * part.x0_hat
        case sd.Sampler():
            return part(NOISE, generator=torch.Generator().manual_seed(3))
        case nn.Module():
            with torch.no_grad():
                return part(IMAGES, TIMES)
    raise TypeError(f"The registry does not know what a {type(part).__name__} computes.")


def public_classes() -> dict[str, type]:
    """The classes that the package or one of its parts exports, abstract ones left out."""
    parts = [f"softdiffusion.{module.name}" for module in pkgutil.iter_modules(sd.__path__)]
    found = {}
    for part in parts:
        if part.removeprefix("softdiffusion.") in OUTSIDE:
            continue
        module = import_module(part)
        exported = {name: getattr(module, name) for name in module.__all__}
        found |= {n: c for n, c in exported.items() if isclass(c) and not isabstract(c)}
    return found
