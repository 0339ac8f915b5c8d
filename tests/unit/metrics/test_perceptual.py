import pytest
import torch

import softdiffusion as sd


@pytest.fixture(scope="module")
def extractor() -> sd.metrics.FeatureExtractor:
    return sd.metrics.extractor("digits-8")


def test_it_is_the_distance_of_the_features(extractor):
    images, originals = sd.data.load("digits")[:6].split(3)
    found = sd.metrics.feature_distance(images, originals, extractor)
    for i in range(3):
        pair = extractor(torch.stack([images[i], originals[i]]))
        torch.testing.assert_close(found[i], torch.dist(pair[0], pair[1]))


def test_it_grows_with_the_damage_and_is_zero_without(extractor):
    x0 = sd.data.load("digits", split="test")[:100]
    blur = sd.GaussianBlur()
    assert torch.equal(sd.metrics.feature_distance(x0, x0, extractor), torch.zeros(100))
    means = [
        float(sd.metrics.feature_distance(blur.at(s)(x0).clamp(-1, 1), x0, extractor).mean())
        for s in (0.3, 0.6, 1.0, 2.0)
    ]
    assert means == sorted(means)


def test_pairs_must_fit(extractor):
    x = torch.zeros(2, 1, 8, 8)
    with pytest.raises(ValueError, match="Every image needs its original"):
        sd.metrics.feature_distance(x, x[:1], extractor)
