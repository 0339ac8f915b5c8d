"""Corruptions in sequence."""

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar

import torch
from torch import Tensor

from ..arguments import checked
from ..operators import Diagonal, LinearOperator, Scale
from .corruption import Corruption

__all__ = ["Composition"]


@checked
class Composition(Corruption):
    r"""Several corruptions one after the other, driven by one severity in [0, 1].

    .. math:: C(\text{severity})
        = C_k(\text{severity} \cdot s_k) \cdots C_1(\text{severity} \cdot s_1)

    Arguments:
        corruptions: The families in the order in which they are applied.
        severities: The severity :math:`s_i` that each of them reaches in the end, in its own unit.

    Raises:
        ValueError: If the lists differ in length, are empty, or a severity is out of range.
    """

    unit: ClassVar[str] = "share of each member's severity"
    max_severity = 1.0

    def __init__(self, corruptions: Sequence[Corruption], severities: Sequence[float]) -> None:
        if len(corruptions) == 0 or len(corruptions) != len(severities):
            raise ValueError(
                "A composition needs one severity for each of its corruptions, but has "
                f"{len(corruptions)} corruptions and {len(severities)} severities."
            )
        for corruption, severity in zip(corruptions, severities, strict=True):
            corruption.at(severity)  # raises if it is out of range
        self.corruptions = list(corruptions)
        self.severities = list(severities)
        combined = self.operator(torch.zeros(()))
        if isinstance(combined, Diagonal):
            self.transform = combined.transform
        elif isinstance(combined, Scale):
            self.transform = corruptions[0].transform

    def operator(self, severity: Tensor) -> LinearOperator:
        members = [
            corruption.operator(severity * final)
            for corruption, final in zip(self.corruptions, self.severities, strict=True)
        ]
        return reduce(lambda done, following: following @ done, members)
