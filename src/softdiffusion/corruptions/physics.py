"""Corruptions from other libraries."""

from typing import ClassVar

from torch import Tensor

from ..arguments import checked
from ..operators import LinearOperator, MatrixFree, Scale, from_physics
from ..operators.physics import Physics, dtype_of
from .corruption import Corruption

__all__ = ["LinearPhysics"]


@checked
class LinearPhysics(Corruption):
    r"""The straight line from the identity to a linear physics of the library deepinv.

    .. math:: C = (1 - \text{severity})\, I + \text{severity}\, A
        \qquad\text{or}\qquad C = (1 - \text{severity})\, I + \text{severity}\, A^\top A

    The second is symmetric and also for measurements of another shape than the image. At severity
    1 exactly `A x`, or the back-projected measurement, is left. No transform is known in which the
    family is diagonal; the families of this package are faster where they do the same.

    Source: Tachella et al. 2023, deepinv (https://deepinv.github.io), `deepinv.physics`.

    Arguments:
        physics: An object with the methods `A(x)` and `A_adjoint(y)`, as all of
            `deepinv.physics.LinearPhysics` have; deepinv itself is not needed. Its noise model is
            not used, and its adjoint is trusted. A model is saved with it only if its class keeps
            every argument of its constructor as an attribute of the same name, which deepinv's do
            not; for recipes and saved models build the physics in a corruption of your own.
        normal: Whether the line ends in :math:`A^\top A` rather than in A.

    Raises:
        ValueError: When called, if A changes the shape or makes complex numbers, and `normal` is
            not set.
    """

    unit: ClassVar[str] = "share of the way to the physics"
    max_severity = 1.0

    def __init__(self, physics: Physics, normal: bool = False) -> None:
        self.physics = physics
        self.normal = normal

    def operator(self, severity: Tensor) -> LinearOperator:
        A = from_physics(self.physics)
        if self.normal:
            end: LinearOperator = A.T @ A
        else:
            end = MatrixFree(self._image, A.T, dtype_of(self.physics))
        return Scale(1.0 - severity) + severity * end

    def _image(self, x: Tensor) -> Tensor:
        """The measurement, if it has the shape of an image."""
        y = self.physics.A(x)
        if y.is_complex():
            raise ValueError(
                "The physics turns images into complex measurements; use normal=True, which brings "
                "them back."
            )
        if y.shape != x.shape:
            raise ValueError(
                f"The physics turns images of shape {tuple(x.shape[1:])} into measurements of "
                f"shape {tuple(y.shape[1:])}; use normal=True, which brings them back."
            )
        return y
