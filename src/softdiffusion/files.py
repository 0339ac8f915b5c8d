"""Files that are whole or absent: text as UTF-8, JSON and YAML that every parser reads, locks.

A write goes to a draft beside the file, is brought to the disk and then renamed, so that whatever
happens, a kill or a full disk, the old content or the new one is there. Reads take regular files of
a bounded size alone, so that a pipe, a device or an endless file in a stranger's folder can't hang
or fill the program.
"""

import errno
import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = [
    "check_inside",
    "check_regular",
    "check_yaml",
    "drafted",
    "locked",
    "no_duplicates",
    "read_bytes",
    "read_json",
    "read_text",
    "read_yaml",
    "rename",
    "sync",
    "write_json",
    "write_text",
]

#: The largest text that is read, in bytes; recipes, reports and records stay far below.
_LARGEST_TEXT = 256 * 2**20

#: The largest YAML document, in values, each counted as often as aliases repeat it.
_MOST_VALUES = 100_000

#: What the system says of a path that leads to no file.
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)

#: The deepest YAML document; Python's own recursion ends not far behind.
_DEEPEST = 60


def check_regular(path: Path) -> None:
    """Raises unless there is a regular file, or a link to one.

    Raises:
        FileNotFoundError: If there is nothing, or a link that leads nowhere.
        ValueError: If it is a folder, a pipe, a socket or a device.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno not in _NOWHERE:
            raise
        raise FileNotFoundError(f"There is no file {path}; check the path.") from None
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise ValueError(f"{path} is {what}, where a file is needed; give another path.")


def check_inside(path: Path, folder: Path) -> None:
    """Raises if links lead a path out of the folder that it is in, as a stranger's may.

    Raises:
        ValueError: If they do.
    """
    # Unlike Path.resolve, realpath takes a loop of links for a path like others.
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        raise ValueError(
            f"{path} is a link that leads out of {folder}, so it is not followed; copy what it "
            "names to its place."
        )


def read_bytes(path: Path, largest: int = _LARGEST_TEXT) -> bytes:
    """The content of a regular file of at most `largest` bytes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, or larger.
    """
    check_regular(path)
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"The file {path} is larger than {largest:,} bytes; give a smaller one.")
    return content


def read_text(path: Path) -> str:
    """The content of a text file, as UTF-8 whatever the locale.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, larger than 256 MiB, or not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"The file {path} is no text ({error}); save it as UTF-8.") from None


def read_json(path: Path, largest: int = _LARGEST_TEXT) -> Any:
    """The content of a JSON file of at most `largest` bytes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not JSON, or larger: Python's NaN and Infinity are not, nor numbers too
            large for it, nor a dictionary that has a key twice.
    """
    content = read_bytes(path, largest)
    try:
        return json.loads(
            content.decode("utf-8"),
            parse_constant=_no_number,
            parse_float=_finite,
            object_pairs_hook=no_duplicates,
        )
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}); restore it from a copy.") from None


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dictionary of pairs, for `json.loads`; parsers differ in which of two equal keys counts.

    Raises:
        ValueError: If a key is there twice.
    """
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key[:40]!r} is there twice")
        found[key] = value
    return found


def read_yaml(path: Path) -> Any:
    """The content of a YAML file, of plain values.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no YAML, or too large or deep, once its aliases are written out.
    """
    import yaml

    text = read_text(path)
    try:
        check_yaml(text)
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}.") from None


def check_yaml(text: str) -> None:
    """Raises unless a YAML document stays small and flat once its aliases are written out.

    A few lines of aliases to aliases stand for billions of values, which hang whatever walks
    through them.

    Raises:
        ValueError: If it has more than 100,000 values, or more than 60 levels.
        yaml.YAMLError: If it is no YAML.
    """
    import yaml

    depth, level = 0, 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):  # level by level, without recursion
        level += isinstance(event, yaml.CollectionStartEvent)
        level -= isinstance(event, yaml.CollectionEndEvent)
        depth = max(depth, level)
        if depth > _DEEPEST:
            raise ValueError(f"it has more than {_DEEPEST} levels; write it flatter")
    extents: dict[yaml.Node, tuple[int, int]] = {}
    for document in yaml.compose_all(text, Loader=yaml.SafeLoader):
        values, levels = (0, 0) if document is None else _extent(document, extents, ())
        if values > _MOST_VALUES or levels > _DEEPEST:
            raise ValueError(
                f"with its aliases written out it has {values:,} values on {levels} levels, but at "
                f"most {_MOST_VALUES:,} on {_DEEPEST} are read; shorten it"
            )


def _extent(
    node: Any, known: dict[Any, tuple[int, int]], above: tuple[Any, ...]
) -> tuple[int, int]:
    """Values and levels of a node, an alias counting as all that it stands for."""
    import yaml

    if node in above:
        raise ValueError("one of its aliases contains itself; write it out")
    if node not in known:
        children = []
        if isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            children = [part for pair in node.value for part in pair]
        below = [_extent(child, known, (*above, node)) for child in children]
        values = 1 + sum(values for values, _ in below)
        known[node] = values, 1 + max((levels for _, levels in below), default=0)
    return known[node]


def write_text(path: Path, text: str) -> None:
    """Replaces a file by a text, as UTF-8; its folder is made if it is missing."""
    with drafted(path) as draft:
        draft.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Replaces a file by a value as JSON.

    Raises:
        ValueError: If the value holds NaN or infinity, which JSON does not have.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """Gives the path of a draft, `.NAME.draft`, that becomes the file once the block has ended.

    If the block raises, the draft is removed and the file stays as it was. A draft that a kill left
    is written over by the next one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    try:
        yield draft
        sync(draft)
        rename(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def rename(source: Path, target: Path) -> None:
    """Renames a file over another one, or a folder, and brings the change to the disk."""
    os.replace(source, target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Brings a file, or the names in a folder, to the disk, so that a power cut keeps them."""
    if os.name == "nt" and path.is_dir():  # folders can't be opened there, nor need to be
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, message: str = "", timeout: float = -1) -> Iterator[None]:
    """Holds a lock, in a file of its own, for this process until the block or the process ends.

    Arguments:
        path: The lock's file; it stays, empty.
        message: What the error says if another process holds it.
        timeout: Seconds to wait for it; -1 waits as long as it takes.

    Raises:
        ValueError: If another process holds it for longer.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        raise ValueError(message) from None
    try:
        yield
    finally:
        lock.release()


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _finite(word: str) -> float:
    value = float(word)
    if math.isinf(value):
        raise ValueError(f"{word[:40]} is larger than any number of 64 bits")
    return value
