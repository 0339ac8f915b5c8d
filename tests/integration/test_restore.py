"""`softdiffusion restore` from a training to the report."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import softdiffusion as sd
from softdiffusion.cli.main import main
from softdiffusion.data import read_images
from softdiffusion.files import read_json
from tests.command import contents

TRAIN = (
    "train --data digits --images 320 --batch_size 32 --warmup 32 --backbone SmallUNet "
    "--backbone.width 8 --backbone.multipliers [1] --backbone.attention false --progress false "
    "--checkpoint_every 320 --log_every 320 --out"
)
SIGMA_Y = 0.02
SHORT = "--sampler AncestralSampler --sampler.steps 5"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A model, originals, and what blur and a mask leave of them."""
    folder = tmp_path_factory.mktemp("restore")
    main([*TRAIN.split(), str(folder / "model")])
    x0 = sd.data.load("digits", split="test")[:3]
    noise = SIGMA_Y * torch.randn(x0.shape, generator=torch.Generator().manual_seed(0))
    names = ["one", "two", "three"]
    sd.plots.save_images(x0, folder / "originals", names)
    sd.plots.save_images(sd.GaussianBlur().at(1.0)(x0) + noise, folder / "blurred", names)
    sd.plots.save_images(sd.FadingMask().at(1.0)(x0) + noise, folder / "masked", names)
    return folder


