"""What a recipe says: the arguments that `corrupt`, `schedule` and `train` share."""

from typing import Literal

import torch
from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from ..configuration import to_config
from ..corruptions import Corruption
from ..data import Images, measured, open
from ..denoisers import Denoiser, Preconditioning
from ..objectives import Objective
from ..presets import PRESETS, Preset
from ..priors import DataPrior, GaussianPrior, MixturePrior, Prior
from ..process import SoftDiffusion
from ..schedules import Schedule, Selection, Wasserstein
from ..training import TrainingOptions
from .parser import Parser

__all__ = ["Recipe", "add_recipe"]

#: What is left out, filled in late: told from the same class named beside a preset.
_DEFAULTS = {
    "corruption": "softdiffusion.GaussianBlur",
    "preconditioning": "softdiffusion.Residual",
}


def add_recipe(parser: Parser) -> None:
    """Adds everything that a recipe in YAML may say."""
    parser.add_argument("--config", action="config", help="A recipe in YAML.")
    parser.add_argument(
        "--data",
        type=str,
        default="digits",
        help="digits, fashion-mnist, fashion-mnist:PATH or folder:PATH.",
    )
    parser.add_argument(
        "--size", type=PositiveInt | None, default=None, help="Side of the images, pixels."
    )
    parser.add_argument(
        "--channels", type=int, default=1, help="1 makes the images grey, 3 is RGB."
    )
    parser.add_argument("--flips", type=bool, default=False, help="Mirror every second image.")
    parser.add_argument(
        "--preset",
        type=Preset | str | None,
        default=None,
        help="A published method in the place of corruption, schedule, preconditioning and "
        f"objective: {', '.join(PRESETS)}.",
    )
    parser.add_argument(
        "--corruption",
        type=Corruption | None,
        default=None,
        help=f"The corruption; {_DEFAULTS['corruption']} if it is left out.",
    )
    parser.add_argument(
        "--schedule",
        type=Schedule | Wasserstein,
        sub_configs=True,
        default={
            "class_path": "softdiffusion.schedules.Wasserstein",
            "init_args": {"max_severity": 8.0, "sigma": [0.02, 0.2], "levels": 32},
        },
        help="A schedule, a selection by distance, or a file written by `softdiffusion schedule`.",
    )
    parser.add_argument(
        "--levels", type=int | None, default=None, help="Overrides the levels of a selection."
    )
    parser.add_argument(
        "--epsilon", type=float | None, default=None, help="Overrides the cap of a selection."
    )
    parser.add_argument(
        "--backbone",
        type=nn.Module | None,
        default=None,  # as a class, its arguments would replace another class's own defaults
        help="The network, named before its arguments; softdiffusion.SmallUNet if it is left out.",
    )
    parser.link_arguments("channels", "backbone.init_args.channels")
    parser.add_argument(
        "--preconditioning",
        type=Preconditioning | None,
        default=None,
        help=f"What the network predicts; {_DEFAULTS['preconditioning']} if it is left out.",
    )
    parser.add_argument(
        "--objective",
        type=Objective,
        default={
            "class_path": "softdiffusion.StepMatched",
            "init_args": {"steps": 10, "soft_share": 0.1},
        },
    )
    parser.add_argument(
        "--prior",
        type=Literal["gaussian", "mixture", "classes", "data"],
        default="gaussian",
        help="The start of the samplers; `classes` is one Gaussian a class, and `data` needs the "
        "training images whenever it draws.",
    )
    parser.add_argument(
        "--prior_components", type=PositiveInt, default=10, help="Those of the mixture."
    )
    parser.add_argument("--images", type=PositiveInt, default=400_000, help="Images to train on.")
    parser.add_argument("--seed", type=NonNegativeInt, default=0)
    parser.add_class_arguments(TrainingOptions)


