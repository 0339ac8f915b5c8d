"""The guide to a corruption of one's own runs as written, file by file and command by command."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "own-corruption.md"


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), flags=re.DOTALL)
    return text


def run(command: str, folder: Path) -> subprocess.CompletedProcess:
    arguments = shlex.split(command)
    assert arguments[0] == "softdiffusion"
    return subprocess.run(
        [sys.executable, "-m", "softdiffusion.cli.main", *arguments[1:]],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folder of the guide, after all its commands."""
    folder = tmp_path_factory.mktemp("guide")
    (folder / "my_corruptions.py").write_text(block("python"))
    (folder / "vignette.yaml").write_text(block("yaml"))
    first, *commands = re.findall(r"^\$ (.*)$", block("console"), flags=re.MULTILINE)
    assert first == "export PYTHONPATH=."
    for command in commands:
        done = run(command, folder)
        assert done.returncode == 0, done.stderr
    assert "Vignette, severity in log-attenuation" in done.stdout
    return folder


def test_every_command_of_the_guide_does_its_work(folder):
    assert (folder / "runs/strip/corruption.png").is_file()
    assert (folder / "runs/vignette/final/ema.safetensors").is_file()
    assert len(list((folder / "runs/samples/images").iterdir())) == 4
    assert (folder / "runs/restored/report.json").is_file()


def test_without_trust_one_sentence_is_said_and_nothing_imported(folder):
    """The module would speak if it were imported."""
    with (folder / "my_corruptions.py").open("a") as file:
        file.write('print("imported")\n')
    done = run("softdiffusion sample --model runs/vignette --out runs/none", folder)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "my_corruptions.Vignette is not softdiffusion's" in done.stderr
    assert "--trust my_corruptions" in done.stderr
    assert not (folder / "runs/none").exists()
