import math

import pytest
import torch
from scipy.ndimage import gaussian_filter

from softdiffusion import data
from softdiffusion.metrics import eight_bit, psnr, ssim


def noise(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_psnr_is_its_formula_for_every_image():
    a, b = noise(3, 1, 9, 9), noise(3, 1, 9, 9, seed=1)
    errors = (eight_bit(a) - eight_bit(b)).square().mean(dim=(1, 2, 3))
    expected = [10 * math.log10(4 / error) for error in errors.tolist()]
    assert psnr(a, b).tolist() == pytest.approx(expected, rel=1e-5)
    assert psnr(a, a).isinf().all()


def test_ssim_of_flat_images_is_the_luminance_term():
    a, b = torch.full((1, 1, 16, 16), 0.0), torch.full((1, 1, 16, 16), 0.5)
    x, y = eight_bit(a)[0, 0, 0, 0].item(), eight_bit(b)[0, 0, 0, 0].item()
    c = (0.01 * 2) ** 2
    assert ssim(a, b).item() == pytest.approx((2 * x * y + c) / (x**2 + y**2 + c), abs=1e-4)


def test_ssim_is_1_for_equal_images_and_falls_with_blur():
    images = data.load("digits")[:20]
    blurred = [
        torch.from_numpy(gaussian_filter(images.numpy(), (0, 0, s, s))).clamp(-1, 1)
        for s in (0.5, 2.0)
    ]
    values = [ssim(images, x, sigma=0.5) for x in (images, *blurred)]
    assert values[0].tolist() == pytest.approx([1] * 20)
    assert (values[0] > values[1]).all()
    assert values[1].mean() > values[2].mean()


def test_bad_pairs_are_refused():
    with pytest.raises(ValueError, match="Every image needs its original"):
        psnr(noise(2, 1, 8, 8), noise(3, 1, 8, 8))
    with pytest.raises(
        ValueError, match="window of 11 pixels .* does not fit into images of 8 x 8"
    ):
        ssim(noise(2, 1, 8, 8), noise(2, 1, 8, 8))
    with pytest.raises(ValueError, match=r"Originals must lie in \[-1, 1\]"):
        psnr(noise(2, 1, 8, 8), 2 + noise(2, 1, 8, 8))
