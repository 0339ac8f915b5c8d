"""A command begins without what it does not need, and explains itself."""

import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from softdiffusion.cli.commands import COMMANDS
from softdiffusion.cli.main import main

COMMAND = [str(Path(sys.executable).with_name("softdiffusion"))]
MODULE = [sys.executable, "-m", "softdiffusion"]

#: What takes long to import and is needed for a part of the work alone.
HEAVY = {"PIL", "accelerate", "matplotlib", "ot", "sklearn", "tensorboard", "torchmetrics"}


def test_help_brings_nothing_heavy():
    script = (
        "import sys, torch\n"
        "before = set(sys.modules)\n"
        "from softdiffusion.cli.commands import COMMANDS\n"
        "from softdiffusion.cli.main import main\n"
        "for command in COMMANDS:\n"
        "    try:\n"
        "        main([command, '--help'])\n"
        "    except SystemExit as stop:\n"
        "        assert stop.code == 0\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert HEAVY.isdisjoint(done.stdout.splitlines()[-1].split())


def test_the_list_of_commands_and_the_version_need_no_torch():
    script = (
        "import sys\n"
        "from softdiffusion.cli.main import main\n"
        "for flag in ('--help', '--version'):\n"
        "    try:\n"
        "        main([flag])\n"
        "    except SystemExit as stop:\n"
        "        assert stop.code == 0\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert re.search(r"^softdiffusion \d+\.\d+\.\d+$", done.stdout, re.MULTILINE)
    assert all(f"    {command} " in done.stdout for command in COMMANDS)


def test_the_list_says_what_the_modules_say():
    for command, told in COMMANDS.items():
        module = import_module(f"softdiffusion.cli.{command}")
        assert module.__doc__ is not None and module.__doc__.splitlines()[0] == told


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_debug(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "--debug" in capsys.readouterr().out


@pytest.mark.parametrize("command", [COMMAND, MODULE], ids=["softdiffusion", "python -m"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_a_stop_while_importing(command, signum, tmp_path):
    """Sent as soon as Python has begun to import torch, or anything else of the command."""
    env = os.environ | {"PYTHONVERBOSE": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*command, "info", "--model", str(tmp_path)], stderr=subprocess.PIPE, env=env, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("import 'torch._C'") or "import 'torch.types'" in line:
                break
        process.send_signal(signum)
        rest = process.stderr.read()
    assert process.returncode == 128 + signum
    told = [line for line in rest.splitlines() if "stopped" in line]
    assert len(told) == 1 and "softdiffusion info: stopped" in told[0]
    assert "Traceback" not in rest
