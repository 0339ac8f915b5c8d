"""One setting of a study, and how its models are measured."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..quoting import shortened
from .fields import file_name, whole

__all__ = ["Arm", "Evaluation", "Start", "merge"]

#: Where sampling starts: the prior saved with the model, or one that is fitted for the evaluation.
Start = Literal["model", "gaussian", "mixture", "data"]

#: More calls an image than any sampler makes use of.
_MOST_CALLS = 10_000


@dataclass(frozen=True)
class Evaluation:
    """One way to draw samples from every model of an arm.

    Attributes:
        sampler: The name of the sampler's class, or "own" for that of the arm's preset.
        calls: The numbers of network calls an image, at most: Heun's method makes one less.
        options: Other arguments of the sampler.
        start: Where sampling starts.
        label: What the evaluation is called in tables; the sampler's name if empty.

    Raises:
        ValueError: If the start is unknown, or there are no calls, or a number of calls outside of
            [1, 10,000], or the label can't be a part of a file's name.
    """

    sampler: str
    calls: tuple[int, ...]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    start: Start = "model"
    label: str = ""

    def __post_init__(self) -> None:
        if self.start not in get_args(Start):
            raise ValueError(
                f"The start of an evaluation must be one of {', '.join(get_args(Start))}, but is "
                f"{shortened(self.start)}."
            )
        if not self.calls or min(self.calls) < 1:
            raise ValueError(
                f"The calls of {self.sampler} must be numbers of at least 1, but are "
                f"{shortened(list(self.calls))}."
            )
        whole(f"The calls of {self.sampler}", max(self.calls), 1, _MOST_CALLS)
        if not self.label:
            object.__setattr__(self, "label", self.sampler.removesuffix("Sampler").lower())
        file_name("The label of an evaluation", self.label)


@dataclass(frozen=True)
class Arm:
    """One setting of the study, trained once for every seed.

    Attributes:
        name: What it is called; also the name of its folder.
        recipe: All arguments of `softdiffusion train` but `out` and `seed`.
        seeds: The seeds it is trained with.
        evaluations: How its models are measured.

    Raises:
        ValueError: If the name can't be a part of a file's name.
    """

    name: str
    recipe: Mapping[str, Any]
    seeds: tuple[int, ...]
    evaluations: tuple[Evaluation, ...]

    def __post_init__(self) -> None:
        file_name("The name of an arm", self.name)

    def setting(self, evaluation: Evaluation) -> str:
        """A digest of what a value depends on beside the seed and the number of calls."""
        drawn = [evaluation.sampler, dict(evaluation.options), evaluation.start]
        content = json.dumps([self.recipe, drawn], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Replaces keys of a recipe; a class that stays the same keeps its other arguments.

    None takes a key out, so that it has its default again.
    """
    merged = dict(base)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
            continue
        old = merged.get(key)
        same = (
            isinstance(old, Mapping)
            and isinstance(value, Mapping)
            and value.get("class_path", old.get("class_path")) == old.get("class_path")
        )
        merged[key] = merge(old, value) if same else value  # type: ignore[arg-type]
    return merged
