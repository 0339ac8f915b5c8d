"""How close two results in double precision must be."""

from torch import Tensor

#: The relative error that the laws allow.
TOLERANCE = 1e-10


def assert_close(actual: Tensor, expected: Tensor, scale: float | Tensor | None = None) -> None:
    """Fails if `actual` is further from `expected` than 1e-10 of a scale.

    Arguments:
        scale: The size that rounding errors are relative to; the norm of `expected` by default.
    """
    assert actual.shape == expected.shape
    error = float((actual - expected).norm())
    limit = TOLERANCE * float(expected.norm() if scale is None else scale)
    assert error <= limit, f"differs by {error:.2e}, but only {limit:.2e} is allowed"