def restore(folder: Path, command: str) -> dict:
    """Runs the command, in which {} stands for the folder, into a new one; returns its report."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    arguments = f"restore --model {{}}/model --out {{}}/out --progress false {command}"
    arguments = arguments.replace("{}", str(folder))
    main(arguments.split())
    return read_json(folder / "out" / "report.json")  # which refuses Infinity and NaN


def refused(folder: Path, command: str, capsys) -> str:
    with pytest.raises(SystemExit) as stop:
        restore(folder, command)
    message = stop.value.code if isinstance(stop.value.code, str) else capsys.readouterr().err
    assert stop.value.code and "\n" not in message.strip() and "Traceback" not in message
    return message


def test_a_known_severity(folder, capsys):
    command = f"--input {{}}/blurred --severity 1 --sigma_y {SIGMA_Y} --originals {{}}/originals"
    report = restore(folder, command)
    said = capsys.readouterr().out
    assert "data consistency: root mean square" in said and "PSNR" in said
    assert [row["name"] for row in report["images"]] == ["one", "three", "two"]
    for row in report["images"]:
        assert row["severity"] == 1 and 0 < row["t"] < 1 and len(row["residual"]) == 4
    methods = report["quality"]["methods"]
    assert list(methods) == ["degraded", "pseudo-inverse", "Wiener", "one step", "sample", "mean"]
    degraded, originals = (
        read_images(folder / name, (1, 8, 8))[0] for name in ("blurred", "originals")
    )
    expected = float(sd.metrics.psnr(degraded, originals).mean())
    assert methods["degraded"]["psnr"] == pytest.approx(expected)
    assert report["quality"]["extractor"]["name"] == "digits-8"
    out = folder / "out"
    for part in ("restored", "mean", "std", "samples"):
        assert sorted(path.stem for path in (out / part).iterdir()) == ["one", "three", "two"]
    assert (out / "baselines.png").is_file()
    restored, _ = read_images(out / "restored", (1, 8, 8))
    with np.errstate(divide="ignore"):
        found = float(sd.metrics.psnr(restored, originals).mean())
    assert methods["sample"]["psnr"] == pytest.approx(found, abs=1e-4)


def test_an_estimated_severity(folder, capsys):
    report = restore(folder, f"--input {{}}/blurred --sigma_y {SIGMA_Y} --samples 2 {SHORT}")
    assert "95 % in [" in capsys.readouterr().out
    for row in report["images"]:
        assert row["severity_low"] <= row["severity"] <= row["severity_high"]
        assert 0.4 < row["severity"] < 2.5


def test_a_model_without_noise_takes_the_image_as_it_is(folder, tmp_path):
    main([*TRAIN.split(), str(tmp_path / "model"), "--preset", "cold_blur"])
    (tmp_path / "blurred").symlink_to(folder / "blurred")
    sampler = "--sampler MomentumSampler --sampler.steps 5"
    report = restore(tmp_path, f"--input {{}}/blurred --severity 1 {sampler}")
    assert report["sigma_y"] == 0.0


def test_another_operator(folder):
    report = restore(
        folder,
        f"--input {{}}/masked --sigma_y {SIGMA_Y} --operator FadingMask --operator_severity 1.0 "
        "--sampler BridgeSampler --sampler.steps 20 --originals {}/originals",
    )
    assert all(row["t"] == 1 and "severity" not in row for row in report["images"])
    methods = report["quality"]["methods"]
    for name in ("pseudo-inverse", "Wiener", "one step", "sample"):
        assert methods[name]["psnr"] > methods["degraded"]["psnr"] + 3


def test_dps_on_a_model_without_a_transform(folder, tmp_path):
    """Neither way needs one, nor does the Wiener filter."""
    corruption = sd.Composition([sd.GaussianBlur(), sd.FadingMask()], [2.0, 1.0])
    schedule = sd.schedules.linear((0.0, 1.0), (0.02, 0.2))
    process = sd.SoftDiffusion(corruption, schedule)
    network = sd.SmallUNet(1, width=8, multipliers=(1,), attention=False)
    prior = sd.GaussianPrior.fit(process, sd.data.load("digits"))
    sd.save(folder / "composed", sd.Denoiser(network, process), prior)
    command = "--input {}/masked --model {}/composed --data digits --samples 1 --sampler "
    command += "BridgeSampler --sampler.steps 3 --originals {}/originals"
    assert "Wiener" in restore(folder, f"{command} --severity 0.5")["quality"]["methods"]
    way = f"--operator FadingMask --operator_severity 1.0 --sigma_y {SIGMA_Y} --dps_step 1"
    methods = restore(folder, f"{command} {way}")["quality"]["methods"]
    assert methods["Wiener"]["psnr"] > methods["degraded"]["psnr"] + 3


def test_the_seed_decides_and_the_batch_does_not(folder):
    def images(command: str) -> torch.Tensor:
        restore(folder, f"--input {{}}/blurred --severity 1 --samples 2 {SHORT} {command}")
        return read_images(folder / "out" / "restored")[0]

    first = images("--seed 3")
    assert (first - images("--seed 3 --batch_size 1")).abs().max() <= 2 / 255 + 1e-6
    assert not torch.equal(first, images("--seed 4"))


def test_one_image_without_a_recipe(folder, tmp_path):
    """With a severity no data are needed; the Wiener filter is left out."""
    (tmp_path / "model").mkdir()
    for file in (folder / "model" / "final").iterdir():
        (tmp_path / "model" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "blurred").mkdir()
    (tmp_path / "blurred" / "x.png").write_bytes((folder / "blurred" / "one.png").read_bytes())
    report = restore(tmp_path, f"--input {{}}/blurred/x.png --severity 1 --samples 1 {SHORT}")
    assert [row["name"] for row in report["images"]] == ["x"]
    assert not (tmp_path / "out" / "std").exists()
    with pytest.raises(SystemExit, match="No recipe lies beside the model, so name its data"):
        restore(tmp_path, "--input {}/blurred")
    report = restore(tmp_path, f"--input {{}}/blurred --data digits --samples 1 {SHORT}")
    assert "severity_std" in report["images"][0]


def test_a_dry_run_writes_nothing(folder, tmp_path, capsys):
    command = f"restore --model {folder}/model --input {folder}/blurred --severity 1 --dry_run true"
    main([*command.split(), "--out", str(tmp_path / "out")])
    assert "3 images, 4 samples each, severity 1.0" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_bad_input_ends_in_one_sentence(folder, tmp_path, capsys):
    def message(command: str) -> str:
        return refused(folder, command, capsys)

    blurred = "--input {}/blurred"
    assert "must be in [" in message(f"{blurred} --severity 90")
    assert "must be in [" in message(f"{blurred} --severity -1")
    said = message(f"{blurred} --severity 1 --sigma_y 0.9")
    assert "noise of 0.9" in said and "--route operator" in said
    assert "give both of them" in message(f"{blurred} --operator FadingMask")
    assert "give it or an operator" in message(
        f"{blurred} --severity 1 --operator FadingMask --operator_severity 1"
    )
    assert "DPS is for measurements by an operator" in message(
        f"{blurred} --severity 1 --dps_step 1"
    )
    assert "no file or folder" in message("--input {}/absent --severity 1")
    assert "no images in" in message(f"--input {tmp_path} --severity 1")
    assert "--samples must be in [1, 10000], but is 0" in message(f"{blurred} --severity 1 --samples 0")
    assert "not a saved model" in message(f"{blurred} --severity 1 --model {tmp_path}")
    assert "device 'abacus' can't be used" in message(f"{blurred} --severity 1 --device abacus")
    assert "no original called" in message(f"{blurred} --severity 1 --originals {tmp_path}/x")


@pytest.fixture(autouse=True)
def originals_of_others(tmp_path):
    """A folder x with one image of another name."""
    (tmp_path / "x").mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "x" / "other.png")


def test_images_of_another_size_or_colour_are_refused(folder, tmp_path, capsys):
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(tmp_path / "tall.png")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "colour.png")
    for name, what in (("tall", "8 x 9 pixels in grey"), ("colour", "8 x 8 pixels in 3 channels")):
        said = refused(folder, f"--input {tmp_path}/{name}.png --severity 1", capsys)
        assert f"{name}.png is {what}, but 8 x 8 pixels in grey are needed" in said
