"""An orthonormal basis of the whole image, written out."""

import torch
from torch import Tensor

from ..arguments import checked
from .transforms import Transform, along, check_orthonormal

__all__ = ["Basis"]


@checked
class Basis(Transform):
    """An orthonormal basis of the flattened image, such as the eigenvectors of a matrix.

    Arguments:
        basis: A matrix (n, n) whose rows are the basis vectors.

    Raises:
        ValueError: If the rows are not orthonormal, or an image has another size.
    """

    def __init__(self, basis: Tensor) -> None:
        self.basis = check_orthonormal("a basis", basis)

    def forward(self, x: Tensor) -> Tensor:
        return self._times(self.basis, x)

    def inverse(self, z: Tensor) -> Tensor:
        return self._times(self.basis.T, z)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Basis) and torch.equal(self.basis, other.basis)

    def __hash__(self) -> int:
        return hash((Basis, self.basis.shape))

    def _times(self, matrix: Tensor, x: Tensor) -> Tensor:
        if x[0].numel() != len(matrix):
            raise ValueError(
                f"The basis takes images of {len(matrix)} numbers, but got images of shape "
                f"{tuple(x.shape[1:])}."
            )
        return along(1, matrix.to(x), x.flatten(1)).reshape(x.shape)
