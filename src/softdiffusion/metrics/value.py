"""A measured value that carries what is needed to judge it."""

from dataclasses import dataclass

__all__ = ["Value"]


@dataclass(frozen=True, repr=False)
class Value:
    """A metric's value, which never prints without its floor, N and the extractor's hash.

    The floor is what real test images reach against the same training set: no model needs to be
    better, and a value below it hints at copies. `f"{value:.2f}"` formats the numbers and still
    prints everything.

    Attributes:
        metric: What was measured.
        value: The value of the samples.
        error: Its standard error (see `jackknife`).
        floor: The value of real test images.
        floor_error: Its standard error.
        n: How many samples there are.
        floor_n: How many test images the floor is measured on.
        reference_n: How many training images both are compared with.
        extractor: The extractor's name, or "8-bit pixels".
        hash: The first 12 digits of its weights' SHA-256; empty for pixels.
    """

    metric: str
    value: float
    error: float
    floor: float
    floor_error: float
    n: int
    floor_n: int
    reference_n: int
    extractor: str
    hash: str

    def __format__(self, spec: str) -> str:
        value, error, floor, floor_error = (
            format(number, spec or ".4g")
            for number in (self.value, self.error, self.floor, self.floor_error)
        )
        unequal = "" if self.floor_n == self.n else f", floor N = {self.floor_n}"
        return (
            f"{self.metric} {value} ± {error} (floor {floor} ± {floor_error}; N = {self.n}"
            f"{unequal} against {self.reference_n}; {self.extractor} {self.hash}".rstrip()
            + ")"
        )

    def __str__(self) -> str:
        return format(self, "")

    __repr__ = __str__
