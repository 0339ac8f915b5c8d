import pytest
import torch

from softdiffusion.metrics import jackknife


def test_the_error_of_a_mean_with_groups_of_one_is_the_usual_one():
    samples = torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = samples.std() / 50**0.5
    assert jackknife(torch.mean, samples, groups=50).item() == pytest.approx(expected.item())


def test_groups_measure_the_spread_over_fresh_draws():
    generator = torch.Generator().manual_seed(0)
    draws = torch.randn(200, 400, generator=generator, dtype=torch.float64).exp()
    errors = torch.stack([jackknife(torch.mean, draw) for draw in draws])
    spread = draws.mean(dim=1).std()
    assert errors.square().mean().sqrt().item() == pytest.approx(spread.item(), rel=0.15)


def test_vectors_are_measured_entry_by_entry():
    samples = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)).double()
    both = jackknife(lambda x: x.mean(dim=0), samples)
    second = jackknife(lambda x: x[:, 1].mean(), samples)
    assert both[1].item() == pytest.approx(second.item())
