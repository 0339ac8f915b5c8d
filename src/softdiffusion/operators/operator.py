"""Linear operators on batches of images, and their algebra."""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..arguments import checked
from ..checks import as_images, check_count, shown

__all__ = ["LinearOperator", "Product", "Sum"]


class LinearOperator(ABC):
    r"""An immutable linear map :math:`A` that acts on every image of a batch (B, C, ...).

    An operator may hold one map for every sample of a batch. Operators combine as on the page:
    `A + B`, `A - B`, `c * A` with a number or one number a sample, `A @ B`, and `A.T` for the
    adjoint. What can be combined exactly is combined at once (sums and products of operators
    diagonal in the same transform stay diagonal); everything else is applied in turn.

    The result has the dtype of the input; half precision is computed in float32. Images of NumPy
    and Pillow are taken as `softdiffusion.checks.as_images` says.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__call__" in cls.__dict__:
            cls.__call__ = _on_batches(cls.__call__)  # type: ignore[assignment,method-assign]

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """Returns `A x`.

        Raises:
            TypeError: If x is no batch of images.
            ValueError: If its numbers are whole ones, or there are none.
        """

    @property
    @abstractmethod
    def T(self) -> "LinearOperator":
        r"""The adjoint: :math:`\langle A x, y \rangle = \langle x, A^\top y \rangle`."""

    def adjoint(self, y: Tensor) -> Tensor:
        r"""Returns :math:`A^\top y`."""
        return self.T(y)

    def pinverse(self, rtol: float | None = None) -> "LinearOperator":
        """The Moore-Penrose pseudo-inverse as an operator.

        Arguments:
            rtol: Singular values of at most `rtol` times the largest one count as zero. The
                default is the number of coordinates times the precision of the dtype.
        """
        from .matrix import DensePseudoInverse

        return DensePseudoInverse(self, rtol)

    def pinv(self, y: Tensor, rtol: float | None = None) -> Tensor:
        """Returns `A.pinverse(rtol)` applied to `y`."""
        return self.pinverse(rtol)(y)

    def sqrt(self, rounding: float = 0.0) -> "LinearOperator":
        """The positive semi-definite square root of a symmetric positive semi-definite operator.

        Arguments:
            rounding: Eigenvalues from minus this up to zero count as zero, >= 0: what a difference
                of two operators of norm 1 may leave.

        Raises:
            ValueError: If the operator is not positive semi-definite, or its spectrum unknown.
        """
        raise ValueError(
            f"{type(self).__name__} has no known spectrum, so its square root can't be taken; "
            "use an operator that is diagonal in a transform, or a Matrix."
        )

    @checked
    def to_matrix(
        self,
        shape: tuple[int, ...],
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Writes the operator out as explicit matrices.

        Arguments:
            shape: The shape (C, ...) of one input image, of n numbers.
            dtype: The type of the matrices.
            device: Where the operator computes.

        Returns:
            A tensor (B, m, n), with B = 1 where the operator is the same for all samples.
        """
        n = check_count("The numbers of an image", math.prod(shape), 1, 2**14)
        units = torch.eye(n, dtype=dtype, device=device).reshape(n, 1, *shape)
        return torch.stack([self(unit).flatten(1) for unit in units], dim=-1)

    def __add__(self, other: "LinearOperator") -> "LinearOperator":
        if not isinstance(other, LinearOperator):
            return NotImplemented
        return self._plus(other) or other._plus(self) or Sum(self, other)

    def __matmul__(self, other: "LinearOperator") -> "LinearOperator":
        if not isinstance(other, LinearOperator):
            return NotImplemented
        return self._times(other) or other._after(self) or Product(self, other)

    def __mul__(self, factor: float | Tensor) -> "LinearOperator":
        from .scale import Scale

        if isinstance(factor, LinearOperator):
            raise TypeError("The product of two operators is written A @ B.")
        return Scale(factor) @ self

    __rmul__ = __mul__

    def __neg__(self) -> "LinearOperator":
        return -1.0 * self

    def __sub__(self, other: "LinearOperator") -> "LinearOperator":
        if not isinstance(other, LinearOperator):
            return NotImplemented
        return self + -other

    def _plus(self, other: "LinearOperator") -> "LinearOperator | None":
        """`self + other` in closed form, or None if this class knows none."""
        return None

    def _times(self, other: "LinearOperator") -> "LinearOperator | None":
        """`self @ other` in closed form, or None if this class knows none."""
        return None

    def _after(self, other: "LinearOperator") -> "LinearOperator | None":
        """`other @ self` in closed form, or None if this class knows none."""
        return None


Call = Callable[[Any, Tensor], Tensor]


def _on_batches(call: Call) -> Call:
    """What an operator does, to all that is taken for a batch of images or of measurements."""

    @functools.wraps(call)
    def on_batches(self: Any, x: Tensor) -> Tensor:
        # Measurements may have fewer axes than images, and may be complex.
        if not isinstance(x, Tensor):
            x = as_images("The images", x)
        if x.ndim < 2 or 0 in x.shape or not (x.is_floating_point() or x.is_complex()):
            raise ValueError(
                f"{type(self).__name__} takes a batch of real images (B, C, ...), at least one, "
                f"but got {shown(x)}."
            )
        return call(self, x)

    return on_batches


class Sum(LinearOperator):
    """`A + B`, applied one beside the other."""

    def __init__(self, a: LinearOperator, b: LinearOperator) -> None:
        self.a = a
        self.b = b

    def __call__(self, x: Tensor) -> Tensor:
        return self.a(x) + self.b(x)

    @property
    def T(self) -> LinearOperator:
        return self.a.T + self.b.T


class Product(LinearOperator):
    """`A @ B`: first `B`, then `A`."""

    def __init__(self, a: LinearOperator, b: LinearOperator) -> None:
        self.a = a
        self.b = b

    def __call__(self, x: Tensor) -> Tensor:
        return self.a(self.b(x))

    @property
    def T(self) -> LinearOperator:
        return self.b.T @ self.a.T
