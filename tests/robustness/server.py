"""Runs commands that die, or find the disk full, at the k-th thing that they do to a file.

The process imports everything once and forks a child for every command. It reads one JSON object a
line, and answers with one. A child counts what it does to files below a folder:

* before a file is opened for writing, renamed or removed, or a folder made or removed;
* after a file was opened for writing, while it is empty;
* before a file is brought to the disk or cut;
* before safetensors writes a file, and when half of it is written.
"""

import builtins
import errno
import io
import json
import os
import resource
import signal
import sys

import safetensors.torch

#: The events that Python itself reports before it does something to a file, and the place of its
#: path among their arguments.
AUDITED = {"os.rename": 1, "os.mkdir": 0, "os.remove": 0, "os.rmdir": 0, "os.truncate": 0}

_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Watch:
    """Counts the operations of a child, and ends it, or its luck, at one of them."""

    def __init__(self, root: str, kill: int | None, full: int | None) -> None:
        self.root, self.kill, self.full = root, kill, full
        self.seen: list[str] = []
        self.busy = False

    def meet(self, what: str, path: object) -> None:
        """Notes an operation; the one that was chosen is the last, or fails."""
        if self.busy or isinstance(path, int):
            return
        place = os.path.abspath(os.fsdecode(path))  # type: ignore[arg-type]
        if not place.startswith(self.root + os.sep):
            return
        self.seen.append(f"{what} {place.removeprefix(self.root)}")
        if len(self.seen) - 1 == self.kill:
            os._exit(137)
        if self.full is not None and len(self.seen) - 1 >= self.full and "remov" not in what:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), place)

    def install(self) -> None:
        """Watches everything that this process does to files from now on."""
        plain_open, plain_sync = io.open, os.fsync
        plain_save = safetensors.torch.save_file

        def audit(event: str, arguments: tuple) -> None:
            if event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITE:
                self.meet("open", arguments[0])
            elif event in AUDITED:
                name = "remove" if event in ("os.remove", "os.rmdir") else event
                self.meet(name, arguments[AUDITED[event]])

        def opened(file, mode="r", *more, **options):
            found = plain_open(file, mode, *more, **options)
            if set(mode) & set("wax+"):
                self.meet("opened", file)
            return found

        def synced(handle: int) -> None:
            self.meet("sync", os.readlink(f"/proc/self/fd/{handle}"))
            plain_sync(handle)

        def saved(tensors, filename, *more, **options) -> None:
            self.meet("save", filename)
            plain_save(tensors, filename, *more, **options)
            if len(self.seen) == self.kill:
                whole = os.path.getsize(filename)
                os.truncate(filename, whole // 2)
            self.meet("saved half", filename)

        sys.addaudithook(audit)
        io.open = builtins.open = opened
        os.fsync = synced
        safetensors.torch.save_file = saved


def child(request: dict, told: int, seen: int) -> None:
    """Runs one command; tells what it says and does by two pipes, which no limit of files stops."""
    from softdiffusion.cli.main import main

    os.dup2(told, 1)
    os.dup2(told, 2)
    os.close(told)
    os.environ |= {"XDG_CACHE_HOME": request["root"] + "/cache"}
    if request.get("largest") is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest"],) * 2)
    watch = Watch(request["root"], request.get("kill"), request.get("full"))
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
        pid = os.fork()
        if pid == 0:
            os.close(told[0])
            os.close(seen[0])
            child(request, told[1], seen[1])
        os.close(told[1])
        os.close(seen[1])
        with os.fdopen(told[0], errors="replace") as pipe:
            said = pipe.read()
        with os.fdopen(seen[0]) as pipe:
            done = pipe.read()
        _, status = os.waitpid(pid, 0)
        answer = {
            "code": os.waitstatus_to_exitcode(status),
            "seen": json.loads(done or "[]"),
            "told": said,
        }
        print(json.dumps(answer), flush=True)


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
    ]
    names += ["torchmetrics.image.fid", "torchmetrics.image.kid", "torchmetrics.functional.image"]
    for name in names:
        import_module(name)
    import torch

    torch.set_num_threads(1)


if __name__ == "__main__":
    serve()
