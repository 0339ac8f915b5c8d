"""What a study compares, read from its file."""

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from .. import samplers
from ..presets import named
from ..training import TrainingOptions

__all__ = ["ARM", "Arm", "Evaluation", "Start", "Study", "merge", "read_mapping"]

#: The recipe of an arm, in the folder of its run.
ARM = "arm.yaml"

#: Where sampling starts: the prior saved with the model, or one that is fitted for the evaluation.
Start = Literal["model", "gaussian", "mixture", "data"]


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
        ValueError: If the start is unknown, or there are no calls, or a number of calls below 1.
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
                f"{self.start!r}."
            )
        if not self.calls or min(self.calls) < 1:
            raise ValueError(
                f"The calls of {self.sampler} must be numbers of at least 1, but are "
                f"{list(self.calls)}."
            )
        if not self.label:
            object.__setattr__(self, "label", self.sampler.removesuffix("Sampler").lower())


@dataclass(frozen=True)
class Arm:
    """One setting of the study, trained once for every seed.

    Attributes:
        name: What it is called; also the name of its folder.
        recipe: All arguments of `softdiffusion train` but `out` and `seed`.
        seeds: The seeds it is trained with.
        evaluations: How its models are measured.
    """

    name: str
    recipe: Mapping[str, Any]
    seeds: tuple[int, ...]
    evaluations: tuple[Evaluation, ...]

    def setting(self, evaluation: Evaluation) -> str:
        """A digest of what a value depends on beside the seed and the number of calls."""
        drawn = [evaluation.sampler, dict(evaluation.options), evaluation.start]
        content = json.dumps([self.recipe, drawn], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Study:
    """A grid of arms.

    The file names a base recipe; each arm changes some of its keys. Everything else is the same
    for all arms: data and their order, backbone, images seen, seeds, evaluations.

    ```yaml
    title: Which loss?
    recipe: ../../recipes/digits.yaml     # relative to this file
    images: 20000                         # every arm is trained on so many
    seeds: [0, 1]
    samples: 500
    evaluations:
      - {sampler: MultistepSampler, calls: [10, 30]}
    arms:
      l2: {objective: {class_path: CleanRegression}}
      soft: {objective: {class_path: SoftScoreMatching}}
    scales:
      small: {images: 2000, seeds: [0], samples: 100}
    ```

    An arm's keys are those of the recipe, and null takes a key out of it; `seeds`, `images` and
    `evaluations` replace the study's. A scale replaces `images`, `seeds`, `samples` or
    `evaluations` for all arms; other images shorten or lengthen warm-up and decay in proportion.
    `trust` may list modules of one's own that arms name; they are found beside the file, too.

    Attributes:
        path: Its file.
        folder: Where rows, pictures and the report go: beside the study's file, or for a scale in
            a folder of its name there.
        title: One line; of a scale it names that.
        arms: The arms by name.
        samples: The number of samples that are drawn to measure a model.
        trust: Modules outside softdiffusion that its models may be loaded with.
    """

    path: Path
    folder: Path
    title: str
    arms: Mapping[str, Arm]
    samples: int
    trust: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: str | Path, scale: str | None = None) -> "Study":
        """Reads a study's file.

        Arguments:
            path: The YAML file.
            scale: The name of one of its `scales`, or None for the study as it stands.

        Raises:
            FileNotFoundError: If the file or its recipe does not exist.
            ValueError: If a key is unknown or missing, a value is of the wrong kind, two
                evaluations can't be told apart, a sampler is unknown or an arm's own without a
                preset, or the scale is not one of the file's.
        """
        path = Path(path)
        content = read_mapping(path)
        scales = _names(f"The scales of {path}", content.pop("scales", None) or {})
        trust = ()
        if "trust" in content:
            trust = tuple(_list(f"The modules that {path} trusts", content.pop("trust"), str))
        if scale is not None and scale not in scales:
            raise ValueError(
                f"{path} has no scale {scale!r}; it has {', '.join(scales) or 'none'}."
            )
        scaled = scales[scale] if scale else {}
        texts, sizes = {"title", "recipe"}, {"images", "seeds", "samples", "evaluations"}
        fields = texts | sizes | {"arms"}
        if content.keys() != fields:
            wrong = ", ".join(sorted(content.keys() ^ fields))
            raise ValueError(
                f"A study has the keys {', '.join(sorted(fields))}, and may have scales and trust, "
                f"but {path} differs in {wrong}."
            )
        if wrong := ", ".join(sorted(scaled.keys() - sizes)):
            raise ValueError(
                f"A scale replaces {', '.join(sorted(sizes))}, but {scale!r} of {path} names "
                f"{wrong}."
            )
        for name in texts:
            _text(f"The {name} of {path}", content[name])
        changed = _names(f"The arms of {path}", content["arms"])
        if not changed:
            raise ValueError(f"The arms of {path} must be names with what they change.")
        samples = _whole(f"The samples of {path}", {**content, **scaled}["samples"], 1)
        base = read_mapping(path.parent / content["recipe"])
        arms = {
            name: _arm(name, changes, base, content, scaled) for name, changes in changed.items()
        }
        folder = path.parent / scale if scale else path.parent
        title = f"{content['title']} (scale {scale})" if scale else content["title"]
        return cls(path, folder, title, arms, samples, trust)

    @property
    def command(self) -> str:
        """The command that runs it."""
        scale = "" if self.folder == self.path.parent else f" --scale {self.folder.name}"
        return f"softdiffusion study run {self.path}{scale}"

    def trainings(self, names: Sequence[str], seeds: Sequence[int]) -> list[tuple[Arm, int]]:
        """The arms with these names, with each of these seeds; all of them if there are none.

        They come seed after seed, so that a study that is stopped early has every arm once.

        Raises:
            ValueError: If the study has no such arm, or none of the arms has such a seed.
        """
        for name in names:
            if name not in self.arms:
                raise ValueError(f"The study has no arm {name!r}; it has {', '.join(self.arms)}.")
        arms = [arm for name, arm in self.arms.items() if not names or name in names]
        rounds = range(max(len(arm.seeds) for arm in arms))
        work = [(arm, arm.seeds[i]) for i in rounds for arm in arms if i < len(arm.seeds)]
        for seed in seeds:
            if seed not in {own for _, own in work}:
                raise ValueError(f"None of the arms has the seed {seed}; name one of the study's.")
        return [(arm, seed) for arm, seed in work if not seeds or seed in seeds]

    def check_run(self, runs: Path, arm: Arm, seed: int) -> None:
        """Raises a ValueError if the arm's folder was made by another recipe."""
        path = self.run_folder(runs, arm, seed) / ARM
        if path.exists() and read_mapping(path) != arm.recipe:
            raise ValueError(
                f"{path.parent} holds a training of the arm {arm.name} by another recipe, see "
                f"{path}; choose another folder by --runs, or delete this one."
            )

    def losses(self, arm: str, seed: int) -> Path:
        """Where the losses of an arm's training are kept."""
        return self.folder / "losses" / f"{arm}-{seed}.jsonl"

    def picture(self, arm: str, evaluation: str, calls: int) -> Path:
        """Where samples of an arm's first seed are shown."""
        return self.folder / "samples" / f"{arm}-{evaluation}-{calls}.png"

    @staticmethod
    def run_folder(runs: Path, arm: Arm, seed: int) -> Path:
        """Where an arm is trained with a seed."""
        return runs / arm.name / f"seed-{seed}"


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


