"""Extractors by name."""

from pathlib import Path

from ...arguments import checked
from .classifier import ClassifierExtractor
from .efficientnet import EfficientNetLite0
from .extractor import FeatureExtractor
from .inception import InceptionFile

__all__ = ["default_extractor", "extractor"]

_WEIGHTS = Path(__file__).parents[1] / "weights"

#: The classifiers that come with the package, and the data and image shapes that they are for.
_SHIPPED = {
    "digits-8": ("digits", (1, 8, 8)),
    "fashion-mnist-32": ("fashion-mnist", (1, 32, 32)),
    "fashion-mnist-28": ("fashion-mnist", (1, 28, 28)),
    "fashion-mnist-16": ("fashion-mnist", (1, 16, 16)),
}


@checked
def extractor(name: str) -> FeatureExtractor:
    """Opens an extractor by its name.

    Arguments:
        name: "digits-8", "fashion-mnist-32", "fashion-mnist-28" or "fashion-mnist-16", which come
            with the package; "efficientnet-lite0"; "inception:PATH", a local TorchScript file; or
            "classifier:PATH", a file written by `scripts/train_extractor.py`.

    Raises:
        ValueError: If the name is unknown, or the file is not what it should be.
        FileNotFoundError: If the file does not exist.
        ImportError: If optional packages are missing.
    """
    kind, _, path = name.partition(":")
    if name in _SHIPPED:
        return ClassifierExtractor(_WEIGHTS / f"{name}.safetensors")
    if name == "efficientnet-lite0":
        return EfficientNetLite0()
    if kind == "inception" and path:
        return InceptionFile(path)
    if kind == "classifier" and path:
        return ClassifierExtractor(path)
    raise ValueError(
        f"Unknown extractor {name!r}; use {', '.join(_SHIPPED)}, efficientnet-lite0, "
        "inception:PATH or classifier:PATH."
    )


@checked
def default_extractor(data: str, shape: tuple[int, int, int]) -> FeatureExtractor:
    """Opens the extractor that fits: the data's own classifier, else EfficientNet-Lite0.

    Arguments:
        data: The data's name, as `softdiffusion.data.open` takes it.
        shape: The shape (C, H, W) of an image.

    Raises:
        ValueError: If no extractor fits.
        ImportError: If EfficientNet-Lite0 is what fits, but is not installed.
    """
    kind = data.partition(":")[0]
    for name, fits in _SHIPPED.items():
        if (kind, tuple(shape)) == fits:
            return extractor(name)
    try:
        imagenet = EfficientNetLite0()
    except ImportError as error:
        raise ImportError(
            f"No classifier comes with the package for {kind} of shape {tuple(shape)}, and the "
            f"extractor for other images is missing. {error}"
        ) from None
    imagenet.check_shape(shape)
    return imagenet
