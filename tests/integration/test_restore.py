"""`softdiffusion restore` from a training to the report."""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import softdiffusion as sd
from softdiffusion.cli.main import main
from softdiffusion.cli.originals import Comparison
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
        assert row["severity"] == 1 and 0 < row["t"] <= 1 and len(row["residual"]) == 4
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
    assert "must be finite and >= 0, but is -1" in message(f"{blurred} --severity -1")
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
    assert "--samples must be in [1, 10000], but is 0" in message(
        f"{blurred} --severity 1 --samples 0"
    )
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


@pytest.mark.slow
def test_a_stopped_restoration_goes_on_and_ends_in_the_same_tree(folder, tmp_path, monkeypatch):
    """Stopped before every rename in turn; what is in the report is not restored again."""
    sd.plots.save_images(sd.data.load("digits", split="test")[:20], tmp_path / "many")
    command = (
        f"restore --model {folder}/model --input {tmp_path}/many --severity 1 --samples 1 "
        f"--sigma_y 0.05 --batch_size 1 --progress false --sampler BridgeSampler --sampler.steps 2"
    )
    main([*command.split(), "--out", str(tmp_path / "whole")])
    expected = contents(tmp_path / "whole")
    rename, count = os.replace, 0
    for stop in range(100):
        out = tmp_path / f"out{stop}"
        count = 0

        def stopped(source, target, stop=stop):
            nonlocal count
            count += 1
            if count == stop + 1:
                raise KeyboardInterrupt
            rename(source, target)

        monkeypatch.setattr(os, "replace", stopped)
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            main([*command.split(), "--out", str(out)])
        finished = count <= stop
        monkeypatch.setattr(os, "replace", rename)
        rows = read_json(out / "report.json")["images"] if (out / "report.json").exists() else []
        done = {path: path.stat().st_mtime_ns for path in _pictures(out, rows)}
        main([*command.split(), "--out", str(out)])
        assert contents(out) == expected
        assert all(path.stat().st_mtime_ns == time for path, time in done.items())
        if finished:
            break
    assert stop >= 4  # the claim, two parts and the report at least


def _pictures(out: Path, rows: list[dict]) -> list[Path]:
    return [out / part / f"{row['name']}.png" for row in rows for part in ("restored", "mean")]


def test_folders_of_others_are_refused_and_inputs_are_never_written_over(folder, tmp_path, capsys):
    command = f"restore --model {folder}/model --severity 1 --samples 1 --progress false {SHORT}"

    def message(arguments: str) -> str:
        before = contents(tmp_path)
        with pytest.raises(SystemExit) as stop:
            main([*command.split(), *arguments.split()])
        assert contents(tmp_path) == before
        return str(stop.value.code)

    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "report.json").write_text('{"rows": []}')
    said = message(f"--input {folder}/blurred --out {tmp_path}/used")
    assert "holds something else than a restoration (report.json)" in said
    out = tmp_path / "out"
    main([*command.split(), "--input", f"{folder}/blurred", "--out", str(out)])
    other = f"--input {folder}/masked --out {out}"
    assert "the restoration of another picture one" in message(other)
    said = message(f"--input {folder}/blurred --samples 2 --out {out}")
    assert "a restoration with --samples 1, not --samples 2; choose another" in said
    (tmp_path / "link").symlink_to(out / "restored")
    for path in (out / "restored", tmp_path / "link", out / "restored" / "one.png"):
        assert "where the results are written" in message(f"--input {path} --out {out}")
    (tmp_path / "new").symlink_to(folder / "blurred")
    assert "where the results are written" in message(
        f"--input {folder}/blurred --out {tmp_path}/new"
    )


