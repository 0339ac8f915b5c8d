"""Networks in any precision, and the ways in which torch handles modules."""

import copy
import io

import pytest
import torch
from torch import nn

import softdiffusion as sd
from softdiffusion import operators
from tests.registry import IMAGES, LINES, NOISE, TIMES, every_third, process, small_network

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

HALF = [torch.float16, torch.bfloat16]
SAMPLERS = [
    sd.AncestralSampler,
    sd.BridgeSampler,
    sd.DeterministicSampler,
    sd.HeunSampler,
    sd.KarrasSampler,
    sd.MomentumSampler,
    sd.MultistepSampler,
    sd.NaiveSampler,
    sd.ProbabilityFlowSampler,
]


def denoiser() -> sd.Denoiser:
    return sd.Denoiser(small_network(), process(), sd.EDM(0.7))


def sample(cls: type[sd.Sampler], model: sd.BaseDenoiser) -> torch.Tensor:
    return cls(process(), model, steps=3)(NOISE, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("cls", SAMPLERS)
def test_a_network_in_double_precision_gives_the_same_samples_to_rounding(cls):
    single = sample(cls, denoiser())

    double = sample(cls, denoiser().double())

    assert double.dtype == torch.float32
    torch.testing.assert_close(double, single, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("cls", SAMPLERS)
def test_a_network_in_half_precision_gives_nearly_the_same_samples(cls, dtype):
    single = sample(cls, denoiser())

    half = sample(cls, denoiser().to(dtype))

    assert half.isfinite().all()
    # A dozen layers round by up to 2^-8 each; the samples are of the order of 1.
    assert (half - single).abs().mean() < 0.1 * single.abs().mean()


@pytest.mark.parametrize("dtype", [*HALF, torch.float64])
@pytest.mark.parametrize("images", [*HALF, torch.float32, torch.float64])
def test_the_prediction_has_the_type_of_the_images_whatever_that_of_the_network(dtype, images):
    model = denoiser().to(dtype)
    classes = sd.Denoiser(
        sd.SmallUNet(1, width=8, multipliers=(1,), classes=3).to(dtype), process()
    )
    spectrum = 0.1 + IMAGES[0].square()
    wrapped = [
        model,
        sd.EMA(model),
        sd.ClippedDenoiser(model),
        sd.GuidedDenoiser(classes, 2.0),
        sd.PosteriorDenoiser(model, every_third(), LINES, 0.1, spectrum),
        sd.DPSDenoiser(model, every_third(), LINES, 0.1),
    ]

    for one in wrapped:
        prediction = one(NOISE.to(images), TIMES)
        assert prediction.dtype == images
        assert prediction.isfinite().all()


@pytest.mark.parametrize("dtype", [*HALF, torch.float64])
@pytest.mark.parametrize(
    "objective", [sd.SoftScoreMatching(), sd.StepMatched(7), sd.DriftMatched(), sd.LookAhead(3)]
)
def test_losses_are_in_single_precision_at_least(objective, dtype):
    images, noise = IMAGES.to(dtype), NOISE.to(dtype)

    loss = objective(process(), denoiser().to(dtype), images, TIMES, noise)

    assert loss.dtype == torch.promote_types(dtype, torch.float32)
    assert loss.isfinite().all()


@pytest.mark.parametrize("dtype", HALF)
def test_an_average_follows_a_network_in_half_precision(dtype):
    model = denoiser().to(dtype)
    average = sd.EMA(model, decay=0.999)
    average.updates.fill_(10**6)  # no warm-up any more
    before = average.denoiser.backbone.first.weight.clone()
    with torch.no_grad():
        model.backbone.first.weight += 1

    average.update(model)

    moved = average.denoiser.backbone.first.weight - before
    torch.testing.assert_close(moved, torch.full_like(moved, 0.001), rtol=0.02, atol=0)


@pytest.mark.parametrize("dtype", [*HALF, torch.float64])
def test_priors_in_any_precision_are_sampled_in_single(dtype):
    prior = sd.MixturePrior(
        process(),
        IMAGES[0].to(dtype),
        IMAGES[1:].to(dtype),
        torch.tensor([0.25, 0.75], dtype=dtype),
        torch.zeros(2, 2, dtype=dtype),
        torch.eye(2, dtype=dtype).expand(2, 2, 2),
    )

    starts = prior.sample(4)

    assert starts.dtype == torch.float32
    assert starts.isfinite().all()


def test_an_exported_denoiser_predicts_the_same():
    model = denoiser()

    exported = torch.export.export(model, (NOISE, TIMES))

    torch.testing.assert_close(exported.module()(NOISE, TIMES), model(NOISE, TIMES))


@pytest.mark.slow
def test_a_compiled_denoiser_samples_the_same():
    compiled = torch.compile(denoiser(), backend="aot_eager")

    torch.testing.assert_close(
        sample(sd.MultistepSampler, compiled), sample(sd.MultistepSampler, denoiser())
    )


def test_an_average_of_a_compiled_denoiser_follows_it():
    model = denoiser()
    compiled = torch.compile(model, backend="eager")
    average = sd.EMA(compiled)

    average.update(compiled)

    assert isinstance(average.denoiser, sd.Denoiser)
    torch.testing.assert_close(average(NOISE, TIMES), model(NOISE, TIMES))


@pytest.mark.parametrize("make", [sd.EMA, sd.ClippedDenoiser])
def test_a_denoiser_in_data_parallel_is_refused_with_the_remedy(make):
    with pytest.raises(TypeError, match="but is a DataParallel; give its .module."):
        make(nn.DataParallel(denoiser()))
    with pytest.raises(TypeError, match="but is a DataParallel; give its .module."):
        sd.MultistepSampler(process(), nn.DataParallel(denoiser()))


def test_losses_take_a_denoiser_in_data_parallel():
    loss = sd.SoftScoreMatching()(process(), nn.DataParallel(denoiser()), IMAGES, TIMES, NOISE)

    torch.testing.assert_close(
        loss, sd.SoftScoreMatching()(process(), denoiser(), IMAGES, TIMES, NOISE)
    )


def test_a_network_in_data_parallel_keeps_its_classes():
    network = sd.SmallUNet(1, width=8, multipliers=(1,), classes=3)

    assert sd.Denoiser(nn.DataParallel(network), process()).classes == 3


def test_a_denoiser_is_copied_and_goes_through_torch_save():
    model = denoiser()
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)

    for one in (copy.copy(model), copy.deepcopy(model), torch.load(file, weights_only=False)):
        torch.testing.assert_close(one(NOISE, TIMES), model(NOISE, TIMES))


def test_images_that_require_grad_pass_through():
    images = NOISE.clone().requires_grad_()

    sampled = sample(sd.BridgeSampler, denoiser())
    start = sd.BridgeSampler(process(), denoiser(), steps=3)(
        images, torch.Generator().manual_seed(0)
    )
    prior = sd.GaussianPrior.fit(process(), images, max_modes=1)
    (gradient,) = torch.autograd.grad(denoiser()(images, TIMES).sum(), images)

    assert torch.equal(sampled, start)
    assert not prior.mean.requires_grad
    assert gradient.isfinite().all()


def test_any_order_in_memory_gives_the_same_prediction():
    images = torch.cat([NOISE, -NOISE], dim=1)
    network = sd.SmallUNet(2, width=8, multipliers=(1, 2)).eval()
    model = sd.Denoiser(network, process())

    for order in (
        images.contiguous(memory_format=torch.channels_last),
        images.transpose(2, 3).contiguous().transpose(2, 3),
    ):
        torch.testing.assert_close(model(order, TIMES), model(images, TIMES))
        blur = sd.GaussianBlur().at(1.0)
        torch.testing.assert_close(blur(order), blur(images))


class Fourier:
    """Complex measurements of a real image, as of magnetic resonance."""

    mask = (torch.rand(6, 5, generator=torch.Generator().manual_seed(0)) < 0.6).double()

    def A(self, x: torch.Tensor) -> torch.Tensor:
        return self.mask.to(x) * torch.fft.fft2(x, norm="ortho")

    def A_adjoint(self, y: torch.Tensor) -> torch.Tensor:
        return torch.fft.ifft2(self.mask.to(y) * y, norm="ortho")


def test_complex_measurements_have_an_adjoint_and_a_normal_operator():
    A = operators.from_physics(Fourier())
    x = IMAGES.double()
    y = torch.randn(3, 1, 6, 5, dtype=torch.complex128)

    assert A(x).is_complex()
    torch.testing.assert_close((A(x) * y.conj()).sum().real, (x * A.T(y)).sum())
    corrupted = sd.LinearPhysics(Fourier(), normal=True).at(1.0)(x)
    torch.testing.assert_close(corrupted, Fourier().A_adjoint(Fourier().A(x)).real)


def test_a_corruption_can_not_end_in_complex_numbers():
    with pytest.raises(ValueError, match="complex measurements; use normal=True"):
        sd.LinearPhysics(Fourier()).at(1.0)(IMAGES)


def test_the_posterior_of_complex_measurements_is_that_of_their_two_parts():
    class Parts(operators.LinearOperator):
        """The real and the imaginary parts, as two channels."""

        def __call__(self, x: torch.Tensor) -> torch.Tensor:
            return torch.view_as_real(Fourier().A(x)).movedim(-1, 1)[:, :, 0]

        @property
        def T(self) -> operators.LinearOperator:
            def back(y: torch.Tensor) -> torch.Tensor:
                return Fourier().A_adjoint(torch.complex(y[:, :1], y[:, 1:])).real

            return operators.MatrixFree(back, self)

    gaussian = sd.GaussianDenoiser(process(), IMAGES.mean(dim=0), 0.1 + IMAGES[0].square())
    A, spectrum = operators.from_physics(Fourier()), 0.1 + IMAGES[0].square()

    complex_y = sd.PosteriorDenoiser(gaussian, A, A(IMAGES), 0.1, spectrum)(NOISE, TIMES)
    real_y = sd.PosteriorDenoiser(gaussian, Parts(), Parts()(IMAGES), 0.1, spectrum)(NOISE, TIMES)
    step = sd.DPSDenoiser(gaussian, A, A(IMAGES), 0.1)(NOISE, TIMES)
    real_step = sd.DPSDenoiser(gaussian, Parts(), Parts()(IMAGES), 0.1)(NOISE, TIMES)

    torch.testing.assert_close(complex_y, real_y, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(step, real_step, rtol=1e-3, atol=1e-4)
