"""What a step asks the device for."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import softdiffusion as sd
from softdiffusion.checks import trusted
from tests.registry import process

OBJECTIVES = [
    sd.SoftScoreMatching(),
    sd.CleanRegression(),
    sd.StepMatched(10, soft_share=0.1),
]


class Deaf(TorchDispatchMode):
    """Refuses to give numbers to Python, for which a GPU would be waited for."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func is not torch.ops.aten._local_scalar_dense.default, "a number was read"
        return func(*args, **kwargs or {})


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda kind: type(kind).__name__)
@pytest.mark.parametrize("classes", [0, 3])
def test_a_step_of_trusted_values_reads_no_number(objective, classes):
    denoiser = sd.Denoiser(sd.SmallUNet(1, 8, (1,), classes=classes), process())
    x0, noise = torch.rand(2, 4, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    t = torch.tensor([0.1, 0.4, 0.7, 1.0])
    told = {"labels": torch.tensor([0, 2, -1, 1])} if classes else {}

    def loss():
        return objective(denoiser.process, lambda x, t: denoiser(x, t, **told), x0, t, noise)

    expected = loss()
    with pytest.raises(AssertionError, match="a number was read"), Deaf():
        loss()
    with trusted(), Deaf():
        found = loss()
        found.mean().backward()
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):  # the checks are back
        denoiser(x0, t + 1)
