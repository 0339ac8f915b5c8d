"""What a recipe says: the arguments that `corrupt`, `schedule` and `train` share."""

from typing import Any, Literal

import torch
from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt, PositiveInt
from torch import nn

from ..configuration import to_config
from ..corruptions import Corruption
from ..data import Images, Part, Source, Stream, measured, open_stream
from ..denoisers import Denoiser, Preconditioning
from ..objectives import Objective
from ..presets import PRESETS, Preset, named
from ..priors import DataPrior, GaussianPrior, MixturePrior, Prior
from ..process import SoftDiffusion
from ..schedules import Schedule, Selection, Wasserstein
from ..training import TrainingOptions
from ..training.processes import from_first
from .flags import naming_flags
from .parser import Parser
from .places import check_outside
from .spelling import words

__all__ = ["Recipe", "add_recipe"]

#: What is left out, filled in late: told from the same class named beside a preset.
_DEFAULTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "corruption": (Corruption, {"class_path": "softdiffusion.GaussianBlur"}),
    "schedule": (
        Schedule | Wasserstein,
        {
            "class_path": "softdiffusion.schedules.Wasserstein",
            "init_args": {"max_severity": 8.0, "sigma": [0.02, 0.2], "levels": 32},
        },
    ),
    "preconditioning": (Preconditioning, {"class_path": "softdiffusion.Residual"}),
    "objective": (
        Objective,
        {
            "class_path": "softdiffusion.StepMatched",
            "init_args": {"steps": 10, "soft_share": 0.1},
        },
    ),
}


