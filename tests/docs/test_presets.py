"""The page of the presets: its example runs as written, and its tables name all there are."""

import re
from pathlib import Path

import pytest
import torch
import yaml

from softdiffusion.cli.parser import Parser
from softdiffusion.cli.recipe import add_recipe
from softdiffusion.presets import PRESETS

PAGE = (Path(__file__).parents[2] / "docs" / "presets.md").read_text()


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)
    return text


def test_the_example_runs(capsys):
    names: dict = {}
    exec(block("python"), names)
    assert names["loss"].shape == (64,)
    assert names["images"].shape == (16, 1, 8, 8)
    assert torch.isfinite(names["images"]).all()
    assert "Hoogeboom" in capsys.readouterr().out


def test_the_recipe_is_read(tmp_path):
    parser = Parser(exit_on_error=False)
    add_recipe(parser)
    built = parser.instantiate(parser.parse_object(yaml.safe_load(block("yaml"))))
    assert built.preset.process.schedule.severity(torch.tensor(1.0)) == pytest.approx(6**2 / 2)


@pytest.mark.parametrize("name", PRESETS)
def test_both_tables_have_a_row(name):
    assert len(re.findall(rf"^\| `{name}` \|", PAGE, flags=re.MULTILINE)) == 2


def calls(name: str) -> int:
    """The last number of the preset's row in the first table."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
    return int(re.findall(r"(\d+) \|$", row)[0])


@pytest.mark.parametrize("name", PRESETS)
def test_the_calls_are_those_of_the_sampler(name):
    preset = PRESETS[name]()
    assert preset.sampler(preset.denoiser(torch.nn.Identity())).nfe == calls(name)
