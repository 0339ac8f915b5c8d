"""Features of real images, kept from one evaluation to the next."""

import hashlib
import re
import warnings
from pathlib import Path

import torch
from torch import Tensor

from .. import __version__
from ..files import cache_folder, drafted
from ..tensors import read_tensors, write_tensors
from .eight_bit import digest
from .extractors import FeatureExtractor
from .rounded import Rounded

__all__ = ["cached_features"]

#: Features of fewer images than these are computed sooner than found.
_MANY = 1_000

#: What the cache may take, in bytes; the files that were used longest ago go first.
_LIMIT = 2 * 1024**3

#: The names of its files, and of drafts that a kill left; no others are deleted.
_OURS = re.compile(r"\.?[0-9a-f]{64}\.safetensors(\.draft)?")


def cached_features(images: Tensor | Rounded, extractor: FeatureExtractor) -> Tensor:
    """The features of images, computed once for all evaluations.

    They are kept as safetensors in the user's cache folder, on Linux
    `$XDG_CACHE_HOME/softdiffusion/features`, under the digests of the images in 8 bits and of the
    extractor's weights, and the versions that computed them: at most 2 GiB.

    Arguments:
        images: (N, C, H, W), float in [-1, 1], or rounded already.
        extractor: Gives the features.

    Returns:
        Features (N, F), float32, on the CPU.

    Raises:
        ValueError: As `FeatureExtractor.extract`.
    """
    if len(images) < _MANY:
        return extractor.extract(images)
    path = cache_folder("features") / f"{_key(images, extractor)}.safetensors"
    found = _read(path, (len(images), extractor.num_features))
    if found is None:
        found = extractor.extract(images)
        _write(path, found)
    return found


def _key(images: Tensor | Rounded, extractor: FeatureExtractor) -> str:
    device = next((p.device.type for p in extractor.parameters()), "cpu")
    parts = (
        images.digest() if isinstance(images, Rounded) else digest(images),
        type(extractor).__name__,
        extractor.name,
        extractor.sha256,
        device,
        torch.__version__,
        __version__,
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _checksum(features: Tensor) -> str:
    return hashlib.sha256(features.numpy().tobytes()).hexdigest()


def _read(path: Path, shape: tuple[int, int]) -> Tensor | None:
    """The features of a file; None if there is none, or it is damaged, which is said."""
    if not path.is_file():
        return None
    try:
        tensors = read_tensors(path)
        features, checksum = tensors["features"], bytes(tensors["sha256"].tolist()).hex()
        whole = features.shape == shape and _checksum(features) == checksum
        path.touch()
    except (OSError, ValueError, TypeError, KeyError):
        whole = False
    if not whole:
        _say(f"The cached features {path} are damaged, so they are computed again.")
        return None
    return features


def _write(path: Path, features: Tensor) -> None:
    """Keeps features; where that can't be done, says so, since nothing but time is lost."""
    checksum = torch.tensor(list(bytes.fromhex(_checksum(features))), dtype=torch.uint8)
    tensors = {"features": features.contiguous(), "sha256": checksum}
    try:
        with drafted(path) as draft:
            write_tensors(draft, tensors)
        _tidy(path)
    except OSError as error:
        _say(f"The features can't be kept for the next evaluation ({error}).")


def _tidy(newest: Path) -> None:
    """Deletes drafts and the files that were used longest ago, until the others fit."""
    files = [file for file in newest.parent.iterdir() if _OURS.fullmatch(file.name)]
    files.sort(key=lambda file: (file == newest, file.stat().st_mtime), reverse=True)
    total = 0
    for file in files:
        total += file.stat().st_size
        if file.name.startswith(".") or (total > _LIMIT and file != newest):
            file.unlink(missing_ok=True)


def _say(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=4)
