"""How close restored images are to their originals."""

from typing import Any

from torch import Tensor

from ..metrics import FeatureExtractor, default_extractor, feature_distance, psnr, ssim

__all__ = ["compare"]

#: The windows of SSIM: the usual one of 11 pixels, and one of 5 for images that are smaller.
_USUAL, _SMALL = 1.5, 0.5


def compare(pictures: dict[str, Tensor], data: str) -> tuple[dict[str, Any], str]:
    """Measures every method against the originals.

    Arguments:
        pictures: Images in [-1, 1] by method, and the `original` ones.
        data: The data's name, for the extractor; without one that fits there is no feature
            distance.

    Returns:
        The means over the images for the report, and a table.
    """
    originals = pictures["original"]
    features = _extractor(data, originals)
    sigma = _USUAL if min(originals.shape[-2:]) >= 11 else _SMALL
    rows: dict[str, dict[str, float]] = {}
    for name, images in pictures.items():
        if name == "original":
            continue
        rows[name] = {
            "psnr": float(psnr(images, originals).mean()),
            "ssim": float(ssim(images, originals, sigma).mean()),
        }
        if features is not None:
            distance = feature_distance(images, originals, features)
            rows[name]["feature_distance"] = float(distance.mean())
    report: dict[str, Any] = {"methods": rows, "ssim_sigma": sigma}
    if features is not None:
        report["extractor"] = {"name": features.name, "sha256": features.sha256}
    return report, _table(rows, features)


def _extractor(data: str, images: Tensor) -> FeatureExtractor | None:
    channels, height, width = images.shape[1:]
    try:
        return default_extractor(data, (channels, height, width))
    except (ValueError, ImportError):
        return None


def _table(rows: dict[str, dict[str, float]], features: FeatureExtractor | None) -> str:
    lines = [
        f"{name:<16} PSNR {row['psnr']:6.2f} dB   SSIM {row['ssim']:.3f}"
        + (f"   features {row['feature_distance']:.3g}" if features else "")
        for name, row in rows.items()
    ]
    if features:
        lines.append(f"features: distance on {features.name} {features.hash}")
    return "\n".join(lines)
