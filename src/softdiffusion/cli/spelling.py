"""Short spellings of arguments, and the ones that the parser reads."""

from collections.abc import Sequence

__all__ = ["SAMPLERS", "empty_flag", "spelled", "words"]

#: The classes of samplers by the names that commands take.
SAMPLERS = {
    "ancestral": "AncestralSampler",
    "bridge": "BridgeSampler",
    "deterministic": "DeterministicSampler",
    "heun": "HeunSampler",
    "karras": "KarrasSampler",
    "momentum": "MomentumSampler",
    "multistep": "MultistepSampler",
    "naive": "NaiveSampler",
    "nu": "NuSampler",
    "probability_flow": "ProbabilityFlowSampler",
}


def spelled(arguments: Sequence[str]) -> list[str]:
    """The arguments with the classes in the places of the names of samplers.

    `--sampler heun` and `--sampler=heun` become `--sampler HeunSampler`, so that the arguments of
    the class may follow.
    """
    found = list(arguments)
    for index, argument in enumerate(found):
        before = found[index - 1] if index else ""
        flag, equals, name = argument.rpartition("=")
        if before == "--sampler" or flag == "--sampler":
            found[index] = f"{flag}{equals}{SAMPLERS.get(name, name)}"
    return found


def empty_flag(arguments: Sequence[str]) -> str | None:
    """The first flag whose value is an empty text, which would pass for the current folder."""
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag.startswith("--") and equals and not value:
            return flag
        if not argument.strip() and index and arguments[index - 1].startswith("--"):
            return arguments[index - 1]
    return None


def words(values: object) -> list[str | int]:
    """What a list names, whether as `a b`, `a,b` or `[a, b]`, or as numbers in YAML."""
    if isinstance(values, str):
        return [word for part in values.strip(" []").split(",") if (word := part.strip(" '\""))]
    if isinstance(values, int):
        return [values]
    assert isinstance(values, Sequence)
    return [word for value in values for word in words(value)]
