import torch

import softdiffusion as sd

X = torch.randn(2, 1, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_scaling_removes_a_share_of_the_amplitude():
    y = sd.Scaling().at(torch.tensor([0.25, 1.0]))(X)
    assert torch.allclose(y[0], 0.75 * X[0])
    assert (y[1] == 0).all()


def test_the_identity_ignores_its_severity():
    assert torch.equal(sd.Identity().at(1e9)(X), X)
