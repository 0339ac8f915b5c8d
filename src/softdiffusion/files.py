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
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = [
    "YAML_ERRORS",
    "cache_folder",
    "check_inside",
    "check_regular",
    "check_writable",
    "check_yaml",
    "drafted",
    "existing",
    "finite",
    "locked",
    "parse_json",
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

#: What PyYAML raises beside its own errors, where a tag does not fit its value.
YAML_ERRORS = (ValueError, KeyError, AttributeError, TypeError, ArithmeticError, RecursionError)

#: What the system says of a path that leads to no file.
_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)

#: A folder that is made and removed to see whether that is allowed.
_PROBE = ".softdiffusion-probe"

#: The deepest YAML document; Python's own recursion ends not far behind.
_DEEPEST = 60


def cache_folder(kind: str) -> Path:
    """Where what can be made again is kept for this user, by its kind.

    On Linux it is `$XDG_CACHE_HOME/softdiffusion/KIND`, or else in `~/.cache`.
    """
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("softdiffusion", appauthor=False)) / kind


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


def check_writable(folder: Path) -> None:
    """Raises unless files can be made in a folder that is there, or can be made.

    It is for what comes before the work whose results the folder is to hold, and leaves nothing
    behind.

    Raises:
        NotADirectoryError: If a file is in the way.
        OSError: If nothing can be written there; its number says why.
    """
    try:
        place = existing(folder)
        if not stat.S_ISDIR(place.stat().st_mode):  # a link that leads nowhere, or round, raises
            raise NotADirectoryError(
                f"{folder} is to be a folder, but {place} is a file; choose another place."
            )
        probe = place / _PROBE
        probe.mkdir(exist_ok=True)  # another process may look at the same time
        with suppress(FileNotFoundError):
            probe.rmdir()
    except OSError as error:
        if error.errno is None:
            raise
        reason = f"Nothing can be written in {folder}; choose another place"
        raise OSError(error.errno, reason, str(folder)) from None


def existing(path: Path) -> Path:
    """The path, or the nearest one above it at which there is something."""
    for place in (path, *path.parents):
        try:
            place.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        return place
    return Path()


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
        return parse_json(content)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); restore it from a copy.") from None


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text; bytes are UTF-8.

    Raises:
        ValueError: If it is not JSON, as Python's NaN and Infinity are not, nor numbers too large
            for it, nor a dictionary that has a key twice, or it is nested too deep.
    """
    try:
        return json.loads(
            text if isinstance(text, str) else text.decode("utf-8"),
            parse_constant=_no_number,
            parse_float=_finite,
            object_pairs_hook=_no_duplicates,
        )
    except RecursionError:
        raise ValueError("it is nested too deep") from None


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
    except (yaml.YAMLError, *YAML_ERRORS) as error:
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


def finite(value: Any) -> Any:
    """The value with None, in JSON null, in the places of NaN and infinity, which JSON lacks.

    Such numbers are measured where there is nothing to compare: the signal-to-noise ratio of equal
    images is infinite.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def write_json(path: Path, value: Any) -> None:
    """Replaces a file by a value as JSON.

    Raises:
        ValueError: If the value holds NaN or infinity, which JSON does not have; see `finite`.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


@contextmanager
def drafted(path: Path, lasting: bool = True) -> Iterator[Path]:
    """Gives the path of a draft, `.NAME.draft`, that becomes the file once the block has ended.

    If the block raises, the draft is removed and the file stays as it was. A draft that a kill left
    is written over by the next one.

    Arguments:
        path: The file; folders that are missing are made.
        lasting: Whether it is brought to the disk, so that a power cut keeps it. That takes a
            hundredth of a second, which thousands of files that can be made again are not worth.

    Raises:
        OSError: If it can't be written; the error names the file, whichever library raised it.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        if lasting:
            sync(draft)
            rename(draft, path)
        else:
            os.replace(draft, path)
    except BaseException as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        number = _number(error)
        if number is None or getattr(error, "filename", None) not in (None, str(draft)):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _number(error: BaseException) -> int | None:
    """The number of an error of the operating system, as Python or as Rust, in safetensors, say."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return None if found is None else int(found[1])


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


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
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


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _finite(word: str) -> float:
    value = float(word)
    if math.isinf(value):
        raise ValueError(f"{word[:40]} is larger than any number of 64 bits")
    return value
