"""What a study compares, read from its file."""

import dataclasses
import shlex
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..files import read_yaml
from ..quoting import shortened
from ..saving import checkpoints
from ..training import RECIPE, TrainingOptions
from .arm import Arm, Evaluation, merge
from .drawing import check_sampler
from .fields import file_name, listed, mappings, plain, text, whole
from .modules import check_classes

__all__ = ["ARM", "Arm", "Evaluation", "Study", "merge", "read_mapping"]

#: The recipe of an arm, in the folder of its run.
ARM = "arm.yaml"

#: What lies beside a study's file, and so is no name for the folder of a scale.
_TAKEN = frozenset({"figures", "losses", "samples", "rows.jsonl", "report.md", "report.html"})

#: The largest seed, and counts above which a number was mistyped.
_MOST_SEED, _MOST_IMAGES, _MOST_SAMPLES = 2**32 - 1, 10**12, 10**7

#: The largest side of images, in pixels.
_LARGEST = 65_536

#: A distance and its error by leaving out a part need so many.
_FEWEST_SAMPLES = 3


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
    `trust` may list modules of one's own that arms name; they are found beside the file, too. Names
    of arms, labels and scales become parts of file names, and so have to be such.

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
                evaluations can't be told apart, a name can't be a file's, a class is of a module
                that is not trusted, a sampler is unknown, an arm's own without a preset or has no
                such options, or the scale is not one of the file's.
        """
        path = Path(path)
        content = read_mapping(path)
        scales = mappings(f"The scales of {path}", content.get("scales") or {})
        changed = mappings(f"The arms of {path}", content.get("arms", {}))
        plain(str(path), content)
        content.pop("scales", None)
        for name in scales:
            _check_scale(path, name)
        trust = _modules(path, content.pop("trust")) if "trust" in content else ()
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
            if isinstance(content[name], str):
                content[name] = content[name].strip()  # the end of a line that YAML folded
            text(f"The {name} of {path}", content[name])
        if not changed:
            raise ValueError(f"The arms of {path} must be names with what they change.")
        for name in changed:
            file_name("The name of an arm", name)
        samples = whole(
            f"The samples of {path}", {**content, **scaled}["samples"], 1, _MOST_SAMPLES
        )
        if samples < _FEWEST_SAMPLES:
            raise ValueError(
                f"A distance needs at least {_FEWEST_SAMPLES} samples, but {path} asks for "
                f"{samples}."
            )
        base = read_mapping(path.parent / content["recipe"])
        plain(f"the recipe {content['recipe']}", base)
        arms = {
            name: _arm(name, changes, base, content, scaled) for name, changes in changed.items()
        }
        for arm in arms.values():
            check_classes(arm.name, arm.recipe, trust, path)
        folder = path.parent / scale if scale else path.parent
        title = f"{content['title']} (scale {scale})" if scale else content["title"]
        study = cls(path, folder, title, arms, samples, trust)
        study._check_names()
        return study

    @property
    def command(self) -> str:
        """The command that runs it, as typed into a shell."""
        scale = [] if self.folder == self.path.parent else ["--scale", self.folder.name]
        return shlex.join(["softdiffusion", "study", "run", str(self.path), *scale])

    def _check_names(self) -> None:
        """Raises unless no two arms share a folder, and no two pictures a file, on any system."""
        pictures = (
            self.picture(arm.name, evaluation.label, calls).name
            for arm in self.arms.values()
            for evaluation in arm.evaluations
            for calls in evaluation.calls
        )
        for what, names in (("arms", list(self.arms)), ("pictures of samples", list(pictures))):
            known: set[str] = set()
            for name in names:
                # Some systems take capitals, and letters with and without their accents, as one.
                same = unicodedata.normalize("NFKC", name).casefold()
                if same in known:
                    raise ValueError(
                        f"Two {what} of {self.path} would share the name {name}; choose other "
                        "names for arms or labels."
                    )
                known.add(same)

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
        """Raises a ValueError if the arm's folder holds a training by another recipe.

        What was refused before it was trained claims nothing.
        """
        run = self.run_folder(runs, arm, seed)
        trained = (run / RECIPE).exists() or checkpoints(run)
        if trained and (run / ARM).exists() and read_mapping(run / ARM) != arm.recipe:
            raise ValueError(
                f"{run} holds a training of the arm {arm.name} by another recipe, see "
                f"{run / ARM}; choose another folder by --runs, or delete this one."
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
    images, unscaled = (
        whole(f"The images of {name}", c["images"], 1, _MOST_IMAGES) for c in (chosen, full)
    )
    recipe = merge(base, rest) | {"images": images}
    text(f"The data of {name}", recipe.get("data", "digits"))
    for key, most in (("size", _LARGEST), ("channels", 3), ("crop", _LARGEST)):
        if recipe.get(key) is not None:
            whole(f"The {key} of {name}", recipe[key], 1, most)
    if images != unscaled:  # by a scale
        for key in ("warmup", "decay"):
            count = recipe.get(key, getattr(TrainingOptions, key))
            recipe[key] = whole(f"The {key} of {name}", count, 0) * images // unscaled
    seeds = listed(f"The seeds of {name}", chosen["seeds"])
    seeds = [whole(f"A seed of {name}", seed, 0, _MOST_SEED) for seed in seeds]
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"The seeds of {name} must differ, but are {shortened(seeds)}.")
    evaluations = tuple(
        map(_evaluation, listed(f"The evaluations of {name}", chosen["evaluations"]))
    )
    for evaluation in evaluations:
        check_sampler(name, recipe, evaluation)
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
            f"one is {shortened(entry)}."
        )
    for key in {"sampler", "label"} & entry.keys():
        text(f"The {key} of an evaluation", entry[key])
    calls = entry["calls"]
    if not isinstance(calls, list) or not all(type(number) is int for number in calls):
        raise ValueError(
            f"The calls of {entry['sampler']} must be a list of whole numbers, but are "
            f"{shortened(calls)}."
        )
    if not isinstance(entry.get("options", {}), Mapping):
        raise ValueError(
            f"The options of {entry['sampler']} must be names with values, but are "
            f"{shortened(entry['options'])}."
        )
    return Evaluation(**{**entry, "calls": tuple(calls)})


def _check_scale(path: Path, name: str) -> None:
    """Before it becomes the name of a folder beside the study's file."""
    file_name(f"The name of a scale of {path}", name)
    if name.casefold() in _TAKEN | {path.name.casefold()}:
        raise ValueError(
            f"A scale of {path} is called {name}, as a part of the study itself is; rename it."
        )


def _modules(path: Path, value: Any) -> tuple[str, ...]:
    names = listed(f"The modules that {path} trusts", value, str)
    for name in names:
        if not all(map(str.isidentifier, name.split("."))):
            raise ValueError(
                f"The modules that {path} trusts must be dotted names, but one is "
                f"{shortened(name)}."
            )
    return tuple(names)


def read_mapping(path: Path) -> dict[str, Any]:
    """Keys and values from a YAML file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no YAML, or holds something else.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold keys and values in YAML.")
    return content
