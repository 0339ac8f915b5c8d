"""How a folder of pictures is divided into splits and classes."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ..quoting import in_one_line
from .listing import Listing, Parts, listed, summed, unread

__all__ = ["Layout", "understood"]

#: The names of splits, in small letters; what is held out serves where there is no test split.
_TRAIN, _TEST = {"train", "training"}, {"test", "testing"}
_HELD_OUT = {"val", "valid", "validation", "dev", "eval", "evaluation", "holdout"}

#: Names that a class hardly has; deeper in a folder they are splits, which must not be mixed.
_SPLITS = _TRAIN | _TEST | {"val", "validation"}

#: Without a folder of its own, every tenth file is the test split.
_EVERY = 10

#: As many folders or classes are written out in a message.
_NAMES = 10


@dataclass(frozen=True)
class Layout:
    """A folder of pictures that was understood.

    Attributes:
        roots: The folder of each split, "train" and "test".
        files: The pictures of each split, as parts of their paths below its folder, sorted.
        classes: The names of the classes, sorted, or None. A picture's class is the first part of
            its path.
        labelled: The splits in which every picture has a class.
        notes: How the folder was understood, and what was left out.
    """

    roots: dict[str, Path]
    files: dict[str, list[Parts]]
    classes: tuple[str, ...] | None
    labelled: frozenset[str]
    notes: tuple[str, ...]


def understood(folder: Path) -> Layout:
    """Finds the splits and classes of a folder, by the table in docs/data.md.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If the layout is another one; the message says what was found.
    """
    if not folder.is_dir():
        name = in_one_line(folder)
        if folder.exists():
            raise FileNotFoundError(f"{name} is a file, but a folder belongs behind 'folder:'.")
        raise FileNotFoundError(f"There is no folder {name}; check the path behind 'folder:'.")
    found = _Found(folder, listed(folder))
    train, test, unused = _splits(found)
    files, rule = _divided(found.listing.pictures, train, test)
    roots = {"train": folder / (train or ""), "test": folder / (test or train or "")}
    _check_depth(found, files)
    classes, labelled, about = _classes(found, files, shared=test is None)
    if classes is not None:
        _check_vanished(found, [name for name in (train, test) if name])
    left_out = _left_out(found.listing, unused, beside=test is not None)
    return Layout(roots, files, classes, labelled, (rule, *about, *left_out))


@dataclass(frozen=True)
class _Found:
    folder: Path
    listing: Listing

    def refusal(self, why: str, remedy: str) -> ValueError:
        """The error about a layout without a meaning, which says what was found."""
        counts = Counter(parts[0] for parts in self.listing.pictures if len(parts) > 1)
        found = [f"{name} with {counts[name]:,} pictures" for name in self.listing.folders]
        found = [*found[:_NAMES], *([f"{len(found) - _NAMES} more"] if len(found) > _NAMES else [])]
        beside = len(self.listing.pictures) - counts.total()
        found += [f"{beside:,} pictures beside them"] if beside else []
        return ValueError(
            in_one_line(
                f"The layout of {self.folder} can't be understood: {why}; {remedy} (found: "
                f"{', '.join(found)})."
            )
        )


def _splits(found: _Found) -> tuple[str | None, str | None, list[str]]:
    """The folders for training and for test, and those of other splits, which are not used."""
    folders = found.listing.folders
    train, test, held_out = (
        [name for name in folders if name.lower() in names] for names in (_TRAIN, _TEST, _HELD_OUT)
    )
    for names in (train, test or held_out):
        if len(names) > 1:
            raise found.refusal(
                f"{_and(names)} could each be the same split", "keep one of them, or rename them"
            )
    if not train:
        if test or held_out:
            raise found.refusal(
                f"{_and(test + held_out)} has the name of a split, but there is no train",
                "rename it, or put the rest into a folder train",
            )
        return None, None, []
    pictures = found.listing.pictures
    splits = {*train, *test, *held_out}
    others = sorted({parts[0] for parts in pictures if len(parts) > 1} - splits)
    if others:
        raise found.refusal(
            f"{_and(others)} lies beside {train[0]}, and belongs to no split",
            f"move it below {train[0]}, or out of the folder",
        )
    second = test or held_out
    if not second and any(len(parts) == 1 for parts in pictures):
        raise found.refusal(
            f"pictures lie beside {train[0]}, and belong to no split",
            f"move them below {train[0]}, or out of the folder",
        )
    return train[0], second[0] if second else None, held_out if test else []


def _divided(
    pictures: list[Parts], train: str | None, test: str | None
) -> tuple[dict[str, list[Parts]], str]:
    """The pictures of each split, and the rule that made them."""
    below = {
        name: [parts[1:] for parts in pictures if len(parts) > 1 and parts[0] == name]
        for name in (train, test)
        if name
    }
    if train and test:
        files = {"train": below[train], "test": below[test]}
        return files, f"{train} and {test} are the splits for training and test"
    every = below[train] if train else pictures
    held_out = slice(_EVERY - 1, None, _EVERY)
    rest = list(every)
    del rest[held_out]
    rule = "every tenth file" + (f" of {train}" if train else "")
    files = {"train": rest, "test": every[held_out]}
    return files, f"{rule} is held out as the test split, {len(files['test'])} of {len(every)}"


def _check_depth(found: _Found, files: dict[str, list[Parts]]) -> None:
    for parts in (*files["train"], *files["test"]):
        for depth, name in enumerate(parts[:-1]):
            if name.lower() in _SPLITS:
                above = f"below {parts[depth - 1]}" if depth else "below another split"
                raise found.refusal(
                    f"{name} has the name of a split, but lies {above}",
                    "give the folder that holds the splits, with the classes below them, or rename "
                    "it",
                )


def _classes(
    found: _Found, files: dict[str, list[Parts]], shared: bool
) -> tuple[tuple[str, ...] | None, frozenset[str], list[str]]:
    """The classes, the splits in which every picture has one, and what is said about them.

    With `shared`, the splits are parts of one folder and can't differ in how it is ordered.
    """
    both = [*files["train"], *files["test"]]
    groups = {"train": both, "test": both} if shared else files
    names = {
        split: {parts[0] for parts in group if len(parts) > 1} for split, group in groups.items()
    }
    loose = {split: any(len(parts) == 1 for parts in group) for split, group in groups.items()}
    labelled = frozenset(split for split in groups if names[split] and not loose[split])
    only_test = sorted(names["test"] - names["train"])
    unknown = "train" in labelled or (groups["train"] and not names["train"])
    if not shared and "test" in labelled and only_test and unknown:
        raise found.refusal(
            f"the class {_and(only_test)} is in the test split alone",
            "add it to the training split, or remove it",
        )
    if "train" not in labelled and (groups["train"] or not labelled):
        mixed = any(names[split] and loose[split] for split in groups)
        note = "no classes, since pictures lie both in folders and beside them"
        return None, frozenset(), [note] if mixed else []
    classes = tuple(sorted(names["train"] or names["test"]))
    word = "class" if len(classes) == 1 else "classes"
    about = [f"{len(classes)} {word}: {_and(classes)}"]
    if groups["test"] and "test" not in labelled:
        about.append("the test split has no classes")
    return classes, labelled, about


def _check_vanished(found: _Found, splits: list[str]) -> None:
    """Raises if all pictures of a class were left out, which would silently drop the class."""
    listing = found.listing
    depth = 2 if splits else 1
    full = {parts[:depth] for parts in listing.pictures}
    lost: dict[Parts, Counter[str]] = {}
    for (above, kind), count in listing.left_out.items():
        place = above[:depth]
        if len(place) == depth and place not in full and (not splits or place[0] in splits):
            lost.setdefault(place, Counter())[kind] += count
    for place, kinds in sorted(lost.items()):
        if any(unread(kind) for kind in kinds):
            raise found.refusal(
                f"no file of {'/'.join(place)} can be read, which has {summed(kinds)}",
                "convert them, or remove the folder",
            )


def _left_out(listing: Listing, unused: list[str], beside: bool) -> list[str]:
    kinds = Counter[str]()
    for (_, kind), count in listing.left_out.items():
        kinds[kind] += count
    if beside:
        kinds["pictures beside the splits"] = sum(len(parts) == 1 for parts in listing.pictures)
    for name in unused:
        kinds[f"pictures in {name}"] = sum(parts[0] == name for parts in listing.pictures)
    notes = [f"left out: {summed(+kinds)}"] if +kinds else []
    if listing.twice:
        notes.append(f"{listing.twice} pictures are there twice, through links")
    return notes


def _and(names: list[str] | tuple[str, ...]) -> str:
    """The first names of a list, in words."""
    more = len(names) - _NAMES
    return ", ".join(names[:_NAMES]) + (f" and {more} more" if more > 0 else "")
