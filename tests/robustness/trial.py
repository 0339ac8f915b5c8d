"""One command with all its kill points."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What depends on the clock alone: fields of JSON, and the last column of evaluate's table.
CLOCK = re.compile(rb'"\w*(?:seconds|time|per_second|milliseconds|wall)\w*": [\d.e+-]+')
SECONDS = re.compile(rb"\| \d+ \|$", re.MULTILINE)

#: Files that tell the time, or what was said until a stop, and nothing else that matters.
LEFT_OUT = ("events.out.tfevents", "log.txt")

#: What tells operations of one kind apart, in the names of files.
NUMBER = re.compile(r"[0-9]+|[0-9a-f]{64}")


@dataclass
class Trial:
    """A command, and what it finds.

    Attributes:
        arguments: Those of the command, in which ROOT stands for its folder.
        inputs: Folders that are copied to ROOT before, by their names there.
    """

    arguments: str
    inputs: dict[str, Path]

    def command(self, root: Path) -> list[str]:
        return self.arguments.replace("ROOT", str(root)).split()

    def given(self) -> dict[str, bytes | None]:
        """The tree of the inputs."""
        return {
            f"{name}/{file}": content
            for name, folder in self.inputs.items()
            for file, content in tree(folder).items()
        }

    def prepare(self, root: Path) -> None:
        """A new folder, with the inputs alone."""
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        for name, folder in self.inputs.items():
            shutil.copytree(folder, root / name)


class Server:
    """The process that runs commands; see server.py."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process

    def run(self, trial: Trial, root: Path, **request: Any) -> dict:
        """The code of the command, what it said, and what it did to files."""
        assert self.process.stdin and self.process.stdout
        line = json.dumps({"root": str(root), "command": trial.command(root), **request})
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, "the server died"
        return json.loads(answer)


@contextmanager
def serving() -> Iterator[Server]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield Server(process)
        finally:
            assert process.stdin
            process.stdin.close()


def tree(root: Path) -> dict[str, bytes | None]:
    """Every file below a folder, and every empty folder, without what the clock decides."""
    found: dict[str, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith("cache"):
            continue  # what is lost there is computed again once it is needed
        if path.is_file() and not path.name.startswith(LEFT_OUT):
            found[name] = SECONDS.sub(b"|", CLOCK.sub(b"", path.read_bytes()))
        elif path.is_dir() and not any(path.iterdir()):
            found[name] = None
    return found


def differences(found: dict, expected: dict) -> list[str]:
    found_there, lost = found.keys() - expected.keys(), expected.keys() - found.keys()
    said = [f"{name} is left" for name in found_there] + [f"{name} is missing" for name in lost]
    both = found.keys() & expected.keys()
    said += [f"{name} differs" for name in both if found[name] != expected[name]]
    return sorted(said)


def one_line(answer: dict) -> bool:
    """Whether a refused command said one sentence, after whatever it told of its work."""
    lines = [line for line in answer["told"].splitlines() if line.startswith("softdiffusion")]
    return (
        answer["code"] not in (0, 137)
        and len(lines) == 1
        and answer["told"].rstrip().endswith(lines[0])
        and "Traceback" not in answer["told"]
        and "fault of softdiffusion" not in lines[0]
    )


def badly_stopped(answer: dict, signum: int) -> list[str]:
    """What is wrong with the end of a command that was stopped by a signal."""
    if signum == signal.SIGKILL:
        return []
    said = [] if answer["code"] == 128 + signum else [f"it ended with {answer['code']}"]
    return said if one_line(answer) else [*said, answer["told"].strip()[-600:]]


def of_every_kind(seen: Sequence[str]) -> list[int]:
    """The first and the last of the operations that differ in the numbers of their files alone."""
    kinds: dict[str, list[int]] = {}
    for index, operation in enumerate(seen):
        kinds.setdefault(NUMBER.sub("N", operation), []).append(index)
    return sorted({index for found in kinds.values() for index in (found[0], found[-1])})


def unlike_at_kills(server: Server, trial: Trial, root: Path, every: int = 1) -> list[str]:
    """Gives a command again after a kill at its operations; says where the tree is another one.

    Operations that leave the same files are one.

    Arguments:
        server: What runs the command.
        trial: The command.
        root: The folder to run it in.
        every: The step in the list of all operations.
    """
    copies = root.with_name("copies")
    copies.mkdir()
    trial.prepare(root)
    whole = server.run(trial, root, copies=str(copies))
    assert whole["code"] == 0, whole["told"]
    expected = tree(root)
    states: list[dict] = []
    found = []
    for point in of_every_kind(whole["seen"])[::every]:
        state = tree(copies / str(point))
        if state in states:
            continue
        states.append(state)
        shutil.rmtree(root)
        shutil.copytree(copies / str(point), root)
        again = server.run(trial, root)
        where = f"killed at {point} ({whole['seen'][point]})"
        if again["code"] != 0:
            found.append(f"{where}: the command then said {again['told'].strip()[-300:]}")
            continue
        found += [f"{where}: {what}" for what in differences(tree(root), expected)[:3]]
    return found


def failures(
    server: Server,
    trial: Trial,
    root: Path,
    key: str,
    points: Callable[[dict], Iterable[Any]],
) -> list[str]:
    """Disturbs the command at each point, gives it again, and says where the tree is another one.

    Arguments:
        server: What runs the command.
        trial: The command.
        root: The folder to run it in.
        key: What happens: disk `full` from an operation on, files that are not `largest`, or `stop`
            by a signal after some seconds.
        points: Where, given what the server says of the whole command.
    """
    trial.prepare(root)
    whole = server.run(trial, root)
    assert whole["code"] == 0, whole["told"]
    expected = tree(root)
    given = {name: content for name, content in trial.given().items() if name in expected}
    found = []
    for point in points(whole):
        trial.prepare(root)
        ended = server.run(trial, root, **{key: point})
        where = f"{key} {point}"
        if key == "full":
            where += f" ({whole['seen'][point]})"
        if ended["code"] == 0 and key != "full":
            continue  # no file was so large, or it ended before
        if key != "stop" and ended["code"] != 0 and not one_line(ended):
            found.append(f"{where}: {ended['told'].strip()[-600:]}")
        if key == "stop":
            found += [f"{where}: {what}" for what in badly_stopped(ended, point[0])]
        left = tree(root)
        found += [f"{where}: {name} is lost" for name in given if left.get(name) != given[name]]
        again = server.run(trial, root)
        if again["code"] != 0:
            found.append(f"{where}: the command then said {again['told'].strip()[-300:]}")
            continue
        found += [f"{where}: {what}" for what in differences(tree(root), expected)[:3]]
    return found
