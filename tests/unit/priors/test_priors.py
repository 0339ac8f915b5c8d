import math

import pytest
import torch
from scipy.stats import norm
from torch import Tensor

import softdiffusion as sd
from softdiffusion import schedules

#: How many standard errors all of a test's figures together exceed once in a million tests.
FALSE_ALARM = 1e-6

DCT = sd.operators.DCT()


def process(severity=3.0, sigma=0.2, corruption=None):
    line = schedules.Linear
    schedule = schedules.Schedule(line(0.0, severity), line(0.0, sigma))
    return sd.SoftDiffusion(corruption or sd.GaussianBlur(), schedule)


def gaussian_images(spectrum: Tensor, n: int, seed: int = 0) -> Tensor:
    """Images with independent DCT coefficients of the given variances, and the mean 0.3."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(n, *spectrum.shape, generator=generator, dtype=torch.float64)
    return 0.3 + DCT.inverse(spectrum.sqrt() * z)


def natural_spectrum(height: int, width: int, channels: int = 1) -> Tensor:
    """Variances that fall with the square of the frequency, with mean 1/4."""
    k = torch.arange(height)[:, None].square() + torch.arange(width).square()
    v = 1 / (1 + k.double())
    return (0.25 * v / v.mean()).expand(channels, -1, -1)


def assert_within_error(found: Tensor, expected: Tensor, variance: Tensor, n: int) -> None:
    """Means of n draws against their expectation, given the variance of a draw."""
    errors = (found - expected).abs() / (variance / n).sqrt()
    assert float(errors.max()) < norm.isf(FALSE_ALARM / 2 / errors.numel())


def assert_moments(x: Tensor, mean: Tensor, covariance: Tensor) -> None:
    """Gaussian samples (n, d) against their mean and covariance."""
    centred = x.double() - mean
    variance = covariance.diagonal()
    assert_within_error(centred.mean(dim=0), torch.zeros_like(mean), variance, len(x))
    # Isserlis: var(x_i x_j) = S_ii S_jj + S_ij^2
    spread = variance[:, None] * variance + covariance.square()
    assert_within_error(centred.T @ centred / len(x), covariance, spread, len(x))


def model_covariance(prior) -> Tensor:
    u = prior.modes.double().flatten(1)
    sigma = prior.process.sigma(1.0)
    return u.T @ u + sigma**2 * torch.eye(u.shape[1])


# Gaussian


def test_gaussian_samples_have_the_moments_of_the_model():
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(2, 3, 2, generator=generator)
    modes = torch.randn(4, 2, 3, 2, generator=generator)
    prior = sd.GaussianPrior(process(), mean, modes)
    x = prior.sample(100_000, generator)
    assert (x.shape, x.dtype) == ((100_000, 2, 3, 2), torch.float32)
    assert_moments(x.flatten(1), mean.flatten().double(), model_covariance(prior))


def test_a_fit_to_gaussian_images_has_their_moments():
    spectrum = natural_spectrum(5, 4)
    n, tolerance = 50_000, 0.01
    soft = process(severity=1.5)
    prior = sd.GaussianPrior.fit(soft, gaussian_images(spectrum, n), tolerance)
    lam = soft.spectrum(1.0, spectrum[None])[0]
    basis = soft.operator(1.0).to_matrix((1, 5, 4))[0]  # C_1
    units = DCT.inverse(torch.eye(20).double().reshape(20, 1, 5, 4)).flatten(1)
    data = units.T @ ((lam**2 * spectrum).flatten()[:, None] * units)
    assert 1 < len(prior.modes) < 20

    assert_within_error(prior.mean.flatten(), basis.sum(1) * 0.3, data.diagonal(), n)
    # Between the fit and the truth lie the error of n images, and the modes that were dropped,
    # each of which is smaller than the tolerance.
    fitted = model_covariance(prior) - soft.sigma(1.0) ** 2 * torch.eye(20)
    variance = data.diagonal()
    error = ((variance[:, None] * variance + data**2) / n).sqrt()
    allowed = norm.isf(FALSE_ALARM / 2 / 400) * error + tolerance * soft.sigma(1.0) ** 2
    assert ((fitted - data).abs() < allowed).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_about_eight_modes_a_channel_outlive_a_blur_of_23_pixels(channels):
    soft = process(severity=23.0, sigma=0.2)
    spectrum = natural_spectrum(64, 64, channels)
    prior = sd.GaussianPrior.fit(soft, gaussian_images(spectrum, 400))
    variances = soft.spectrum(1.0, spectrum[None])[0] ** 2 * spectrum
    survivors = int((variances > 0.01 * 0.2**2).sum())
    assert 7 <= survivors / channels <= 9
    assert len(prior.modes) == survivors
    assert prior.explained is not None
    assert prior.explained > 0.999


def surviving(prior) -> tuple[Tensor, Tensor]:
    u = prior.modes.double().flatten(1)
    return u.square().sum(1), u.T @ u


def test_fewer_images_than_coordinates_give_the_same_modes():
    # Images that were repeated change the sides of the matrix, and nothing else but N - 1.
    soft = process(severity=2.0)
    few = gaussian_images(natural_spectrum(8, 7), 50)
    many = few.repeat(2, 1, 1, 1)
    variances, matrix = surviving(sd.GaussianPrior.fit(soft, few))
    variances_again, matrix_again = surviving(sd.GaussianPrior.fit(soft, many))
    ratio = (100 / 99) / (50 / 49)
    torch.testing.assert_close(variances_again, ratio * variances, rtol=1e-5, atol=0)
    torch.testing.assert_close(matrix_again, ratio * matrix, rtol=1e-5, atol=1e-7)


def test_many_large_images_give_the_components_of_their_covariance():
    # 65 x 64 coordinates and more than 4,096 images, of which an exact solution is known: the
    # images are sums of 12 modes with coefficients that are exactly uncorrelated.
    n, k = 4200, 12
    generator = torch.Generator().manual_seed(0)
    z = torch.linalg.qr(torch.randn(n, k, generator=generator, dtype=torch.float64)).Q
    z = torch.linalg.qr(z - z.mean(dim=0)).Q * math.sqrt(n - 1)
    u = torch.linalg.qr(torch.randn(65 * 64, k, generator=generator, dtype=torch.float64)).Q
    std = torch.linspace(3.0, 0.3, k, dtype=torch.float64)
    images = (z * std @ u.T).reshape(n, 1, 65, 64).float()
    soft = process(corruption=sd.Identity())
    prior = sd.GaussianPrior.fit(soft, images, max_modes=8)
    torch.testing.assert_close(prior.modes.flatten(1).norm(dim=1), std[:8].float())
    overlap = prior.modes.flatten(1).double() @ u[:, :8] / std[:8]
    torch.testing.assert_close(overlap.abs(), torch.eye(8).double(), rtol=0, atol=1e-4)
    assert prior.explained == pytest.approx(float((std[:8] ** 2).sum() / (std**2).sum()), abs=1e-6)


def test_the_strongest_modes_are_kept_and_their_share_is_told():
    images = gaussian_images(natural_spectrum(6, 6), 500)
    whole = sd.GaussianPrior.fit(process(), images)
    part = sd.GaussianPrior.fit(process(), images, max_modes=3)
    assert torch.equal(part.modes, whole.modes[:3])
    power = whole.modes.square().flatten(1).sum(1)
    assert whole.explained is not None
    expected = whole.explained * float(power[:3].sum() / power.sum())
    assert part.explained == pytest.approx(expected, rel=1e-5)
    assert repr(part) == f"GaussianPrior(3 modes, {part.explained:.2%} of the variance)"


def test_without_noise_all_modes_survive():
    images = gaussian_images(natural_spectrum(4, 3), 200)
    images[:, :, 0] = 1.0  # three coordinates without variance
    prior = sd.GaussianPrior.fit(process(sigma=0.0, corruption=sd.Identity()), images)
    assert len(prior.modes) == 9
    assert prior.explained == pytest.approx(1.0)
    assert torch.equal(prior.sample(5)[:, :, 0], torch.ones(5, 1, 3))


def test_nothing_survives_a_flow_of_large_images():
    """Whose coefficients are all left out, blurred or not."""
    images = gaussian_images(natural_spectrum(40, 40), 10)
    for soft in (sd.presets.rectified_flow().process, sd.presets.blurred_flow().process):
        prior = sd.GaussianPrior.fit(soft, images)
        assert torch.equal(prior.mean, torch.zeros(1, 40, 40))
        assert prior.modes.shape == (0, 1, 40, 40)


def test_nothing_survives_a_flow():
    soft = sd.SoftDiffusion(sd.Scaling(), schedules.linear((0.0, 1.0), (0.0, 1.0)))
    prior = sd.GaussianPrior.fit(soft, gaussian_images(natural_spectrum(4, 4), 10))
    assert prior.modes.shape == (0, 1, 4, 4)
    x = prior.sample(20_000, torch.Generator().manual_seed(0)).flatten(1)
    assert_moments(x, torch.zeros(16).double(), torch.eye(16).double())
    with pytest.raises(ValueError, match="No mode of the data outlives the noise"):
        sd.MixturePrior.fit(soft, gaussian_images(natural_spectrum(4, 4), 10))


def test_a_corruption_without_a_transform_is_fitted():
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(12, 12, generator=generator, dtype=torch.float64) / 4
    soft = process(1.0, 0.1, sd.MatrixFamily(matrix))
    images = gaussian_images(natural_spectrum(4, 3), 300)
    prior = sd.GaussianPrior.fit(soft, images, tolerance=1e-6)
    corrupted = images.flatten(1) @ matrix.T
    expected = torch.cov(corrupted.T) + 0.01 * torch.eye(12)
    torch.testing.assert_close(model_covariance(prior), expected, rtol=1e-5, atol=1e-6)


class Written(sd.data.Images):
    """A set that reads images when they are asked for, and remembers how many at once."""

    def __init__(self, images: Tensor):
        self.name, self.shape = "written", tuple(images.shape[1:])
        self.images, self.most = images, 0

    def __len__(self):
        return len(self.images)

    def batch(self, indices):
        self.most = max(self.most, len(indices))
        return self.images[indices].float()


@pytest.mark.parametrize("shape", [(1, 8, 7), (3, 24, 24)])
def test_a_set_gives_the_start_of_its_images(shape):
    images = gaussian_images(natural_spectrum(*shape[1:], shape[0]), 1500).clamp(-1, 1).float()
    whole = sd.GaussianPrior.fit(process(), images, max_modes=20)
    found = Written(images)
    part = sd.GaussianPrior.fit(process(), found, max_modes=20)
    assert torch.equal(part.modes, whole.modes)
    assert torch.equal(part.mean, whole.mean)
    assert found.most <= 2**20 // math.prod(shape)
    labels = torch.arange(1500) % 2
    mixtures = [
        sd.MixturePrior.fit_classes(process(), data, labels, max_modes=5)
        for data in (images, found)
    ]
    assert torch.equal(mixtures[0].means, mixtures[1].means)


@pytest.mark.parametrize("family", [sd.GaussianBlur, sd.Pixelate, sd.FadingMask])
def test_large_images_have_the_modes_of_their_pixels(family):
    """Above 1,024 numbers an image the suppressed coefficients are left out."""
    images = gaussian_images(natural_spectrum(24, 24, 2), 1300).clamp(-1, 1).float()
    soft = process(4.0, corruption=family())
    prior = sd.GaussianPrior.fit(soft, images, max_modes=40)
    corrupted = soft.operator(1.0)(images.double()).flatten(1)
    variances, basis = torch.linalg.eigh(corrupted.T.cov())
    strongest = slice(-len(prior.modes), None)
    expected = (basis[:, strongest] * variances[strongest]) @ basis[:, strongest].T
    u = prior.modes.double().flatten(1)
    # Half the last place of single precision is what may be left out of an image; and twice the
    # rounding of a transform in single precision, 2 x 24 products of numbers up to 1.
    rounding = 2.0**-24 * 2 * 48**0.5
    assert (prior.mean.flatten() - corrupted.mean(dim=0)).abs().max() < rounding
    assert (u.T @ u - expected).abs().max() < 2 * rounding * float(variances.max()) ** 0.5
    share = float(variances[strongest].sum() / variances.sum())
    assert prior.explained == pytest.approx(share, abs=1e-6)


def test_an_image_that_is_not_finite_is_found_in_a_set():
    images = torch.zeros(1100, 1, 4, 4)
    images[1050] = math.nan
    with pytest.raises(ValueError, match="must be finite, but 16 of its 1216 entries"):
        sd.GaussianPrior.fit(process(), Written(images))


# Mixture


def test_a_mixture_finds_both_values_of_a_coefficient():
    # The mean of an image is -0.6 or 0.6, a quarter and three quarters of the time.
    n, spread = 4000, 0.1
    generator = torch.Generator().manual_seed(0)
    sign = torch.where(torch.rand(n, generator=generator) < 0.75, 1.0, -1.0)
    level = 0.6 * sign + spread * torch.randn(n, generator=generator)
    images = level[:, None, None, None].expand(n, 1, 4, 4)
    prior = sd.MixturePrior.fit(process(sigma=0.05), images, components=2)
    assert prior.modes.shape == (1, 1, 4, 4)
    light = int(prior.weights.argmin())
    assert prior.weights[light] == pytest.approx(float((sign < 0).double().mean()), abs=1e-4)

    m = 50_000
    x = prior.sample(m, generator).mean(dim=(1, 2, 3)).double()
    std = math.sqrt(spread**2 + 0.05**2 / 16)  # of the level, and of the mean of 16 noises
    low = x < 0
    # Once in 25 million draws one is so far off; of a Gaussian prior, one in twenty would be.
    assert not (x.abs() < 0.6 - 5.5 * std).any()
    share = torch.tensor(0.25)
    both = 1 / (1 / m + 1 / n)  # the fit's own error adds to that of the samples
    assert_within_error(low.double().mean(), share, share * (1 - share), both)
    for side, mean, count in ((low, -0.6, 0.25), (~low, 0.6, 0.75)):
        part = torch.tensor(std**2)
        assert_within_error(x[side].mean(), torch.tensor(mean), part, both * count)


def test_one_component_is_the_gaussian():
    images = gaussian_images(natural_spectrum(4, 4), 2000)
    gauss = sd.GaussianPrior.fit(process(), images)
    mixture = sd.MixturePrior.fit(process(), images, components=1)
    assert torch.equal(mixture.modes, gauss.modes)
    unit = torch.eye(len(gauss.modes))
    # scikit-learn divides by N, and adds 1e-6 to the variances.
    assert torch.allclose(mixture.covariances[0] - 1e-6 * unit, unit * 1999 / 2000, atol=1e-5)
    assert mixture.means.abs().max() < 1e-5


def test_mixture_samples_have_the_moments_of_the_model():
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(3, 2, 2, generator=generator)
    covariances = root @ root.mT + 0.1 * torch.eye(2)
    weights, means = torch.tensor([0.2, 0.5, 0.3]), torch.randn(3, 2, generator=generator)
    modes = torch.eye(2).reshape(2, 1, 1, 2)
    soft = process(sigma=0.0)
    prior = sd.MixturePrior(soft, torch.zeros(1, 1, 2), modes, weights, means, covariances)
    n = 200_000
    x = prior.sample(n, generator).flatten(1).double()
    expected = (weights[:, None] * means).sum(0).double()
    second = (weights[:, None, None] * (covariances + means[:, :, None] * means[:, None])).sum(0)
    variance = second.diagonal().double() - expected**2
    assert_within_error(x.mean(0), expected, variance, n)
    # The fourth moment of a Gaussian: m^4 + 6 m^2 v + 3 v^2.
    v = covariances.diagonal(dim1=-2, dim2=-1)
    fourth = (weights[:, None] * (means**4 + 6 * means**2 * v + 3 * v**2)).sum(0)
    spread = (fourth - second.diagonal() ** 2).double()
    assert_within_error((x**2).mean(0), second.diagonal().double(), spread, n)


def test_the_seed_decides_the_fit(digits):
    fits = [sd.MixturePrior.fit(process(1.0), digits[:400], 3, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(fits[0].means, fits[1].means)
    assert not torch.equal(fits[0].means, fits[2].means)


# Data


def test_a_data_prior_draws_every_image_equally():
    images = torch.tensor([-1.0, 0.0, 1.0])[:, None, None, None].expand(3, 1, 2, 2)
    prior = sd.DataPrior(process(sigma=0.01), images)
    n = 30_000
    x = prior.sample(n, torch.Generator().manual_seed(0))
    chosen = x.mean(dim=(1, 2, 3)).round()
    residual = (x - chosen[:, None, None, None]).flatten(1)
    third = torch.tensor(1 / 3)
    for value in (-1.0, 0.0, 1.0):
        share = (chosen == value).double().mean()
        assert_within_error(share, third, third * (1 - third), n)
    assert_moments(residual, torch.zeros(4).double(), 1e-4 * torch.eye(4).double())


def test_a_data_prior_says_that_it_needs_the_images():
    text = repr(sd.DataPrior(process(), torch.zeros(7, 1, 2, 2)))
    assert "7 training images" in text
    assert "needs them at sampling time, and is not saved" in text
    assert "needs the training images" in str(sd.DataPrior.__doc__)


# All of them


FITS = {
    "gaussian": sd.GaussianPrior.fit,
    "mixture": sd.MixturePrior.fit,
    "data": sd.DataPrior,
}


@pytest.mark.parametrize("name", FITS)
def test_an_image_follows_from_its_generator(name, digits):
    prior = FITS[name](process(1.0), digits)
    batch = prior.sample(16, sd.generators(seed=5, indices=range(16)))
    for i in range(16):
        alone = prior.sample(1, sd.generators(seed=5, indices=[i]))
        torch.testing.assert_close(alone[0], batch[i], rtol=0, atol=1e-5)
    assert torch.equal(batch, prior.sample(16, sd.generators(seed=5, indices=range(16))))
    with pytest.raises(ValueError, match="3 images need 3 generators, but 2 were given"):
        prior.sample(3, sd.generators(seed=5, indices=range(2)))


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("severity", [1.0, 8.0])
def test_samples_look_like_corrupted_digits(name, severity, digits):
    soft, n = process(severity), 40_000
    prior = FITS[name](soft, digits)
    x = prior.sample(n, torch.Generator().manual_seed(0)).double()
    corrupted = soft.operator(1.0)(digits.double())
    noise = soft.sigma(1.0) ** 2
    variance = corrupted.var(dim=0) + noise
    # An EM fit keeps mean and covariance of its data, so all three have the digits' moments.
    assert_within_error(x.mean(0), corrupted.mean(0), variance, n)
    squares = (x - corrupted.mean(0)) ** 2
    found, error = squares.mean(0), squares.std(0) / math.sqrt(n)
    # Dropped modes may take up to the tolerance from the variance, scikit-learn's floor adds 1e-6
    # to that of each coefficient, and it divides by N instead of N - 1.
    slack = 0.01 * noise + (1e-6 + 1 / len(digits)) * corrupted.var(dim=0)
    assert ((found - variance).abs() < norm.isf(FALSE_ALARM / 128) * error + slack).all()


def test_samples_lie_on_the_device_asked_for(digits):
    prior = sd.GaussianPrior.fit(process(), digits)
    assert prior.sample(2, device="meta").device.type == "meta"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tolerance": 0.0}, "The tolerance must be > 0, but is 0"),
        ({"tolerance": math.nan}, "The tolerance must be > 0, but is nan"),
        ({"max_modes": 0}, "max_modes must be at least 1, but is 0"),
        ({"data": torch.zeros(1, 1, 4, 4)}, "at least 2 images, but got 1"),
        ({"data": torch.full((9, 1, 4, 4), math.nan)}, "The images must be finite, but 144"),
        ({"data": torch.eye(16)[:9].reshape(9, 1, 4, 4)}, "All 8 modes that 9 images can show"),
    ],
)
@pytest.mark.parametrize("cls", [sd.GaussianPrior, sd.MixturePrior])
def test_an_impossible_fit_is_refused(cls, change, sentence):
    arguments = {"data": gaussian_images(natural_spectrum(4, 4), 300)} | change
    with pytest.raises(ValueError, match=sentence):
        cls.fit(process(0.1, 0.01), **arguments)


def test_a_mixture_of_too_many_is_refused():
    images = gaussian_images(natural_spectrum(4, 4), 100)
    with pytest.raises(ValueError, match="9 covariances of 16 modes need at least 153 images"):
        sd.MixturePrior.fit(process(0.1, 0.01), images, components=9)
    with pytest.raises(ValueError, match="at least 1 component, not 0"):
        sd.MixturePrior.fit(process(0.1, 0.01), images, components=0)


def test_impossible_arguments_are_refused():
    mean, modes = torch.zeros(1, 2, 2), torch.ones(2, 1, 2, 2)
    half, unit = torch.tensor([0.5, 0.5]), torch.eye(2).expand(2, 2, 2)
    with pytest.raises(ValueError, match="modes must have the mean's shape"):
        sd.GaussianPrior(process(), mean, modes[:, 0])
    with pytest.raises(ValueError, match="2 Gaussians on 2 modes needs means"):
        sd.MixturePrior(process(), mean, modes, half, torch.zeros(2, 3), unit)
    with pytest.raises(ValueError, match="must be >= 0 and have the sum 1"):
        sd.MixturePrior(process(), mean, modes, 2 * half, torch.zeros(2, 2), unit)
    with pytest.raises(ValueError, match="positive definite, but 2 of 2 are not"):
        sd.MixturePrior(process(), mean, modes, half, torch.zeros(2, 2), -unit)
    with pytest.raises(ValueError, match="At least one image"):
        sd.DataPrior(process(), torch.zeros(0, 1, 2, 2))


def two_classes(n: int) -> tuple[Tensor, Tensor]:
    """Images whose brightness tells the class: 0.3 or 0.7, the second one three times as often."""
    images = gaussian_images(0.1 * natural_spectrum(6, 5), n)
    labels = (torch.arange(n) % 4 > 0).long()
    return images + 0.4 * labels[:, None, None, None], labels


def test_a_mixture_by_class_starts_from_the_class_asked_for():
    images, labels = two_classes(4000)
    diffusion = process()
    prior = sd.MixturePrior.fit_classes(diffusion, images, labels)
    assert prior.weights.tolist() == [0.25, 0.75]
    corrupted = diffusion.operator(1.0)(images)
    for label in (0, 1):
        drawn = prior.sample(
            2000, torch.Generator().manual_seed(1), labels=torch.full((2000,), label)
        )
        own = corrupted[labels == label]
        variance = own.var(dim=0) + diffusion.sigma(1.0) ** 2
        assert_within_error(drawn.double().mean(dim=0), own.mean(dim=0), variance, 2000)
    noise = sd.generators(0, range(500))
    free = prior.sample(500, noise)
    open_ = prior.sample(500, sd.generators(0, range(500)), labels=torch.full((500,), -1))
    assert torch.equal(free, open_)


def test_a_fit_by_class_keeps_mean_and_covariance_of_each():
    images, labels = two_classes(400)
    diffusion = process()
    prior = sd.MixturePrior.fit_classes(diffusion, images, labels)
    u = prior.modes.double().flatten(1)
    centred = (diffusion.operator(1.0)(images) - prior.mean.double()).flatten(1)
    z = torch.linalg.lstsq(u.T, centred.T).solution.T  # the modes are orthogonal
    for label in (0, 1):
        own = z[labels == label]
        torch.testing.assert_close(
            prior.means[label], own.mean(dim=0).float(), atol=1e-5, rtol=1e-4
        )
        torch.testing.assert_close(
            prior.covariances[label], own.T.cov().float(), atol=1e-5, rtol=1e-4
        )


def test_a_mode_may_be_the_same_in_all_of_a_class():
    images, labels = two_classes(400)
    images[labels == 0] = images[labels == 0].mean(dim=0)
    prior = sd.MixturePrior.fit_classes(process(), images, labels)
    told = torch.zeros(50, dtype=torch.long)
    drawn = prior.sample(50, torch.Generator().manual_seed(0), labels=told)
    centre = process().operator(1.0)(images[labels == 0][:1]).float()
    assert (drawn - centre).std() == pytest.approx(float(process().sigma(1.0)), rel=0.2)


def test_a_class_of_too_few_images_is_refused():
    images, labels = two_classes(60)
    labels[:] = 0
    labels[0] = 1
    with pytest.raises(ValueError, match="images of every class, but class 1 has 1"):
        sd.MixturePrior.fit_classes(process(), images, labels)
    prior = sd.MixturePrior.fit_classes(process(), *two_classes(400))
    with pytest.raises(ValueError, match="2 images need 2 labels"):
        prior.sample(2, labels=torch.tensor([0]))


def test_images_of_eight_bits_are_refused():
    with pytest.raises(ValueError, match="but have the type torch.uint8"):
        sd.GaussianPrior.fit(process(), torch.zeros(50, 1, 6, 5, dtype=torch.uint8))


def test_images_of_8_bits_are_no_start():
    with pytest.raises(ValueError, match="but have the type torch.uint8"):
        sd.DataPrior(process(), torch.zeros(2, 1, 2, 2, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: y - 1, "but one label is -1; leave out images without a class"),
        (lambda y: y[1:], "400 images need 400 labels of type int64"),
        (lambda y: y[:0], "400 images need 400 labels of type int64"),
        (lambda y: y.float(), "400 images need 400 labels of type int64"),
    ],
)
def test_classes_need_a_label_for_every_image(change, message):
    images, labels = two_classes(400)
    with pytest.raises(ValueError, match=message):
        sd.MixturePrior.fit_classes(process(), images, change(labels))