class Recipe:
    """Builds what the parsed arguments describe.

    Arguments:
        parser: The parser that read them.
        arguments: What it read.
    """

    def __init__(self, parser: Parser, arguments: Namespace) -> None:
        if arguments.levels is not None or arguments.epsilon is not None:
            chosen = arguments.schedule
            if "Wasserstein" not in chosen.class_path:
                raise ValueError(
                    f"--levels and --epsilon belong to a selection, but the schedule is a "
                    f"{chosen.class_path}; use --schedule Wasserstein."
                )
            chosen.init_args.levels = arguments.levels
            chosen.init_args.epsilon = arguments.epsilon
        if arguments.backbone is None:
            channels = Namespace(channels=arguments.channels)
            arguments.backbone = Namespace(class_path="softdiffusion.SmallUNet", init_args=channels)
        if arguments.preset is None:
            for name, class_path in _DEFAULTS.items():
                arguments[name] = arguments[name] or Namespace(class_path=class_path)
        torch.manual_seed(arguments.seed)  # for the first weights of the backbone
        self.arguments = arguments
        self.built = parser.instantiate(arguments)
        if arguments.preset is not None:
            self._expand(parser, _preset(self.built.preset))

    def _expand(self, parser: Parser, preset: Preset) -> None:
        """Puts the preset's parts in their places, so that the written recipe says them all."""
        parts = {
            "corruption": preset.process.corruption,
            "schedule": preset.process.schedule,
            "preconditioning": preset.preconditioning,
            "objective": preset.objective,
        }
        defaults = parser.get_defaults()
        for name, part in parts.items():
            if self.arguments[name] != defaults[name]:
                raise ValueError(
                    f"The preset brings its {name}, but the recipe names another one; leave out "
                    f"the preset or the {name}."
                )
            self.arguments[name] = to_config(part)[0]
            self.built[name] = part
        self.arguments.preset = None

    def data(self, split: Literal["train", "test"] = "train") -> Images:
        """The images."""
        a = self.arguments
        return open(a.data, split=split, size=a.size, channels=a.channels)

    @staticmethod
    def measured(data: Images) -> Tensor:
        """The images on which distances are measured and a start is fitted."""
        return data.batch(measured(len(data)))

    @staticmethod
    def _measured_labels(data: Images) -> Tensor:
        if data.labels is None:
            raise ValueError(
                f"--prior classes needs labels, but {data.name} has none; use data with labels, or "
                "--prior mixture."
            )
        return data.labels[measured(len(data))]

    def selection(self, data: Images) -> Selection | None:
        """The levels chosen by distance, if the recipe asks for that."""
        chosen = self.built.schedule
        if isinstance(chosen, Wasserstein):
            return chosen.select(self.built.corruption, self.measured(data))
        return None

    def process(self, selection: Selection | None) -> SoftDiffusion:
        """The forward process."""
        schedule = selection.schedule() if selection else self.built.schedule
        return SoftDiffusion(self.built.corruption, schedule)

    def denoiser(self, process: SoftDiffusion) -> Denoiser:
        """The network, not yet trained."""
        return Denoiser(self.built.backbone, process, self.built.preconditioning)

    def prior(self, process: SoftDiffusion, data: Images) -> Prior:
        """The start, fitted to the data."""
        images = self.measured(data)
        match self.arguments.prior:
            case "mixture":
                return MixturePrior.fit(process, images, self.arguments.prior_components)
            case "classes":
                return MixturePrior.fit_classes(process, images, self._measured_labels(data))
            case "data":
                return DataPrior(process, images)
            case _:
                return GaussianPrior.fit(process, images)

    def options(self) -> TrainingOptions:
        """The settings of the training."""
        names = TrainingOptions.__dataclass_fields__
        return TrainingOptions(**{name: self.arguments[name] for name in names})


def _preset(named: Preset | str) -> Preset:
    """The preset of a name, with the values of its paper."""
    if isinstance(named, Preset):
        return named
    if named not in PRESETS:
        raise ValueError(f"There is no preset {named!r}; there are {', '.join(PRESETS)}.")
    return PRESETS[named]()
