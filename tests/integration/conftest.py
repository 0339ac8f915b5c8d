"""What the tests of the command share: a tiny model of digits, and folders of pictures."""

from collections.abc import Callable
from pathlib import Path

import pytest

import softdiffusion as sd
from softdiffusion.cli.main import main
from tests.command import TINY


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Path:
    """A run's folder that no test may change."""
    out = tmp_path_factory.mktemp("trained") / "run"
    main([*TINY.split(), "--out", str(out)])
    return out


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """A folder of 60 digits as PNGs."""
    folder = tmp_path_factory.mktemp("pictures")
    sd.plots.save_images(sd.data.load("digits")[:60], folder)
    return folder


@pytest.fixture
def refused(capsys) -> Callable[[str], str]:
    """Runs a command that must fail, and returns the one line that it leaves on standard error."""

    def run(command: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main(command.split())
        # A text is what Python itself prints on standard error before it exits with 1.
        told = stop.value.code if isinstance(stop.value.code, str) else capsys.readouterr().err
        line = told.removesuffix("\n")
        assert stop.value.code != 0
        assert "\n" not in line
        assert line.startswith("softdiffusion")
        return line

    return run
