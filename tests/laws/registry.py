"""Every kind of operator and of corruption, built at random for images of any shape."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

import softdiffusion as sd
from softdiffusion.operators import (
    DCT,
    ChannelBasis,
    Diagonal,
    LinearOperator,
    Matrix,
    MatrixFree,
    Pixel,
    Scale,
    Transform,
)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Draw:
    """Random numbers for one example: a batch of images, and operators that fit it.

    Attributes:
        shape: The shape (C, ...) of an image: a line, a plane or a volume.
        batch: The number of images.
        operators: `batch` for one operator a sample, 1 for the same operator for all.
        seed: Seeds all that is drawn.
    """

    shape: Shape
    batch: int
    operators: int
    seed: int

    @property
    def n(self) -> int:
        return math.prod(self.shape)

    def normal(self, *shape: int, salt: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(1000 * self.seed + salt)
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    def uniform(self, *shape: int, salt: int = 0) -> Tensor:
        generator = torch.Generator().manual_seed(1000 * self.seed + salt)
        return torch.rand(shape, generator=generator, dtype=torch.float64)

    def images(self, salt: int = 0) -> Tensor:
        return self.normal(self.batch, *self.shape, salt=100 + salt)

    def factor(self, salt: int = 0) -> Tensor:
        """One number for all operators or one each, in the two forms that a factor may have."""
        return self.normal(salt=salt) if self.operators == 1 else self.normal(self.batch, salt=salt)


def draws(largest: int = 5, batches: tuple[int, ...] = (1, 3)) -> st.SearchStrategy[Draw]:
    """Lines, planes (also not square) and volumes of up to three channels."""
    side = st.integers(1, largest)
    shapes = st.one_of(
        st.tuples(st.integers(1, 3), side, side),
        st.tuples(st.integers(1, 3), side),
        st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3)),
    )
    batch = st.sampled_from(batches)
    return st.builds(
        lambda shape, size, shared, seed: Draw(shape, size, 1 if shared else size, seed),
        shapes,
        batch,
        st.booleans(),
        st.integers(0, 1000),
    )


def orthonormal(draw: Draw, n: int, salt: int = 0) -> Tensor:
    return torch.linalg.qr(draw.normal(n, n, salt=salt)).Q


def channel_basis(draw: Draw) -> ChannelBasis:
    return ChannelBasis(orthonormal(draw, draw.shape[0], salt=7))


def diagonal(transform: Transform, values: Tensor) -> Diagonal:
    return Diagonal(transform, lambda z: values.to(z))


def random_diagonal(transform: Transform, draw: Draw, salt: int) -> Diagonal:
    return diagonal(transform, draw.normal(draw.operators, *draw.shape, salt=salt))


def random_matrix(draw: Draw, salt: int) -> Tensor:
    matrices = draw.normal(draw.operators, draw.n, draw.n, salt=salt) / math.sqrt(draw.n)
    return matrices[0] if draw.operators == 1 else matrices


def shift(draw: Draw, salt: int) -> MatrixFree:
    """Neither symmetric nor diagonal in any of the transforms: weights times a cyclic shift."""
    weights = draw.normal(draw.operators, *draw.shape, salt=salt)
    return MatrixFree(
        lambda x: weights.to(x) * x.roll(1, dims=-1),
        lambda y: (weights.to(y) * y).roll(-1, dims=-1),
    )


Build = Callable[[Draw, int], LinearOperator]

#: Operators that keep the shape of an image, so that any two of them add and multiply.
OPERATORS: dict[str, Build] = {
    "Scale": lambda draw, salt: Scale(draw.factor(salt)),
    "Diagonal in the DCT": lambda draw, salt: random_diagonal(DCT(), draw, salt),
    "Diagonal in the pixels": lambda draw, salt: random_diagonal(Pixel(), draw, salt),
    "Diagonal in the channels": lambda draw, salt: random_diagonal(channel_basis(draw), draw, salt),
    "Matrix": lambda draw, salt: Matrix(random_matrix(draw, salt)),
    "MatrixFree": shift,
    "Sum": lambda draw, salt: shift(draw, salt) + random_diagonal(DCT(), draw, salt + 1),
    "Product": lambda draw, salt: Matrix(random_matrix(draw, salt)) @ shift(draw, salt + 1),
}


def wide(draw: Draw, salt: int) -> LinearOperator:
    """A matrix from images to lines of two channels that hold half as much."""
    m = 2 * max(1, draw.n // 4)
    return Matrix(draw.normal(draw.operators, m, draw.n, salt=salt), draw.shape, (2, m // 2))


#: Operators that change the shape.
RECTANGULAR: dict[str, Build] = {
    "wide Matrix": wide,
    "tall Matrix": lambda draw, salt: wide(draw, salt).T,
    "wide Product": lambda draw, salt: wide(draw, salt) @ shift(draw, salt + 1),
}


BuildCorruption = Callable[[Draw], sd.Corruption]

#: Every family of corruptions.
CORRUPTIONS: dict[str, BuildCorruption] = {
    "GaussianBlur": lambda draw: sd.GaussianBlur(),
    "FadingMask": lambda draw: sd.FadingMask(),
    "Scaling": lambda draw: sd.Scaling(),
    "Identity": lambda draw: sd.Identity(),
    "MatrixFamily": lambda draw: sd.MatrixFamily(draw.normal(draw.n, draw.n, salt=1)),
    "Composition in one transform": lambda draw: sd.Composition(
        [sd.GaussianBlur(), sd.Scaling()], [4.0, 0.9]
    ),
    "Composition of a scaling and a mask": lambda draw: sd.Composition(
        [sd.Scaling(), sd.FadingMask()], [0.9, 3.0]
    ),
    "Composition in two transforms": lambda draw: sd.Composition(
        [sd.GaussianBlur(), sd.FadingMask()], [4.0, 3.0]
    ),
    "Composition of a composition": lambda draw: sd.Composition(
        [
            sd.MatrixFamily(draw.normal(draw.n, draw.n, salt=2)),
            sd.Composition([sd.GaussianBlur(), sd.FadingMask()], [4.0, 3.0]),
        ],
        [0.7, 1.0],
    ),
}


def severities(corruption: sd.Corruption, draw: Draw, salt: int = 3) -> Tensor:
    """Severities over the whole range; families without an end are tried up to 9."""
    size = () if draw.operators == 1 else (draw.batch,)
    return min(corruption.max_severity, 9.0) * draw.uniform(*size, salt=salt)


def member(name: str) -> Build:
    def build(draw: Draw, salt: int) -> LinearOperator:
        corruption = CORRUPTIONS[name](draw)
        return corruption.at(severities(corruption, draw, salt + 5))

    return build


#: Whatever must obey the laws of a linear operator: the above, and members of every corruption.
ALL_SQUARE: dict[str, Build] = OPERATORS | {name: member(name) for name in CORRUPTIONS}
ALL: dict[str, Build] = ALL_SQUARE | RECTANGULAR
