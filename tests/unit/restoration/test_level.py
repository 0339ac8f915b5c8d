import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import softdiffusion as sd
from softdiffusion import schedules
from softdiffusion.restoration import start_time, top_up
from softdiffusion.schedules import Constant, Geometric, Linear, Table

CURVES = {
    "geometric": (Geometric(0.2, 8.0), Geometric(0.02, 0.2)),
    "saturated noise": (Geometric(0.2, 8.0), Geometric(0.02, 0.2, saturation=0.25)),
    "saturated severity": (Geometric(0.2, 8.0, saturation=0.5), Linear(0.02, 0.2)),
    "constant noise": (Linear(0.0, 8.0), Constant(0.1)),
    "table with a step": (Table([0.0, 1.0, 1.0, 4.0]), Table([0.0, 0.1, 0.3, 0.3])),
    "noise alone": (Constant(0.0), Geometric(0.01, 50.0)),
}


def process(name: str) -> sd.SoftDiffusion:
    return sd.SoftDiffusion(sd.GaussianBlur(), sd.Schedule(*CURVES[name]))


@pytest.mark.parametrize("name", CURVES)
@given(st.floats(0, 1), st.floats(0, 1))
def test_an_image_of_the_process_is_found_on_its_level(name, t, share):
    """Severity as given, at least the noise that it has, and no earlier level has both."""
    found_in = process(name)
    time = torch.tensor(t, dtype=torch.float64)
    severity, sigma = found_in.schedule(time)
    sigma_y = share * float(sigma)
    start = start_time(found_in, severity, sigma_y)
    assert start <= time + 1e-6
    at, noise = found_in.schedule(start)
    torch.testing.assert_close(at, severity, rtol=3e-6, atol=1e-12)
    assert noise >= sigma_y * (1 - 2e-6)
    earlier = start - 1e-3
    if earlier >= 0:
        before, quieter = found_in.schedule(earlier)
        assert before < severity or quieter < sigma_y


def test_one_time_an_image():
    severities = torch.tensor([0.2, 1.0, 8.0], dtype=torch.float64)
    times = start_time(process("geometric"), severities, 0.01)
    expected = torch.log(severities / 0.2) / torch.log(torch.tensor(40.0))
    torch.testing.assert_close(times, expected.double(), rtol=1e-5, atol=1e-5)


def test_where_the_severity_stays_more_noise_means_a_later_time():
    table = process("table with a step")
    times = [float(start_time(table, 1.0, sigma)) for sigma in (0.05, 0.2, 0.3)]
    assert times == pytest.approx([1 / 3, 1 / 2, 2 / 3], abs=1e-5)


@given(st.floats(0, 0.2), st.floats(0.05, 1), st.integers(0, 100))
def test_topped_up_images_have_the_noise_of_their_level(sigma_y, t, seed):
    blur = process("constant noise")
    sigma_y = min(sigma_y, 0.1)
    generator = torch.Generator().manual_seed(seed)
    y = torch.randn(3, 1, 5, 4, generator=generator, dtype=torch.float64)
    ones = torch.ones_like(y)
    added = top_up(blur, y, torch.tensor(t, dtype=torch.float64), sigma_y, ones) - y
    assert torch.allclose(added**2 + sigma_y**2, 0.01 * ones)


def test_what_is_outside_of_the_schedule_is_refused_in_one_sentence():
    blur = process("geometric")
    with pytest.raises(ValueError, match=r"severity \(std in pixels\).*in \[0.2, 8\], but is 9"):
        start_time(blur, 9.0)
    with pytest.raises(ValueError, match=r"in \[0.2, 8\], but is 0.1"):
        start_time(blur, torch.tensor([1.0, 0.1]))
    with pytest.raises(ValueError, match="noise of 0.1, but .* only 0.0397 at severity 0.6; res"):
        start_time(blur, 0.6, 0.1)
    with pytest.raises(ValueError, match="noise of 0.3, but .* only 0.2 at severity 8; restore"):
        start_time(blur, 8.0, 0.3)
    with pytest.raises(ValueError, match="sigma_y must be in \\[0, 1e\\+09\\], but is -0.1"):
        start_time(blur, 1.0, -0.1)


def test_the_schedule_of_a_recipe_is_searched_likewise():
    cosine = sd.SoftDiffusion(sd.Scaling(), schedules.cosine())
    severity, sigma = cosine.schedule(torch.tensor(0.3, dtype=torch.float64))
    assert float(start_time(cosine, severity, float(sigma))) == pytest.approx(0.3, abs=1e-5)
