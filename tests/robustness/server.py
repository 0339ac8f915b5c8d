"""Runs commands that find the disk full, are stopped, or copy all that a kill would leave.

The process imports everything once and forks a child for every command. It reads one JSON object a
line, and answers with one. A child counts what it does to files below a folder:

* before a file is opened for writing, renamed or removed, or a folder made or removed;
* after a file was opened for writing, while it is empty, and when half of what is written to it is;
* before a file is brought to the disk or cut.

What a process that is killed leaves is what lies on the disk at that moment, so that one run gives
the copies for all the points at which it may be killed.

TensorBoard's files, which a thread writes when it comes to it, are not counted, but find the disk
full like others.
"""

import builtins
import errno
import io
import json
import os
import resource
import shutil
import signal
import sys
import time
from contextlib import suppress

#: The events that Python itself reports before it does something to a file, with the places of its
#: path and of the folder that this may be relative to among their arguments.
AUDITED = {
    "os.rename": (1, 3),
    "os.mkdir": (0, 2),
    "os.remove": (0, 1),
    "os.rmdir": (0, 1),
    "os.truncate": (0, None),
}

_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Watch:
    """Counts the operations of a child, copies the folder at each, or ends its luck at one."""

    def __init__(self, root: str, copies: str | None, full: int | None) -> None:
        self.root, self.copies, self.full = root, copies, full
        self.seen: list[str] = []
        self.busy = False

    def meet(self, what: str, path: object, folder: object = None) -> None:
        """Notes an operation; from the one that was chosen on, they fail."""
        if self.busy or isinstance(path, int):
            return
        place = os.fsdecode(path)  # type: ignore[arg-type]
        if isinstance(folder, int) and folder >= 0:
            place = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), place)
        place = os.path.abspath(place)
        if not place.startswith(self.root + os.sep):
            return
        if what == "mkdir" and os.path.isdir(place):
            return  # nothing happens
        if "tfevents" not in place:
            self.seen.append(f"{what} {place.removeprefix(self.root)}")
            if self.copies is not None:
                self.busy = True
                shutil.copytree(self.root, os.path.join(self.copies, str(len(self.seen) - 1)))
                self.busy = False
        if self.full is not None and len(self.seen) - 1 >= self.full and what != "remove":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)

    def install(self) -> None:
        """Watches everything that this process does to files from now on."""
        plain_open, plain_sync, watch = io.open, os.fsync, self

        class Halved(io.FileIO):
            """A file that is met when half of what is written to it is."""

            def write(self, data) -> int:
                whole = memoryview(data).cast("B")
                half = len(whole) // 2
                done = super().write(whole[:half]) if half else 0
                watch.meet("write", self.name)
                return done + super().write(whole[done:])

        def audit(event: str, arguments: tuple) -> None:
            if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITE:
                self.meet("open", arguments[0])
            elif event in AUDITED:
                place, folder = AUDITED[event]
                name = "remove" if event == "os.rmdir" else event.removeprefix("os.")
                self.meet(name, arguments[place], None if folder is None else arguments[folder])

        def opened(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *more):
            ours = not isinstance(file, int) and os.path.abspath(os.fsdecode(file)).startswith(
                self.root
            )
            if not ours or more or not set(mode) & set("wax+"):
                return plain_open(file, mode, buffering, encoding, errors, newline, *more)
            raw = Halved(file, mode.replace("b", "").replace("t", ""))
            try:
                self.meet("opened", file)
            except OSError:
                raw.close()
                raise
            if not buffering:
                return raw
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            if "b" in mode:
                return buffered
            return io.TextIOWrapper(buffered, encoding, errors, newline, buffering == 1)

        def synced(handle: int) -> None:
            self.meet("sync", os.readlink(f"/proc/self/fd/{handle}"))
            plain_sync(handle)

        sys.addaudithook(audit)
        io.open = builtins.open = opened
        os.fsync = synced


def child(request: dict, told: int, seen: int) -> None:
    """Runs one command; tells what it says and does by two pipes, which no limit of files stops."""
    from softdiffusion.cli.main import main

    os.dup2(told, 1)
    os.dup2(told, 2)
    os.close(told)
    # Those of the server believe that they are what they were, which could be files.
    sys.stdout = os.fdopen(1, "w", 1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8", closefd=False)
    os.environ |= {"XDG_CACHE_HOME": request["root"] + "/cache"}
    if request.get("largest") is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest"],) * 2)
    watch = Watch(request["root"], request.get("copies"), request.get("full"))
    watch.install()
    code = 0
    try:
        main(request["command"])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else bool(stop.code)
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
    watch.busy = True
    sys.stdout.flush()
    sys.stderr.flush()
    os.close(1)
    os.close(2)
    with os.fdopen(seen, "w") as pipe:
        json.dump(watch.seen, pipe)
    os._exit(code)


def serve() -> None:
    """Answers requests until there are no more."""
    warm()
    for line in sys.stdin:
        request = json.loads(line)
        told, seen = os.pipe(), os.pipe()
        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(told[0])
            os.close(seen[0])
            child(request, told[1], seen[1])
        sender = stop_later(pid, *request["stop"]) if "stop" in request else None
        os.close(told[1])
        os.close(seen[1])
        with os.fdopen(told[0], errors="replace") as pipe:
            said = pipe.read()
        with os.fdopen(seen[0]) as pipe:
            done = pipe.read()
        _, status = os.waitpid(pid, 0)
        if sender is not None:
            os.kill(sender, signal.SIGKILL)
            os.waitpid(sender, 0)
        answer = {
            "seconds": time.monotonic() - start,
            "code": os.waitstatus_to_exitcode(status),
            "seen": json.loads(done or "[]"),
            "told": said,
        }
        print(json.dumps(answer), flush=True)


def stop_later(pid: int, signum: int, seconds: float) -> int:
    """A process that sends a signal to another one after some time; gives its own number."""
    sender = os.fork()
    if sender == 0:
        for handle in range(3, 64):  # the ends of the pipes
            with suppress(OSError):
                os.close(handle)
        time.sleep(seconds)
        os.kill(pid, signum)
        os._exit(0)
    return sender


def warm() -> None:
    """Imports what commands import while they run."""
    from importlib import import_module

    from softdiffusion.cli.commands import COMMANDS

    names = [f"softdiffusion.cli.{command}" for command in COMMANDS]
    names += [
        "accelerate",
        "matplotlib.figure",
        "matplotlib.backends.backend_agg",
        "PIL.PngImagePlugin",
        "sklearn.datasets",
        "softdiffusion.studies",
        "torch._dynamo",
        "torch.distributed.fsdp",
        "torch.utils.tensorboard",
    ]
    names += ["torchmetrics.image.fid", "torchmetrics.image.kid", "torchmetrics.functional.image"]
    for name in names:
        import_module(name)
    import torch
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    torch.set_num_threads(1)
    figure = Figure()
    figure.gca().set_title("letters")
    FigureCanvasAgg(figure).draw()  # which reads the fonts


if __name__ == "__main__":
    serve()
