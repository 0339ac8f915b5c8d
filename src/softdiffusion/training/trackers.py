"""Trackers: programs that show a training while it runs, and many trainings side by side."""

import os
import uuid
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..files import read_json, write_json
from ..pictures import read_picture
from ..quoting import shortened
from .checkpoint import written

__all__ = ["TRACKERS", "Trackers", "check_trackers"]

#: The trackers by name, with the packages that they need and accelerate's classes for them.
TRACKERS = {
    "tensorboard": "TensorBoardTracker",
    "wandb": "WandBTracker",
    "trackio": "TrackioTracker",
}

#: The project under which a server shows the runs, if WANDB_PROJECT does not name another.
_PROJECT = "softdiffusion"

#: The file in a run's folder with the name that servers know the run by, so that it goes on there.
_FILE = "trackers.json"


def check_trackers(names: Sequence[str]) -> None:
    """Raises unless the trackers are known, each named once, and installed.

    Raises:
        ValueError: If a name is unknown, or there twice.
        ImportError: If a package is missing.
    """
    for name in names:
        if name not in TRACKERS:
            raise ValueError(
                f"There is no tracker {shortened(name)}; choose among {', '.join(TRACKERS)}."
            )
        if list(names).count(name) > 1:
            raise ValueError(f"The tracker {name} is named twice; name it once.")
        try:
            import_module(name)
            getattr(import_module("accelerate.tracking"), TRACKERS[name])
        except (ImportError, AttributeError) as error:
            raise ImportError(
                f"The tracker {name} can't be used ({error}); pip install -U {name} accelerate."
            ) from error


class Trackers:
    """What shows a training while it runs: TensorBoard, Weights & Biases, Trackio.

    They get what `stats.jsonl` gets, and pictures; that file stays the source. Of several processes
    the first has them. All are accelerate's, and none can be missing after this has returned.

    TensorBoard's files lie in the run's folder. The other two know the run by the id in
    `trackers.json` there, so that a training that goes on after a stop is the same run to them, and
    show it in the project `softdiffusion`, or that of WANDB_PROJECT. Weights & Biases is used as
    WANDB_MODE says or, where it is not set, online with an account and offline without one.

    Arguments:
        folder: The folder of the run.
        names: Which trackers: some of `tensorboard`, `wandb` and `trackio`, or none.
        config: What the training is, as plain data; it is shown beside the curves.
        images: The position at which the training goes on. TensorBoard drops what lies behind it,
            since it will be written again; of Weights & Biases, which keeps it, what is there
            already is not written again.

    Raises:
        ValueError: If a name is unknown, or the folder's `trackers.json` is damaged.
        ImportError: If a package is missing.
        OSError: If something can't be written.
    """

    def __init__(
        self, folder: Path, names: Sequence[str], config: Mapping[str, Any], images: int
    ) -> None:
        check_trackers(names)
        opened = {"tensorboard": _tensorboard, "wandb": _wandb, "trackio": _trackio}
        with written(f"The files of {' and '.join(names)}"):
            self.trackers = [opened[name](folder, dict(config), images) for name in names]

    def write(self, row: Mapping[str, Any]) -> None:
        """Shows the numbers of one row, which must name its position as `images`.

        A list is shown as one curve an entry, `NAME/0` and so on; what is None is left out.

        Raises:
            OSError: If it can't be written.
        """
        values = _numbers(row)
        for tracker in self.trackers:
            if not _has(tracker, row["images"]):
                with written(f"The files of {tracker.name}"):
                    tracker.log(values, step=row["images"])

    def picture(self, path: Path, images: int) -> None:
        """Shows a picture that was drawn after so many images.

        Raises:
            OSError: If it can't be written.
        """
        pixels = read_picture(path)
        for tracker in self.trackers:
            if not _has(tracker, images):
                with written(f"The files of {tracker.name}"):
                    _show(tracker, pixels, images)

    def close(self) -> None:
        """Closes them all, and waits for what is still on its way to a server."""
        for tracker in self.trackers:
            tracker.finish()


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a row by their names, those of a list one by one."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        listed = isinstance(value, list)
        flat |= {f"{name}/{k}": v for k, v in enumerate(value)} if listed else {name: value}
    return {name: value for name, value in flat.items() if isinstance(value, float)}


def _show(tracker: Any, pixels: np.ndarray, images: int) -> None:
    if tracker.name == "tensorboard":
        tracker.log_images({"samples": pixels[None]}, step=images, dataformats="NHWC")
        tracker.tracker.flush()
    elif tracker.name == "wandb":
        tracker.log_images({"samples": [pixels]}, step=images)
    else:
        from trackio import Image

        tracker.log({"samples": Image(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))}, images)


def _has(tracker: Any, images: int) -> bool:
    """Whether a tracker that can't drop rows has gone beyond this one before the last stop."""
    return tracker.name == "wandb" and images < tracker.tracker.step


def _tensorboard(folder: Path, config: dict[str, Any], images: int) -> Any:
    import yaml

    tracker = _opened("tensorboard", "tensorboard", logging_dir=folder, purge_step=images + 1)
    text = yaml.safe_dump(config, sort_keys=False)
    tracker.tracker.add_text("recipe", f"```yaml\n{text}```", images)
    return tracker


def _wandb(folder: Path, config: dict[str, Any], images: int) -> Any:
    import wandb

    mode = os.environ.get("WANDB_MODE") or ("online" if wandb.login(prompt=False) else "offline")
    return _opened(
        "wandb",
        os.environ.get("WANDB_PROJECT", _PROJECT),
        dir=folder,
        id=_id(folder),
        name=folder.resolve().name,
        resume="allow",
        mode=mode,
        config=config,
        allow_val_change=True,
    )


def _trackio(folder: Path, config: dict[str, Any], images: int) -> Any:
    return _opened(
        "trackio",
        os.environ.get("WANDB_PROJECT", _PROJECT),
        name=f"{folder.resolve().name}-{_id(folder)}",  # a name is all that it knows a run by
        resume="allow",
        embed=False,
        config=config,
    )


def _opened(tracker_name: str, /, *args: Any, **options: Any) -> Any:
    from accelerate import tracking

    tracker = getattr(tracking, TRACKERS[tracker_name])(*args, **options)
    if hasattr(tracker, "start"):  # earlier versions of accelerate start it at once
        tracker.start()
    return tracker


def _id(folder: Path) -> str:
    """The name that servers know a run by, made when it is first asked for."""
    path = folder / _FILE
    if not path.exists():
        write_json(path, {"id": uuid.uuid4().hex[:12]})
    known = read_json(path)
    if not isinstance(known, dict) or not isinstance(known.get("id"), str):
        raise ValueError(
            f"{path} is damaged (it has no id); delete it, and a new run begins there."
        )
    return known["id"]
