"""A physics as other libraries have them."""

from torch import Tensor

from softdiffusion.operators import LinearOperator


class AsPhysics:
    """The interface of `deepinv.physics.LinearPhysics` around an operator."""

    def __init__(self, operator: LinearOperator) -> None:
        self._operator = operator

    def A(self, x: Tensor, **kwargs: object) -> Tensor:
        return self._operator(x)

    def A_adjoint(self, y: Tensor, **kwargs: object) -> Tensor:
        return self._operator.T(y)