def _arm(
    name: str,
    changes: Mapping[str, Any],
    base: Mapping[str, Any],
    study: Mapping[str, Any],
    scale: Mapping[str, Any],
) -> Arm:
    own = {key: changes[key] for key in ("seeds", "images", "evaluations") if key in changes}
    full = {key: study[key] for key in ("seeds", "images", "evaluations")} | own
    chosen = full | dict(scale)
    rest = {key: value for key, value in changes.items() if key not in own}
    images, whole = (_whole(f"The images of {name}", c["images"], 1) for c in (chosen, full))
    recipe = merge(base, rest) | {"images": images}
    if images != whole:  # by a scale
        for key in ("warmup", "decay"):
            count = recipe.get(key, getattr(TrainingOptions, key))
            recipe[key] = _whole(f"The {key} of {name}", count, 0) * images // whole
    seeds = _list(f"The seeds of {name}", chosen["seeds"])
    seeds = [_whole(f"A seed of {name}", seed, 0) for seed in seeds]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"The seeds of {name} must differ, but are {seeds}.")
    evaluations = tuple(
        map(_evaluation, _list(f"The evaluations of {name}", chosen["evaluations"]))
    )
    for evaluation in evaluations:
        _check_sampler(name, recipe, evaluation)
    columns = Counter(
        (evaluation.label, calls) for evaluation in evaluations for calls in evaluation.calls
    )
    (label, calls), times = columns.most_common(1)[0]
    if times > 1:
        raise ValueError(
            f"The arm {name} is measured {times} times by {label} with {calls} calls; give each "
            "evaluation a label of its own."
        )
    return Arm(name, recipe, tuple(seeds), evaluations)


