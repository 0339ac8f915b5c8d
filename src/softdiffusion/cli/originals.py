"""How close restored images are to their originals."""

from typing import Any

from torch import Tensor

from ..metrics import FeatureExtractor, default_extractor, feature_distance, psnr, ssim

__all__ = ["Comparison"]

#: The windows of SSIM: the usual one of 11 pixels, and one of 5 for images that are smaller.
_USUAL, _SMALL = 1.5, 0.5


class Comparison:
    """Measures every method against the originals by what can be measured on them.

    Arguments:
        originals: The original images, (B, C, H, W).
        data: The data's name, for the extractor.

    Attributes:
        left_out: Why a value is left out, by its name: a package is missing, or the images are too
            small for it.
    """

    def __init__(self, originals: Tensor, data: str) -> None:
        self.originals = originals
        self.left_out: dict[str, str] = {}
        self.features: FeatureExtractor | None = None
        self.sigma = _USUAL if min(originals.shape[-2:]) >= 11 else _SMALL
        channels, height, width = originals.shape[1:]
        try:
            self.features = default_extractor(data, (channels, height, width))
        except (ValueError, ImportError) as error:
            self.left_out["feature_distance"] = f"no distance of features: {error}"
        for name in ("psnr", "ssim"):
            try:
                self._values(name, originals[:1], originals[:1])
            except ImportError as error:
                self.left_out[name] = f"no {name.upper()}: {error}"
            except ValueError:  # of all checks only that of the window can fail on originals
                self.left_out[name] = (
                    f"no {name.upper()}: its smallest window, 5 pixels, does not fit into images "
                    f"of {width} x {height}."
                )

    def of(self, pictures: dict[str, Tensor], index: Tensor) -> list[dict[str, Any]]:
        """The values of some images by method, one dictionary an image.

        PSNR is None where an image equals its original in 8 bits, since JSON has no infinity.

        Arguments:
            pictures: Images in [-1, 1] by method.
            index: Their positions among the originals.
        """
        originals = self.originals[index]
        found: list[dict[str, Any]] = [{} for _ in index]
        for method, images in pictures.items():
            columns = {
                name: self._values(name, images, originals).tolist()
                for name in ("psnr", "ssim", "feature_distance")
                if name not in self.left_out
            }
            for k, row in enumerate(found):
                row[method] = {name: _finite(values[k]) for name, values in columns.items()}
        return found

    def report(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The means over the images.

        The mean PSNR is of the images that differ from their originals; `identical` counts the
        others.

        Arguments:
            rows: What `of` gave for every image.
        """
        methods = {method: _means([row[method] for row in rows]) for method in rows[0]}
        report: dict[str, Any] = {"methods": methods, "ssim_sigma": self.sigma}
        if self.features is not None:
            report["extractor"] = {"name": self.features.name, "sha256": self.features.sha256}
        if self.left_out:
            report["left_out"] = self.left_out
        return report

    def table(self, report: dict[str, Any]) -> str:
        """The means as lines of text."""
        lines = [_line(name, row) for name, row in report["methods"].items()]
        if self.features is not None:
            lines.append(f"features: distance on {self.features.name} {self.features.hash}")
        return "\n".join(lines)

    def _values(self, name: str, images: Tensor, originals: Tensor) -> Tensor:
        if name == "psnr":
            return psnr(images, originals)
        if name == "ssim":
            return ssim(images, originals, self.sigma)
        assert self.features is not None  # or the value is left out
        return feature_distance(images, originals, self.features)


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _means(rows: list[dict[str, float | None]]) -> dict[str, Any]:
    """The means of one method's values; None where no image has a finite one."""
    found: dict[str, Any] = {}
    for name in rows[0]:
        values = [row[name] for row in rows if row[name] is not None]
        found[name] = sum(values) / len(values) if values else None  # type: ignore[arg-type]
        if name == "psnr" and len(values) < len(rows):
            found["identical"] = len(rows) - len(values)
    return found


def _line(name: str, row: dict[str, Any]) -> str:
    parts = [f"{name:<16}"]
    if "psnr" in row:
        parts.append("PSNR      –   " if row["psnr"] is None else f"PSNR {row['psnr']:6.2f} dB")
    if "ssim" in row:
        parts.append(f"SSIM {row['ssim']:.3f}")
    if "feature_distance" in row:
        parts.append(f"features {row['feature_distance']:.3g}")
    if "identical" in row:
        parts.append(f"{row['identical']} identical")
    return "   ".join(parts)
