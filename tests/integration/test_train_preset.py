"""Training by the name of a preset."""

import pytest
import yaml

import softdiffusion as sd
from softdiffusion.cli.main import main
from softdiffusion.configuration import to_config
from softdiffusion.presets import PRESETS, inverse_heat
from tests.command import needs_processor

# torch's forward-mode derivatives warn about a part of torch itself.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

SMALL = [
    *("--data", "digits", "--size", "8", "--images", "64", "--progress", "false"),
    *("--backbone", "SmallUNet", "--backbone.width", "8", "--backbone.multipliers", "[1]"),
    *("--backbone.attention", "false"),
]


def train(tmp_path, *arguments: str) -> dict:
    main(["train", *SMALL, "--out", str(tmp_path / "run"), *arguments])
    return yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())


@pytest.mark.parametrize("name", ["scale_space", "edm"])
def test_the_model_and_the_recipe_have_the_presets_parts(tmp_path, name):
    recipe = train(tmp_path, "--preset", name)
    preset = PRESETS[name]()
    denoiser, _ = sd.load(tmp_path / "run" / "final")
    assert to_config(denoiser.process) == to_config(preset.process)
    assert to_config(denoiser.preconditioning) == to_config(preset.preconditioning)
    assert recipe["objective"] == to_config(preset.objective)[0]
    assert recipe["schedule"] == to_config(preset.process.schedule)[0]


@needs_processor
def test_the_recipe_trains_the_same_model_again(tmp_path):
    train(tmp_path / "a", "--preset", "blurring")
    written = tmp_path / "a" / "run" / "recipe.yaml"
    train(tmp_path / "b", "--config", str(written), "--out", str(tmp_path / "b" / "run"))
    weights = [tmp_path / run / "run" / "final" / "ema.safetensors" for run in "ab"]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_recipe_gives_a_preset_other_values(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    arguments = {"blur_max": 6.0, "levels": 30}
    preset = {"class_path": "softdiffusion.presets.inverse_heat", "init_args": arguments}
    recipe.write_text(yaml.safe_dump({"preset": preset}))
    train(tmp_path, "--config", str(recipe))
    denoiser, _ = sd.load(tmp_path / "run" / "final")
    assert to_config(denoiser.process) == to_config(inverse_heat(**arguments).process)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_trained(tmp_path, name, capsys):
    main(["train", *SMALL, "--preset", name, "--out", str(tmp_path), "--dry_run", "true"])
    assert "weights" in capsys.readouterr().out


#: The values of the selection that stands for a schedule that is left out.
DEFAULT_SELECTION = [
    *("--schedule.max_severity", "8"),
    *("--schedule.sigma", "[0.02, 0.2]"),
    *("--schedule.levels", "32"),
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "ddpm"], "There is no preset 'ddpm'; there are ve, vp,"),
        (["--preset", "vp", "--objective", "CleanRegression"], "leave out the preset or the obj"),
        (  # the default, said aloud
            ["--preset", "vp", "--objective", "StepMatched", "--objective.steps", "10"],
            "leave out the preset or the objective",
        ),
        (
            ["--preset", "vp", "--schedule", "Wasserstein", *DEFAULT_SELECTION],
            "leave out the preset or the schedule",
        ),
        (["--preset", "vp", "--levels", "9"], "leave out the preset or the schedule"),
    ],
)
def test_what_can_not_be_trained(tmp_path, arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(["train", *SMALL, "--out", str(tmp_path), *arguments])
    assert message in str(stop.value)
