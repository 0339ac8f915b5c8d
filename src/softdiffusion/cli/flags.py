"""The library's sentences in the words of the command: flags in the places of arguments."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["as_flags", "naming_flags"]

#: Arguments as the library's sentences name them, and the flags that stand for them.
_FLAGS = (
    (r"\b(route|dps_step)='?(\w+)'?", r"--\1 \2"),
    (r"\bdata=", "--data"),
    (r"pass them as data\b", "name them by --data"),
    (r"(?<!-)\b(sigma_y|dps_step|batch_size)\b", r"--\1"),
    (r"give the severity\b", "give --severity"),
    (r"such as (\w+Sampler)", r"such as --sampler \1"),
    (r"\bmax_modes\b", "--prior_modes"),
    (r"\blower components\b", "lower --prior_components"),
    (r"\buse GaussianPrior\b", "use --prior gaussian"),
)


def as_flags(sentence: str) -> str:
    """A sentence of the library with its arguments as flags of the command."""
    for pattern, flag in _FLAGS:
        sentence = re.sub(pattern, flag, sentence)
    return sentence


@contextmanager
def naming_flags() -> Iterator[None]:
    """Names flags where the library's errors within the block name arguments."""
    try:
        yield
    except ValueError as error:
        raise ValueError(as_flags(str(error))) from error