def _evaluation(entry: Any) -> Evaluation:
    known = {field.name for field in dataclasses.fields(Evaluation)}
    if not isinstance(entry, Mapping) or not {"sampler", "calls"} <= entry.keys() <= known:
        raise ValueError(
            f"An evaluation has a sampler and calls, and may have options, start and label, but "
            f"one is {entry!r}."
        )
    for key in {"sampler", "label"} & entry.keys():
        _text(f"The {key} of an evaluation", entry[key])
    calls = entry["calls"]
    if not isinstance(calls, list) or not all(type(number) is int for number in calls):
        raise ValueError(
            f"The calls of {entry['sampler']} must be a list of whole numbers, but are {calls!r}."
        )
    if not isinstance(entry.get("options", {}), Mapping):
        raise ValueError(
            f"The options of {entry['sampler']} must be names with values, but are "
            f"{entry['options']!r}."
        )
    return Evaluation(**{**entry, "calls": tuple(calls)})


def _check_sampler(arm: str, recipe: Mapping[str, Any], evaluation: Evaluation) -> None:
    """Before a training, for its model will be measured by it."""
    if evaluation.sampler == "own":
        if recipe.get("preset") is None:
            raise ValueError(
                f"The arm {arm} has no preset, and so no sampler of its own; name a sampler."
            )
        named(recipe["preset"])
        return
    kind = getattr(samplers, evaluation.sampler, None)
    if not (isinstance(kind, type) and issubclass(kind, samplers.Sampler)):
        raise ValueError(f"There is no sampler {evaluation.sampler!r} in softdiffusion.samplers.")


def _names(what: str, value: Any) -> dict[str, Mapping[str, Any]]:
    """A mapping of texts to mappings, which may be left empty."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} must be names with what they change, but are {value!r}.")
    for name, changes in value.items():
        if not isinstance(name, str) or not isinstance(changes, Mapping | None):
            raise ValueError(
                f"{what} must be texts with what they change, but one is {name!r}: {changes!r}."
            )
    return {name: changes or {} for name, changes in value.items()}


def _list(what: str, value: Any, kind: type = object) -> list[Any]:
    if not isinstance(value, list) or not value or not all(isinstance(one, kind) for one in value):
        of_kind = " of texts" if kind is str else ""
        raise ValueError(f"{what} must be a list{of_kind} that is not empty, but are {value!r}.")
    return value


def _text(what: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{what} must be a text, but is {value!r}.")


def _whole(what: str, value: Any, least: int) -> int:
    if type(value) is not int or value < least:
        raise ValueError(f"{what} must be a whole number of at least {least}, but is {value!r}.")
    return value


def read_mapping(path: Path) -> dict[str, Any]:
    """Keys and values from a YAML file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no YAML, or holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}; check the path.")
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold keys and values in YAML.")
    return content