def test_a_file_that_can_not_be_read_is_left_out_and_named(folder, tmp_path, capsys):
    shutil.copytree(folder / "blurred", tmp_path / "some")
    (tmp_path / "some" / "a\nbad.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((9, 8), np.uint8)).save(tmp_path / "some" / "tall.png")
    command = f"restore --model {folder}/model --severity 1 --samples 1 --progress false {SHORT}"
    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--input", f"{tmp_path}/some", "--out", str(out)])
    said = str(stop.value.code)
    assert "2 of 5 files were left out, 3 are restored in" in said and "\n" not in said
    report = read_json(out / "report.json")
    assert len(report["images"]) == 3 and set(report["failed"]) == {"a\nbad.png", "tall.png"}
    for file in ("a\nbad.png", "tall.png"):
        (tmp_path / "some" / file).unlink()
    main([*command.split(), "--input", f"{tmp_path}/some", "--out", str(out)])
    assert "failed" not in read_json(out / "report.json")
    (tmp_path / "some" / "one.jpg").write_bytes((tmp_path / "some" / "one.png").read_bytes())
    with pytest.raises(SystemExit, match="Two images in .* are called one; rename one of them"):
        main([*command.split(), "--input", f"{tmp_path}/some", "--out", str(tmp_path / "two")])


def test_pictures_equal_to_their_originals_have_no_psnr(folder):
    """An infinite PSNR is no JSON, which `read_json` would refuse."""
    command = f"--input {{}}/originals --originals {{}}/originals --severity 0.2 {SHORT}"
    methods = restore(folder, command)["quality"]["methods"]
    assert methods["degraded"]["psnr"] is None and methods["degraded"]["identical"] == 3
    assert methods["degraded"]["feature_distance"] == 0


def test_what_can_not_be_measured_is_left_out_with_its_reason():
    small = torch.rand(2, 1, 4, 4) * 2 - 1
    comparison = Comparison(small, "digits")
    assert "5 pixels, does not fit into images of 4 x 4" in comparison.left_out["ssim"]
    rows = comparison.of({"half": small / 2}, torch.arange(2))
    report = comparison.report(rows)
    expected = float(sd.metrics.psnr(small / 2, small).mean())
    assert report["methods"]["half"]["psnr"] == pytest.approx(expected)
    assert "ssim" not in report["methods"]["half"] and "ssim" in report["left_out"]


def test_a_clean_photograph_takes_the_better_route(folder, capsys):
    """Rounding is far below the noise of the level; the report says which route was taken."""
    sd.plots.save_images(sd.GaussianBlur().at(1.0)(sd.data.load("digits")[:2]), folder / "clean")
    command = f"--input {{}}/clean --severity 1 --samples 1 {SHORT}"
    for row in restore(folder, command)["images"]:
        assert row["route"] == "operator" and row["sigma_y_low"] < 0.01
    report = restore(folder, f"{command} --sigma_y 0.0023 --route level")
    assert {row["route"] for row in report["images"]} == {"level"}
    assert any("leave out --route level" in sentence for sentence in report["warnings"])
    assert "warning: 2 images have noise of 0.0023" in capsys.readouterr().out


def test_sentences_name_flags_that_work(folder, capsys):
    """The remedy of a refusal, as typed, is taken."""
    command = "--input {}/blurred --severity 1 --samples 1 --sigma_y 0.3"
    said = refused(folder, f"{command} {SHORT}", capsys)
    assert "--route operator" in said and "route=" not in said
    assert (
        restore(folder, f"{command} --route operator {SHORT}")["images"][0]["route"] == "operator"
    )
    said = refused(folder, "--input {}/blurred --sigma_y 0", capsys)
    assert "--sigma_y is 0; leave it out, and it is estimated, or give --severity" in said
    said = refused(folder, "--input {}/blurred --severity 1 --data digits --size 16", capsys)
    assert "give --size 8 and --channels 1" in said


def test_steps_are_given_by_one_name_to_the_sampler_that_is_named_or_not(trained, tmp_path):
    sd.plots.save_images(sd.data.load("digits", split="test")[:1], tmp_path / "in")
    command = ["restore", "--model", str(trained), "--input", str(tmp_path / "in"), "--severity"]
    command += ["1", "--samples", "1", "--steps", "2"]
    main([*command, "--out", str(tmp_path / "a")])
    main([*command, "--sampler", "multistep", "--out", str(tmp_path / "b")])
    for name, sampler in (("a", "AncestralSampler"), ("b", "MultistepSampler")):
        asked = read_json(tmp_path / name / "report.json")["arguments"]["sampler"]
        assert asked["class_path"] == f"softdiffusion.{sampler}"
        assert asked["init_args"]["steps"] == 2


def test_a_restoration_that_was_refused_claims_nothing(trained, tmp_path, capsys):
    sd.plots.save_images(sd.data.load("digits", split="test")[:1], tmp_path / "in")
    out = tmp_path / "out"
    command = ["restore", "--model", str(trained), "--input", str(tmp_path / "in"), "--out"]
    command += [str(out), "--samples", "1", "--steps", "2"]
    for wrong in ("-1", "1e9"):
        with pytest.raises(SystemExit):
            main([*command, "--severity", wrong])
    main([*command, "--severity", "1"])
    assert len(read_json(out / "report.json")["images"]) == 1
    with pytest.raises(SystemExit) as stop:  # what has begun does, and says what it was asked for
        main([*command, "--severity", "1", "--sigma_y", "0.1"])
    assert "a restoration with no --sigma_y, not --sigma_y 0.1" in str(stop.value.code)
