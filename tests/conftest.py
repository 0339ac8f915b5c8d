"""What all tests share: reproducible random inputs, one thread, and real images."""

import os
import tempfile

import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import Tensor

import softdiffusion as sd

# The same inputs on every machine; a slow machine is no failure.
settings.register_profile(
    "reproducible",
    derandomize=True,
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("reproducible")
torch.set_num_threads(1)

# What is cached lasts for the length of the tests, and is not among that of the user.
_CACHE = tempfile.TemporaryDirectory(prefix="softdiffusion-tests-")
os.environ["XDG_CACHE_HOME"] = _CACHE.name
os.environ["HF_HOME"] = _CACHE.name
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def digits() -> Tensor:
    """The training digits, (1497, 1, 8, 8), in double precision."""
    return sd.data.load("digits").double()


@pytest.fixture(scope="session")
def fashion_mnist() -> Tensor:
    """The first 1,000 test images of Fashion-MNIST, (1000, 1, 28, 28), in double precision."""
    try:
        return sd.data.load("fashion-mnist", split="test")[:1000].double()
    except FileNotFoundError as error:
        pytest.skip(str(error))
