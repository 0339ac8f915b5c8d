"""Families of linear corruptions, ordered by severity."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from ..checks import check_range
from ..operators import LinearOperator, Transform

__all__ = ["Corruption"]


class Corruption(ABC):
    r"""A family of linear operators :math:`C(\text{severity})` with :math:`C(0) = I`.

    The severity has a physical unit and grows with the damage; only a schedule knows the time.
    A new family says its `unit`, its `max_severity`, the `transform` that makes all its members
    diagonal (None if there is none), and how to build the `operator`.
    """

    #: The unit of the severity, for axes and messages.
    unit: ClassVar[str]
    #: The largest severity that the family has.
    max_severity: float = math.inf
    #: The orthonormal transform in which every member is diagonal.
    transform: Transform | None = None

    def at(self, severity: float | Tensor) -> LinearOperator:
        """Returns the operator at a severity, or at one severity a sample.

        Arguments:
            severity: In [0, max_severity], and at most 1e9; a number or a tensor of shape (B,).

        Raises:
            ValueError: If a severity lies outside the range or is not finite.
        """
        name = f"The severity of {type(self).__name__} ({self.unit})"
        return self.operator(check_range(name, severity, 0.0, self.max_severity))

    @abstractmethod
    def operator(self, severity: Tensor) -> LinearOperator:
        """Builds the operator at a severity that was checked, of shape () or (B,)."""