def add_recipe(parser: Parser) -> None:
    """Adds everything that a recipe in YAML may say."""
    parser.add_argument("--config", action="config", help="A recipe in YAML.")
    parser.add_argument(
        "--data",
        type=str,
        default="digits",
        help="digits, fashion-mnist, fashion-mnist:PATH, folder:PATH, hub:NAME or hub-stream:NAME.",
    )
    parser.add_argument(
        "--size", type=PositiveInt | None, default=None, help="Side of the images, pixels."
    )
    parser.add_argument(
        "--channels",
        type=int | None,
        default=None,
        help="1 makes the images grey, 3 is RGB; those of the data if it is left out.",
    )
    parser.add_argument(
        "--crop",
        type=PositiveInt | None,
        default=None,
        help="Windows of this side, drawn anew each time from the pictures of a folder, which may "
        "have any sizes.",
    )
    parser.add_argument(
        "--crop_scale",
        type=float,
        default=1.0,
        help="The smallest scale of a window, in (0, 1]; at 1 it is not resized.",
    )
    parser.add_argument(
        "--cache",
        type=str | None,
        default=None,
        help="The folder that the decoded pictures of a folder are kept in; default: the user's "
        "cache folder, or memory for few.",
    )
    parser.add_argument("--flips", type=bool, default=False, help="Mirror every second image.")
    parser.add_argument("--turns", type=bool, default=False, help="Turn images by random quarters.")
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
        help="The corruption; softdiffusion.GaussianBlur if it is left out.",
    )
    parser.add_argument(
        "--schedule",
        type=Schedule | Wasserstein | None,
        default=None,
        help="A schedule or a selection by distance, named before its arguments, or a file written "
        "by `softdiffusion schedule`; if it is left out, 32 levels by distance, up to severity 8 "
        "and noise from 0.02 to 0.2.",
    )
    parser.add_argument(
        "--levels", type=int | None, default=None, help="Overrides the levels of a selection."
    )
    parser.add_argument(
        "--epsilon", type=float | None, default=None, help="Overrides the cap of a selection."
    )
    backbone = parser.add_argument(
        "--backbone",
        type=nn.Module | None,
        default=None,  # as a class, its arguments would replace another class's own defaults
        help="The network, named before its arguments: softdiffusion.SmallUNet, which it is if it "
        "is left out, softdiffusion.DiffusersUNet, or a class of your own",
    )
    backbone.extra_help = lambda: ""  # or all networks of torch
    # Those of the data take the place of 1 once they are open.
    parser.link_arguments("channels", "backbone.init_args.channels", lambda given: given or 1)
    parser.add_argument(
        "--preconditioning",
        type=Preconditioning | None,
        default=None,
        help="What the network predicts; softdiffusion.Residual if it is left out.",
    )
    parser.add_argument(
        "--objective",
        type=Objective | None,
        default=None,
        help="The loss, named before its arguments; softdiffusion.StepMatched for 10 steps, with a "
        "soft share of 0.1, if it is left out.",
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
    parser.add_argument(
        "--prior_modes", type=PositiveInt, default=256, help="The most modes of the start."
    )
    parser.add_argument("--images", type=PositiveInt, default=400_000, help="Images to train on.")
    parser.add_argument("--seed", type=NonNegativeInt, default=0)
    parser.add_class_arguments(TrainingOptions, skip={"ema_lengths", "track"})
    parser.add_argument(
        "--ema_lengths",
        type=float,
        nargs="+",
        default=[],
        help="Relative lengths of averages that are kept beside --ema, such as 0.05 0.1, from "
        "which `softdiffusion ema` makes those of other lengths.",
    )
    parser.add_argument(
        "--track",
        type=str | list[str],
        nargs="+",
        default=[],
        help="Show the training while it runs: tensorboard, wandb, trackio.",
    )
    parser.add_argument(
        "--init",
        type=str | None,
        default=None,
        help="The folder of a model with whose weights the training begins.",
    )


class Recipe:
    """Builds what the parsed arguments describe.

    Arguments:
        parser: The parser that read them.
        arguments: What it read.
    """

    def __init__(self, parser: Parser, arguments: Namespace) -> None:
        for name, default in vars(parser.get_defaults()).items():
            if default is not None and arguments.get(name) is None:
                raise ValueError(f"--{name} is null; give a value, or leave it out for {default}.")
        if arguments.preset is None:
            _fill(arguments)
        _override(arguments)
        if arguments.backbone is None:
            channels = Namespace(channels=arguments.channels)
            arguments.backbone = Namespace(class_path="softdiffusion.SmallUNet", init_args=channels)
        self.arguments = arguments
        check_outside(arguments.out, arguments.data)
        self._data = Source.of(vars(arguments)).open()
        arguments.channels = self._data.shape[0]
        if "channels" in arguments.backbone.get("init_args", {}):
            arguments.backbone.init_args.channels = arguments.channels
        torch.manual_seed(arguments.seed)  # for the first weights of the backbone
        self.built = parser.instantiate(arguments)
        if arguments.preset is not None:
            chosen = self.built.preset
            self._expand(chosen if isinstance(chosen, Preset) else named(chosen))

    def _expand(self, preset: Preset) -> None:
        """Puts the preset's parts in their places, so that the written recipe says them all."""
        parts = {
            "corruption": preset.process.corruption,
            "schedule": preset.process.schedule,
            "preconditioning": preset.preconditioning,
            "objective": preset.objective,
        }
        for name, part in parts.items():
            if self.arguments[name] is not None:
                raise ValueError(
                    f"The preset brings its {name}, but the recipe names another one; leave out "
                    f"the preset or the {name}."
                )
            self.arguments[name] = to_config(part)[0]
            self.built[name] = part
        self.arguments.preset = None

    def data(self) -> Images:
        """The images to train on."""
        return self._data

    def stream(self) -> Stream | None:
        """The stream to train on, where the data are one; `data` are its first images then."""
        source = Source.of(vars(self.arguments))
        if not source.data.startswith("hub-stream:"):
            return None
        return open_stream(
            source.data, size=source.size, channels=source.channels, seed=self.arguments.seed
        )

    def held_out(self) -> Images:
        """The images of the test split, on which the loss is measured."""
        return Source.of(vars(self.arguments)).open("test")

    @staticmethod
    def measured(data: Images) -> Part:
        """The images on which distances are measured and a start is fitted."""
        return Part(data, measured(len(data)))

    def selection(self, data: Images) -> Selection | None:
        """The levels chosen by distance, if the recipe asks for that.

        Of several processes, the first measures; the others are told.
        """
        chosen = self.built.schedule
        if isinstance(chosen, Wasserstein):
            images, progress = self.measured(data), self.arguments.get("progress", True)
            return from_first(lambda: chosen.select(self.built.corruption, images, progress))
        return None

    def process(self, selection: Selection | None) -> SoftDiffusion:
        """The forward process."""
        schedule = selection.schedule() if selection else self.built.schedule
        return SoftDiffusion(self.built.corruption, schedule)

    def denoiser(self, process: SoftDiffusion) -> Denoiser:
        """The network, not yet trained."""
        return Denoiser(self.built.backbone, process, self.built.preconditioning)

    def prior(self, process: SoftDiffusion, data: Images) -> Prior:
        """The start, fitted to the data; of several processes, the first fits it for all.

        Raises:
            ValueError: If it can't be fitted; the message names the arguments of the command.
        """
        images = self.measured(data)
        if self.arguments.prior == "data":
            return DataPrior(process, images.tensor())
        with naming_flags():
            return from_first(lambda: self._fitted(process, images))

    def _fitted(self, process: SoftDiffusion, images: Part) -> Prior:
        shared = {
            "max_modes": self.arguments.prior_modes,
            "progress": self.arguments.get("progress", True),
        }
        match self.arguments.prior:
            case "mixture":
                components = self.arguments.prior_components
                return MixturePrior.fit(process, images, components, **shared)
            case "classes":
                if images.labels is None:
                    raise ValueError(
                        f"--prior classes needs labels, but {images.name} has none; use data with "
                        "labels, or --prior mixture."
                    )
                return MixturePrior.fit_classes(process, images, images.labels, **shared)
            case _:
                return GaussianPrior.fit(process, images, **shared)

    def options(self) -> TrainingOptions:
        """The settings of the training."""
        given = {name: self.arguments[name] for name in TrainingOptions.__dataclass_fields__}
        several = {
            "ema_lengths": tuple(self.arguments.ema_lengths),
            "track": tuple(map(str, words(self.arguments.track))),
        }
        return TrainingOptions(**given | several)


def _fill(arguments: Namespace) -> None:
    """Puts defaults in the places of the parts that were left out."""
    parser = Parser()
    for name, (kind, default) in _DEFAULTS.items():
        parser.add_argument(f"--{name}", type=kind, default=default)
    defaults = parser.get_defaults()
    for name in _DEFAULTS:
        arguments[name] = arguments[name] or defaults[name]


def _override(arguments: Namespace) -> None:
    """Lets --levels and --epsilon replace those of a selection."""
    if arguments.levels is None and arguments.epsilon is None:
        return
    chosen = arguments.schedule
    if chosen is None or "Wasserstein" not in chosen.class_path:
        schedule, remedy = "the preset's", "leave out the preset or the schedule's --levels"
        if chosen is not None:
            schedule, remedy = f"a {chosen.class_path}", "use --schedule Wasserstein"
        raise ValueError(
            f"--levels and --epsilon belong to a selection, but the schedule is {schedule}; "
            f"{remedy}."
        )
    chosen.init_args.levels = arguments.levels
    chosen.init_args.epsilon = arguments.epsilon
