import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import fourier_ellipsoid
from scipy.special import j1, spherical_jn

import softdiffusion as sd
from softdiffusion.corruptions.defocus import _ball, _disk
from softdiffusion.schedules import wasserstein_distance


def mirrored(x: np.ndarray) -> np.ndarray:
    for axis in range(x.ndim):
        x = np.concatenate([x, np.flip(x, axis)], axis)
    return x


@given(
    st.lists(st.integers(2, 9), min_size=1, max_size=3),
    st.integers(0, 1000),
    st.floats(0.1, 30),
)
def test_it_is_scipys_ball_of_the_mirrored_image(shape, seed, radius):
    x = np.random.default_rng(seed).standard_normal(shape)
    spectrum = fourier_ellipsoid(np.fft.fftn(mirrored(x)).astype(complex), 2 * radius)
    expected = np.fft.ifftn(spectrum).real[tuple(slice(n) for n in shape)]
    y = sd.DefocusBlur().at(radius)(torch.from_numpy(x)[None, None])[0, 0].numpy()
    assert np.linalg.norm(y - expected) <= 1e-10 * np.linalg.norm(x)


@pytest.mark.parametrize("dtype, precision", [(torch.float32, 1e-6), (torch.float64, 2e-14)])
def test_the_transforms_of_disk_and_ball_keep_all_digits(dtype, precision):
    """Also next to 0, where terms cancel, and where one formula follows upon another.

    SciPy itself is off by 7e-15 next to 0.
    """
    q = np.concatenate([np.logspace(-8, 2.6, 500), 25 + np.linspace(-0.1, 0.1, 21)])
    at = torch.from_numpy(q).to(dtype)
    q = at.double().numpy()
    disk, ball = 2 * j1(q) / q, 3 * spherical_jn(1, q) / q
    assert np.abs(_disk(at).double().numpy() - disk).max() <= precision
    assert np.abs(_ball(at).double().numpy() - ball).max() <= precision
    zero = torch.zeros((), dtype=dtype)
    assert [float(_disk(zero)), float(_ball(zero))] == pytest.approx([1, 1], abs=precision)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # torch's own derivatives
@pytest.mark.parametrize("shape", [(2, 1, 7), (2, 1, 5, 6), (2, 1, 3, 4, 5)])
def test_the_derivative_in_the_severity_is_the_limit_of_differences(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def blurred(severity):
        return sd.DefocusBlur().at(severity)(x)

    severity = torch.tensor([0.0, 9.0], dtype=torch.float64)
    _, slope = torch.func.jvp(blurred, (severity,), (torch.ones(2, dtype=torch.float64),))
    h = 1e-5
    ahead, behind = blurred(severity + h), blurred((severity - h).abs())  # even in the severity
    assert (slope - (ahead - behind) / (2 * h)).norm() <= 1e-8 * x.norm()


@pytest.mark.parametrize("shape, radius", [((24,), 1.0), ((24, 9), 1.2197), ((24, 9, 7), 1.4303)])
def test_the_slowest_wave_is_gone_at_the_radius_of_the_documentation(shape, radius):
    wave = torch.cos(torch.pi / 24 * (torch.arange(24, dtype=torch.float64) + 0.5))
    wave = wave.reshape(1, 1, 24, *(1 for _ in shape[1:])).expand(1, 1, *shape)
    assert sd.DefocusBlur().at(24 * radius)(wave).norm() <= 1e-4 * wave.norm()


def test_from_a_radius_of_0_86_pixels_on_the_spectrum_changes_sign(digits):
    """The closed form of the distance is refused then, and a sampled estimate replaces it."""
    defocus = sd.DefocusBlur()
    z = torch.zeros(1, 1, 500, 500, dtype=torch.float64)
    assert defocus.at(0.862).diagonal(z).min() > 0 > defocus.at(0.87).diagonal(z).min()
    assert wasserstein_distance(defocus, digits, 0.3, 0.8, method="closed") > 0
    with pytest.raises(ValueError, match="DefocusBlur does not meet the condition"):
        wasserstein_distance(defocus, digits, 0.5, 3.0, method="closed")
    automatic = wasserstein_distance(defocus, digits, 0.5, 3.0)
    assert automatic == wasserstein_distance(defocus, digits, 0.5, 3.0, method="sliced")


def test_the_formula_of_the_closed_distance_is_an_upper_bound_then(digits):
    """Keeping every image with itself is a coupling, but no longer the best."""
    images, defocus = digits[:200], sd.DefocusBlur()
    moved = defocus.at(1.0)(images) - defocus.at(6.0)(images)
    formula = moved.square().flatten(1).sum(1).mean().sqrt().item()
    exact = wasserstein_distance(defocus, images, 1.0, 6.0, method="exact", samples=200)
    assert exact <= formula * (1 + 1e-12)


def test_more_than_three_axes_are_refused():
    with pytest.raises(ValueError, match="known on lines, planes and volumes, but .* have 4 axes"):
        sd.DefocusBlur().at(1.0)(torch.zeros(1, 1, 2, 2, 2, 2))
