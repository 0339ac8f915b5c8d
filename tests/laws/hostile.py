"""Values that no argument was made for, and what must become of them."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tests.registry import IMAGES

__all__ = ["HOSTILE", "complaint", "verdict"]

#: One of each kind: nothing, not finite, huge, tiny, negative, zero, of another type or shape.
HOSTILE: tuple[object, ...] = (
    None,
    math.nan,
    math.inf,
    -math.inf,
    1e308,
    1e20,
    -1e20,
    1e-300,
    10**400,
    -(10**400),
    2**63,
    2**40,
    -1,
    0,
    0.0,
    2.5,
    True,
    "",
    "x",
    b"x",
    [],
    [None],
    [math.nan, math.inf],
    [1e308, 2**70],
    ["x"],
    (1, 2, 3),
    {},
    {"x": 1},
    object(),
    1j,
    np.float64("nan"),
    np.float32(0.5),
    np.int64(-3),
    np.bool_(True),
    np.zeros((2, 2)),
    np.full((3, 1, 6, 5), np.nan),
    np.array(["x"]),
    np.zeros(0),
    Image.new("RGB", (5, 6)),
    torch.utils.data.TensorDataset(IMAGES),
    torch.nn.Identity(),
    torch.device("cpu"),
    len,
    torch.zeros(0),
    torch.zeros(()),
    torch.tensor(math.nan),
    torch.full((3, 1, 6, 5), 1e30),
    torch.full((3, 1, 6, 5), math.nan),
    torch.zeros(0, 1, 6, 5),
    torch.zeros(3, 1, 0, 5),
    torch.ones(2, 7),
    torch.ones(3, dtype=torch.bool),
    torch.arange(4),
    torch.ones(3, 1, 6, 5, dtype=torch.complex64),
    torch.ones(3, 1, 6, 5, dtype=torch.float16),
    torch.ones(2, 2).to_sparse(),
)


#: What arguments are called in sentences.
_WORDS = {
    "data": "images",
    "x": "images",
    "logsnr": "log-snr",
    "x1": "starts|images",
    "y": "measurements",
    "n": "starts",
    "t": "time",
    "std": "standard deviations",
    "count": "number",
    "channels": "channel",
    "weights": "mixture",
    "factor": "values",
    "b": "images|b must",
    "shape": "numbers of an image",
    "s": "time",
    "x0": "images|training",
    "x_t": "images|states",
    "labels": "label",
    "x0_hat": "images",
    "severity_a": "severity",
    "beta_start": "variances",
    "beta_end": "variances",
    "severities": "severity",
    "severity": "table|curve",
    "sigma": "table|curve",
    "blur": "curve",
    "hole": "curve",
    "steps": "calls",
    "delta": "sigma",
    "distances": "candidates",
    "width": "window",
    "levels": "kernels|masks|resolution",
    "indices": "seed",
    "spectrum": "image",
    "basis": "basis",
    "matrix": "channels",
}


def complaint(error: Exception, *names: str) -> str | None:
    """What is wrong with the message of an error, or None: a sentence names what it is about."""
    message = str(error)
    words = {word[:5] for name in names for word in name.lower().split("_") if len(word) > 1}
    words |= {word for name in names for word in _WORDS.get(name, "").split("|") if word}
    words |= {f"{names[0].lower()} of "}
    if "\n" in message or not message.endswith(".") or len(message) > 500:
        return f"no sentence: {message!r}"
    if not any(word in message.lower() for word in words):
        return f"names none of {sorted(words)}: {message!r}"
    return None


def verdict(use: Callable[[], object], *names: str) -> str | None:
    """What is wrong with the outcome of a use, or None: a finite result, or a sentence."""
    try:
        result = use()
    except (ValueError, TypeError, FileNotFoundError) as error:
        return complaint(error, *names)
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"
    wrong = [t for t in tensors(result) if not torch.isfinite(t).all()]
    return f"the result holds {wrong[0].flatten()[:3].tolist()}" if wrong else None


def tensors(result: object) -> Iterator[Tensor]:
    if isinstance(result, Tensor) and (result.is_floating_point() or result.is_complex()):
        yield result
    elif isinstance(result, float):
        yield torch.tensor(result)
