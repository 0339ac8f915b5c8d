"""Every kind of operator and of corruption, built at random for images of any shape."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from hypothesis import strategies as st
from torch import Tensor

import softdiffusion as sd
from softdiffusion.operators import (
    DCT,
    Basis,
    ChannelBasis,
    ChannelMatrix,
    Convolution,
    Diagonal,
    Haar,
    Hartley,
    LinearOperator,
    Matrix,
    MatrixFree,
    Pixel,
    RandomBasis,
    Scale,
    Transform,
)
from tests.physics import AsPhysics

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


def basis(draw: Draw) -> Basis:
    return Basis(orthonormal(draw, draw.n, salt=8))


def diagonal(transform: Transform, values: Tensor) -> Diagonal:
    return Diagonal(transform, lambda z: values.to(z))


def random_diagonal(transform: Transform, draw: Draw, salt: int) -> Diagonal:
    return diagonal(transform, draw.normal(draw.operators, *draw.shape, salt=salt))


def random_matrix(draw: Draw, salt: int) -> Tensor:
    matrices = draw.normal(draw.operators, draw.n, draw.n, salt=salt) / math.sqrt(draw.n)
    return matrices[0] if draw.operators == 1 else matrices


def random_mixing(draw: Draw, salt: int) -> Tensor:
    channels = draw.shape[0]
    matrices = draw.normal(draw.operators, channels, channels, salt=salt)
    return matrices[0] if draw.operators == 1 else matrices


def symmetric(matrix: Tensor) -> Tensor:
    return (matrix + matrix.mT) / 2


def shift(draw: Draw, salt: int) -> MatrixFree:
    """Neither symmetric nor diagonal in any of the transforms: weights times a cyclic shift."""
    weights = draw.normal(draw.operators, *draw.shape, salt=salt)
    return MatrixFree(
        lambda x: weights.to(x) * x.roll(1, dims=-1),
        lambda y: (weights.to(y) * y).roll(-1, dims=-1),
    )


def random_convolution(draw: Draw, salt: int) -> Convolution:
    kernel = draw.normal(draw.operators, *draw.shape, salt=salt) / math.sqrt(draw.n)
    axes = tuple(range(2, kernel.ndim))
    return Convolution(lambda x: torch.fft.rfftn(kernel.to(x), dim=axes))


Build = Callable[[Draw, int], LinearOperator]

#: Operators that keep the shape of an image, so that any two of them add and multiply.
OPERATORS: dict[str, Build] = {
    "Scale": lambda draw, salt: Scale(draw.factor(salt)),
    "Diagonal in the DCT": lambda draw, salt: random_diagonal(DCT(), draw, salt),
    "Diagonal in the pixels": lambda draw, salt: random_diagonal(Pixel(), draw, salt),
    "Diagonal in the channels": lambda draw, salt: random_diagonal(channel_basis(draw), draw, salt),
    "Diagonal in the Haar transform": lambda draw, salt: random_diagonal(Haar(), draw, salt),
    "Diagonal in a random basis": lambda draw, salt: random_diagonal(RandomBasis(1), draw, salt),
    "Diagonal in a dense basis": lambda draw, salt: random_diagonal(basis(draw), draw, salt),
    "ChannelMatrix": lambda draw, salt: ChannelMatrix(random_mixing(draw, salt)),
    "Diagonal in the Hartley transform": lambda draw, salt: random_diagonal(Hartley(), draw, salt),
    "Convolution": random_convolution,
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


def angle(draw: Draw) -> float:
    """Lines have no other direction than their own."""
    return 30.0 if len(draw.shape) > 2 else 0.0


def kernel(draw: Draw) -> Tensor:
    """A random kernel that is longer than some of the images; its spectrum stays below 3."""
    sides = (5, 3, 3)[: len(draw.shape) - 1]
    weights = draw.normal(*sides, salt=4)
    return weights / weights.norm()


def symmetrised(kernel: Tensor) -> Tensor:
    """Symmetric along every axis."""
    for axis in range(kernel.ndim):
        kernel = (kernel + kernel.flip(axis)) / 2
    return kernel


def point_symmetric(kernel: Tensor) -> Tensor:
    return (kernel + kernel.flip(tuple(range(kernel.ndim)))) / 2


BuildCorruption = Callable[[Draw], sd.Corruption]

#: Every family of corruptions.
CORRUPTIONS: dict[str, BuildCorruption] = {
    "GaussianBlur": lambda draw: sd.GaussianBlur(),
    "HeatKernel": lambda draw: sd.HeatKernel(),
    "AnisotropicBlur along the rows": lambda draw: sd.AnisotropicBlur(0.3),
    "AnisotropicBlur at an angle": lambda draw: sd.AnisotropicBlur(0.3, angle(draw)),
    "MotionBlur": lambda draw: sd.MotionBlur(angle(draw)),
    "DefocusBlur": lambda draw: sd.DefocusBlur(),
    "KernelBlur, mirrored": lambda draw: sd.KernelBlur(symmetrised(kernel(draw))),
    "KernelBlur, point-symmetric": lambda draw: sd.KernelBlur(point_symmetric(kernel(draw))),
    "KernelBlur, not symmetric": lambda draw: sd.KernelBlur(kernel(draw)),
    "IdealLowPass": lambda draw: sd.IdealLowPass(),
    "Butterworth": lambda draw: sd.Butterworth(3.0),
    "PowerLaw": lambda draw: sd.PowerLaw(),
    "UndersampledFourier": lambda draw: sd.UndersampledFourier(0.3, seed=draw.seed),
    "UndersampledFourier by lines": lambda draw: sd.UndersampledFourier(
        0.3, lines=len(draw.shape) > 2, seed=draw.seed
    ),
    "FadingMask": lambda draw: sd.FadingMask(),
    "GrowingBox": lambda draw: sd.GrowingBox(),
    "GrowingBox off the centre": lambda draw: sd.GrowingBox(
        draw.uniform(len(draw.shape) - 1).tolist()
    ),
    "GrowingBox from a corner": lambda draw: sd.GrowingBox([0.0, 1.0, 0.0][: len(draw.shape) - 1]),
    "Outpainting": lambda draw: sd.Outpainting(),
    "Outpainting of one side": lambda draw: sd.Outpainting(["left"]),
    "RandomPixels": lambda draw: sd.RandomPixels(draw.seed),
    "MaskImage": lambda draw: sd.MaskImage(draw.uniform(*draw.shape[1:])),
    "MaskImage with channels": lambda draw: sd.MaskImage(draw.uniform(*draw.shape)),
    "Pixelate": lambda draw: sd.Pixelate(),
    "Downsample": lambda draw: sd.Downsample(),
    "Greyscale": lambda draw: sd.Greyscale(draw.shape[0]),
    "ChannelMixing": lambda draw: sd.ChannelMixing(draw.normal(draw.shape[0], draw.shape[0])),
    "ChannelMixing by a symmetric matrix": lambda draw: sd.ChannelMixing(
        symmetric(draw.normal(draw.shape[0], draw.shape[0]))
    ),
    "RandomProjection": lambda draw: sd.RandomProjection(draw.seed),
    "LinearPhysics": lambda draw: sd.LinearPhysics(AsPhysics(shift(replace(draw, operators=1), 1))),
    "LinearPhysics there and back": lambda draw: sd.LinearPhysics(
        AsPhysics(wide(replace(draw, operators=1), 1)), normal=True
    ),
    "Scaling": lambda draw: sd.Scaling(),
    "Identity": lambda draw: sd.Identity(),
    "MatrixFamily": lambda draw: sd.MatrixFamily(draw.normal(draw.n, draw.n, salt=1)),
    "MatrixFamily of a symmetric matrix": lambda draw: sd.MatrixFamily(
        symmetric(draw.normal(draw.n, draw.n, salt=1))
    ),
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
