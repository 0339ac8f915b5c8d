"""How a command ends: the sentence for whatever was raised."""

import errno
import os
import re
import traceback
from collections.abc import Sequence
from pathlib import Path

from ..memory import asked, is_refused
from .wording import plain

__all__ = ["sentence"]

#: What to do about the errors of the operating system.
_REMEDIES = {
    errno.ENOSPC: "free some space and give the same command again",
    errno.EDQUOT: "free some of your quota and give the same command again",
    errno.EFBIG: "raise the limit of the size of files (ulimit -f) and give the same command again",
    errno.EROFS: "choose a place that can be written to",
    errno.EACCES: "change the permissions, or choose another place",
    errno.EPERM: "change the permissions, or choose another place",
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a file is where a folder is needed; choose another place",
    errno.EISDIR: "a folder is where a file is needed; choose another place",
    errno.EEXIST: "something else is in the way; choose another place",
    errno.ENOTEMPTY: "another program writes there; give the same command again once it has ended",
    errno.ELOOP: "the links lead round in a circle; mend them",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close some programs",
    errno.ENOMEM: "close some programs, or take a smaller --batch_size",
    errno.EIO: "the disk or the network has a fault; choose another place",
    errno.ESTALE: "the network's folder is gone; mount it again",
    errno.EINVAL: "check the path",
    errno.EBUSY: "another program uses it; give the same command again once it has ended",
    errno.ETXTBSY: "another program uses it; give the same command again once it has ended",
}

#: The arguments that a command's memory grows with, by the ends of their names.
_SIZES = (
    "size",
    "width",
    "count",
    "samples",
    "components",
    "levels",
    "columns",
    "candidates",
    "multipliers",
    "modes",
    "channels",
    "jobs",
    "classes",
)

_PACKAGE = Path(__file__).parents[1]


def sentence(error: Exception, given: Sequence[str]) -> str:
    """One sentence that says what was wrong and what to do.

    Arguments:
        error: What ended the command.
        given: The arguments of the command.
    """
    message = " ".join(str(error).split())
    system = _system_error(error)
    if isinstance(error, UnicodeDecodeError):
        return f"A file of arguments is not text ({message}); save it as UTF-8."
    if system is not None:
        return _of_system(*system)
    if is_refused(error):
        return _of_memory(error, given)
    if isinstance(error, RecursionError):
        return (
            "A file or an argument is nested too deeply; write it flatter, or restore it from a "
            "copy."
        )
    if isinstance(error, ValueError | OSError | ImportError) and message:
        return plain(str(error))
    if isinstance(error, TypeError) and message.endswith(", but is None."):
        return message  # null in a recipe, which its parser takes for any value
    return _of_nobody(error, message)


def _system_error(error: Exception) -> tuple[int, str] | None:
    """The number of an error of the operating system, and the file, where either is known."""
    if isinstance(error, OSError) and error.errno is not None:
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        return error.errno, " and ".join(names)
    found = re.search(r"\(os error (\d+)\)", str(error))  # as Rust writes it, for safetensors
    return None if found is None else (int(found[1]), "")


def _of_system(number: int, place: str) -> str:
    reason = os.strerror(number)
    remedy = _REMEDIES.get(number, "choose another place, or give the same command again")
    return f"{place or 'A file'}: {reason}; {remedy}."


def _of_memory(error: Exception, given: Sequence[str]) -> str:
    if "CUDA" in str(error):
        return "The memory of the GPU is full; give a smaller --batch_size."
    amount = asked(error)
    needs = (
        f"needs {amount} of memory at once, which this machine does not have"
        if amount
        else "needs more memory at once than this machine has"
    )
    return f"This {needs}; lower {_sizes(given) or '--batch_size'}."


def _sizes(given: Sequence[str]) -> str:
    """The arguments of the command that say how large something is, as they were given."""
    found = []
    for index, argument in enumerate(given):
        flag, equals, value = argument.partition("=")
        if flag.startswith("--") and re.split(r"[._]", flag)[-1].lstrip("-") in _SIZES:
            value = value if equals else " ".join(given[index + 1 : index + 2])
            found.append(f"{flag} {value}")
    return " or ".join(found)


def _of_nobody(error: Exception, message: str) -> str:
    """What nobody foresaw: enough to report it."""
    from .. import __version__

    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    place = ""
    if ours:
        file = Path(ours[-1].filename).relative_to(_PACKAGE.parent)
        place = f" in {file}, line {ours[-1].lineno}"
    said = f": {message}" if message else ""
    return (
        f"{type(error).__name__}{place}{said.rstrip('.')}; a file that it read may be damaged, and "
        f"if none is, this is a fault of softdiffusion {__version__}: report it where you got it "
        "from, with the command and what it prints with --debug."
    )
