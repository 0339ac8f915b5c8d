"""Crops and caches from the command: train, resume and evaluate by the recipe alone."""

import numpy as np
import pytest
import yaml
from PIL import Image

from softdiffusion.cli.main import main
from tests.command import TINY


@pytest.fixture
def photographs(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(20):
        height, width = rng.integers(20, 60, 2)
        pixels = rng.integers(0, 256, (height, width), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return folder


def test_a_training_on_crops_and_what_its_recipe_says_later(photographs, tmp_path, capsys):
    run, cache = tmp_path / "run", tmp_path / "cache"
    given = f"--data folder:{photographs} --crop 8 --crop_scale 0.5 --cache {cache} --out {run}"
    main([*TINY.split(), "--size", "null", *given.split()])
    assert "10,008 images of (1, 8, 8)" in capsys.readouterr().out
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    assert (recipe["crop"], recipe["crop_scale"]) == (8, 0.5)
    assert len(list(cache.iterdir())) == 1
    (run / "recipe.yaml").write_text(
        yaml.safe_dump(recipe | {"cache": str(tmp_path / "elsewhere")})
    )
    main(
        f"evaluate --model {run} --out {tmp_path / 'report'} --count 20 --samplers NaiveSampler "
        f"--steps 2 --reference_count 30 --extractor digits-8 --cache {tmp_path / 'named'}".split()
    )
    assert (tmp_path / "report" / "report.md").is_file()
    assert len(list((tmp_path / "named").iterdir())) == 2  # both splits
    assert not (tmp_path / "elsewhere").exists()  # a recipe may be a stranger's


def test_a_start_from_the_training_images_reads_them_from_the_cache(photographs, tmp_path):
    run, cache = tmp_path / "run", tmp_path / "cache"
    main(f"{TINY} --data folder:{photographs} --prior data --cache {cache} --out {run}".split())
    (built,) = cache.iterdir()
    main(
        f"sample --model {run} --count 2 --steps 2 --cache {tmp_path / 'other'} "
        f"--out {tmp_path / 'drawn'}".split()
    )
    assert [path.name for path in (tmp_path / "other").iterdir()] == [built.name]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--crop 64", "too few for a crop of 64, as have 17 others; give a smaller crop"),
        ("--crop 8 --size 4", "give a size of at least 8"),
        ("--crop 8 --crop_scale 0", "A crop_scale of 0 means nothing"),
        ("--crop_scale 0.5", "it belongs to a crop"),
        ("--crop 0", "--crop"),
    ],
)
def test_crops_that_are_refused(photographs, tmp_path, refused, given, message):
    size = "" if "--size" in given else "--size null"
    line = refused(f"{TINY} {size} --data folder:{photographs} {given} --out {tmp_path / 'run'}")
    assert message in line
    assert not (tmp_path / "run").exists()


def test_a_damaged_recipe_says_which_key(photographs, tmp_path, refused):
    run = tmp_path / "run"
    given = f"--data folder:{photographs} --crop 8 --out {run}"
    main([*TINY.split(), "--size", "null", *given.split()])
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    for key, value in (("crop", "8"), ("crop_scale", None), ("crop", True)):
        (run / "recipe.yaml").write_text(yaml.safe_dump(recipe | {key: value}))
        line = refused(f"evaluate --model {run} --out {tmp_path / 'report'} --count 20")
        assert f"is damaged (its {key} is" in line
