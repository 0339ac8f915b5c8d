import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import FrechetInceptionDistance

from softdiffusion import data
from softdiffusion.metrics import FrechetDistance, eight_bit, extractor


def correlated(count, seed, shift=0.0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    return torch.randn(count, 6, generator=generator, dtype=torch.float64) @ mixing + shift


def closed_form(a, b):
    cov_a, cov_b = (np.cov(x.numpy(), rowvar=False) for x in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    shift = (a.mean(dim=0) - b.mean(dim=0)).square().sum().item()
    return shift + np.trace(cov_a + cov_b - 2 * root)


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_it_is_the_closed_form(shift):
    a, b = correlated(300, 0), correlated(200, 1, shift)
    assert FrechetDistance(a)(b).item() == pytest.approx(closed_form(a, b), rel=1e-9)


def test_a_set_has_no_distance_from_itself_and_a_shift_counts_squared():
    features = correlated(300, 0)
    distance = FrechetDistance(features)
    assert distance(features).item() == pytest.approx(0, abs=1e-6)
    assert distance(features + 2).item() == pytest.approx(6 * 2**2, abs=1e-6)


def test_calls_do_not_influence_each_other():
    distance = FrechetDistance(correlated(100, 0))
    first = distance(correlated(50, 1))
    distance(correlated(50, 2))
    assert distance(correlated(50, 1)) == first


def test_extractors_can_also_be_handed_to_torchmetrics():
    classifier = extractor("digits-8")
    training, test = data.load("digits"), data.load("digits", split="test")
    metric = FrechetInceptionDistance(classifier, normalize=True)
    metric.update(training, real=True)
    metric.update(test, real=False)
    ours = FrechetDistance(classifier.extract(training))(classifier.extract(eight_bit(test)))
    assert ours.item() == pytest.approx(metric.compute().item(), rel=1e-3)


def test_too_few_or_broken_features_are_refused():
    features = correlated(10, 0)
    with pytest.raises(ValueError, match="Features must be at least 2 .* there are 1; give more"):
        FrechetDistance(features)(features[:1])
    with pytest.raises(ValueError, match="Reference features must be finite"):
        FrechetDistance(features * torch.inf)
    with pytest.raises(ValueError, match=r"shape \(N, F\), but have shape \(10,\)"):
        FrechetDistance(features)(features[:, 0])
