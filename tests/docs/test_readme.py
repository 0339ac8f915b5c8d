"""The examples in README.md run as written, one after the other."""

import re
import shlex
from pathlib import Path

import pytest
import torch

README = Path(__file__).parents[2] / "README.md"


def test_the_examples_run():
    names: dict = {}
    for code in re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL):
        exec(code, names)
        assert names.pop("loss").shape == (64,)
        out = names.pop("out")
        assert out.shape == (16, 1, 8, 8)
        assert torch.isfinite(out).all()
    x, t = names["data"][:4], torch.full((4,), 0.5)
    assert torch.isfinite(names["denoiser"](x, t)).all()


PAGES = [README, *sorted((README.parent / "docs").glob("*.md"))]
COMMANDS = [
    line.removeprefix("$ ").split("  #")[0]
    for page in PAGES
    for block in re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("$ ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_mean_the_same_in_every_shell(command):
    """What is not quoted has no sign that zsh or bash would take for the names of files."""
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", command)
    assert not set(unquoted) & set("[]*?{}~!"), command
    assert shlex.split(command)
