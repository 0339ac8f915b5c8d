"""Draws every corruption on real images and writes the catalogue, docs/corruptions.md.

    python scripts/draw_corruptions.py

Grey images are two of Fashion-MNIST's test images, or digits where it is absent; the colour image
is a photograph that comes with scikit-learn. A corruption that is missing in `CATALOGUE` fails a
test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

import softdiffusion as sd
from softdiffusion.data.resize import area_average
from softdiffusion.plots import save_strip

_DOCS = Path(__file__).parents[1] / "docs"

#: Colours of a strip: enough for the eye, and a few kilobytes.
_GREYS, _COLOURS = 64, 256


class EveryThirdColumn:
    """A physics in the form of the library deepinv: a detector with few columns."""

    def A(self, x: Tensor) -> Tensor:
        return x[..., 1::3]

    def A_adjoint(self, y: Tensor) -> Tensor:
        x = torch.zeros(*y.shape[:-1], 28)
        x[..., 1::3] = y
        return x


@dataclass(frozen=True)
class Entry:
    """One corruption of the catalogue.

    Attributes:
        corruption: The member of the catalogue, as drawn.
        severities: Those of the strip.
        left: What is left at the end, and from which severity on.
        axes: The images it takes, by their axes behind the channel axis.
        colour: Whether it is drawn on the colour image.
        diagonal: In what it is diagonal, where that depends on the arguments.
    """

    corruption: sd.Corruption
    severities: Sequence[float]
    left: str
    axes: str = "any"
    colour: bool = False
    diagonal: str = ""

    @property
    def name(self) -> str:
        return type(self.corruption).__name__

    @property
    def transform(self) -> str:
        transform = self.corruption.transform
        if self.diagonal:
            return self.diagonal
        return "none" if transform is None else f"`{type(transform).__name__}`"


SHARES = (0, 0.2, 0.4, 0.6, 0.8, 1)
WIDTHS = (0, 1, 2, 4, 8, 16)

#: By group. A kernel, mask or matrix of one's own is one example of many.
CATALOGUE: dict[str, list[Entry]] = {
    "Blurs": [
        Entry(sd.GaussianBlur(), WIDTHS, "the mean; 1 % of the slowest wave at n"),
        Entry(sd.HeatKernel(), (0, 1, 4, 16, 64, 256), "the mean; 1 % at n^2 / 2"),
        Entry(
            sd.AnisotropicBlur(angle=30),
            WIDTHS,
            "the mean; 1 % at n / ratio",
            "1, 2 or more",
            diagonal="`DCT` along an axis, else `Hartley`",
        ),
        Entry(
            sd.MotionBlur(angle=30),
            (0, 2, 4, 8, 16, 28),
            "what is constant along the line, at n",
            "1, 2 or more",
        ),
        Entry(
            sd.DefocusBlur(),
            (0, 1, 2, 4, 8, 16),
            "the mean; at most 13 % of any wave from 1.22 n",
            "1 to 3",
        ),
        Entry(
            sd.KernelBlur(torch.eye(9).flip(0) / 9),
            SHARES,
            "the image convolved with the kernel, at 1",
            "those of the kernel",
            diagonal="`DCT`, `Hartley` or none, by the kernel's symmetry",
        ),
    ],
    "Frequencies": [
        Entry(sd.IdealLowPass(), (0, 3, 6, 12, 24, 57), "the mean, above 2 n"),
        Entry(sd.Butterworth(), (0, 4, 8, 16, 64, 560), "the mean; 1 % at 20 n for order 2"),
        Entry(sd.PowerLaw(), (0, 0.5, 1, 2, 4, 6.6), "the mean; 1 % of the slowest wave at 6.6"),
        Entry(sd.UndersampledFourier(), SHARES, "nothing, at 1"),
    ],
    "Masks": [
        Entry(sd.FadingMask(), (0, 1, 3, 9, 27, 140), "1 % of the corners at 5 n"),
        Entry(sd.GrowingBox(), SHARES, "nothing, at 1"),
        Entry(sd.RandomPixels(), SHARES, "nothing, at 1"),
        Entry(sd.Outpainting(), SHARES, "nothing, at 1"),
        Entry(
            sd.MaskImage((torch.arange(28) % 7 < 3).float().expand(28, 28)),
            SHARES,
            "the masked image, at 1",
            "those of the mask",
        ),
    ],
    "Resolution": [
        Entry(sd.Pixelate(), (0, 1, 1.5, 2, 3, 5), "the mean, from ceil(log2 n) on"),
        Entry(sd.Downsample(), (0, 0.5, 1, 2, 3, 4.9), "the mean, from log2 n on"),
    ],
    "Colour": [
        Entry(sd.Greyscale(), SHARES, "the grey image, at 1", colour=True),
        Entry(
            sd.ChannelMixing([[0.299, 0.587, 0.114]] * 3),
            SHARES,
            "the mixed image, at 1",
            colour=True,
            diagonal="`ChannelBasis` if symmetric",
        ),
    ],
    "General": [
        Entry(sd.Identity(), (0, 1), "everything"),
        Entry(sd.Scaling(), SHARES, "nothing, at 1"),
        Entry(sd.RandomProjection(), SHARES, "nothing, at 1"),
        Entry(
            sd.MatrixFamily(torch.eye(784).flip(0)),
            SHARES,
            "A x, at 1",
            diagonal="`Basis` if symmetric",
        ),
        Entry(
            sd.LinearPhysics(EveryThirdColumn(), normal=True),
            SHARES,
            "A x, or what comes back of it, at 1",
        ),
        Entry(
            sd.Composition([sd.GaussianBlur(), sd.FadingMask()], [4.0, 9.0]),
            SHARES,
            "what its members leave, at 1",
            "those of its members",
            diagonal="that of all members, if they share one",
        ),
    ],
}

_HEAD = """# The corruptions

