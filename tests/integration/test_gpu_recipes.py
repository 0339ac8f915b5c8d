"""Recipes that need a GPU: they describe a training, and a few small steps of it run."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from softdiffusion.cli.main import main

pytest.importorskip("diffusers")

RECIPES = Path(__file__).parents[2] / "recipes"
NAMES = [f"{data}{kind}" for data in ("celeba-64", "cifar-10") for kind in ("", "-paper", "-flow")]


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for index in range(240):  # enough for a mixture on the modes of four patches of colour
        pixels = random.integers(0, 256, (2, 2, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((66, 70)).save(folder / f"{index}.png")
    return folder


def command(name: str, photos: Path, out: Path) -> list[str]:
    recipe = str(RECIPES / f"{name}.yaml")
    return ["train", "--config", recipe, "--data", f"folder:{photos}", "--out", str(out)]


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_the_published_setting(name, photos, tmp_path, capsys):
    main([*command(name, photos, tmp_path / "run"), "--dry_run", "true"])
    said = capsys.readouterr().out
    weights = int(said.split(" weights")[0].rsplit(" ", 1)[1].replace(",", ""))
    assert 55e6 < weights < 70e6  # NCSN++ for 32 and 64 pixels has about 62 M
    assert "166,400,000 images in steps of 128" in said  # 1.3 M steps
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_few_steps_at_small_width(name, photos, tmp_path):
    small = ["--backbone.width", "32", "--backbone.blocks", "1", "--progress", "false"]
    few = ["--images", "8", "--batch_size", "4", "--precision", "no"]
    main([*command(name, photos, tmp_path), *small, *few])
    assert (tmp_path / "final" / "ema.safetensors").is_file()