Every family `C(severity)` starts from the identity at severity 0. Its severity has a unit, and only
a schedule knows the time. n is the longer side in pixels. Where a family is diagonal in a
transform, schedules measure distances, priors are fitted and samplers step in closed form.

Written by `python scripts/draw_corruptions.py`; formulas and sources are in the docstrings
(`help(sd.Pixelate)`). For a family of your own see [own-corruption.md](own-corruption.md).

**Hard masks, projections and cut-offs** (`GrowingBox`, `RandomPixels`, `Outpainting`,
`RandomProjection`, `UndersampledFourier`, `IdealLowPass`; `MaskImage`, `Pixelate`, `Downsample` for
what is gone at t) give what they have removed no weight in the soft loss: pixels that reappear in
the next step are never trained at t. Train with `StepMatched` or `LookAhead`.

| family | severity | diagonal in | what is left | axes |
|---|---|---|---|---|
"""


def main() -> None:
    grey, colour = grey_images(), colour_image()
    page = [_HEAD + "\n".join(row(entry) for group in CATALOGUE.values() for entry in group)]
    for group, entries in CATALOGUE.items():
        page.append(f"## {group}")
        for entry in entries:
            draw(entry, colour if entry.colour else grey)
            page.append(
                f"`{entry.name}`, severity in {entry.corruption.unit}:\n\n"
                f"![{entry.name}](images/corruptions/{entry.name}.png)"
            )
    (_DOCS / "corruptions.md").write_text("\n\n".join(page) + "\n")


def row(entry: Entry) -> str:
    cells = (f"`{entry.name}`", entry.corruption.unit, entry.transform, entry.left, entry.axes)
    return f"| {' | '.join(cells)} |"


def draw(entry: Entry, images: Tensor) -> None:
    frames = torch.stack([entry.corruption.at(severity)(images) for severity in entry.severities])
    path = _DOCS / "images" / "corruptions" / f"{entry.name}.png"
    save_strip(frames, path, [f"{severity:g}" for severity in entry.severities])
    with Image.open(path) as strip:
        strip.quantize(_COLOURS if entry.colour else _GREYS).save(path, optimize=True)


def grey_images() -> Tensor:
    try:
        return sd.data.load("fashion-mnist", split="test")[[0, 2]]
    except FileNotFoundError:
        return (
            sd.data.load("digits")
            .repeat_interleave(4, 2)
            .repeat_interleave(4, 3)[:2, :, 2:30, 2:30]
        )


def colour_image() -> Tensor:
    from sklearn.datasets import load_sample_image

    photograph = torch.tensor(load_sample_image("flower.jpg")).permute(2, 0, 1)[None]
    square = photograph[..., 0:420, 140:560] / 127.5 - 1
    return area_average(square, 60)


if __name__ == "__main__":
    main()
