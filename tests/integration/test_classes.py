"""A model that is told the class draws the class that it is asked for."""

import json

import pytest
import torch
from PIL import Image

import softdiffusion as sd
from softdiffusion import schedules
from softdiffusion.cli.main import main
from softdiffusion.data import ArrayImages
from tests.command import contents


def black_and_white(n: int) -> ArrayImages:
    """Images that are dark (class 0) or bright (class 1)."""
    labels = torch.arange(n) % 2
    noise = 0.05 * torch.randn(n, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    images = (2.0 * labels - 1)[:, None, None, None] * 0.8 + noise
    return ArrayImages("black and white", images.clamp(-1, 1), labels)


def noise_only() -> sd.SoftDiffusion:
    """The start then tells nothing about the class."""
    sigma = schedules.Geometric(0.05, 10.0)
    return sd.SoftDiffusion(sd.Identity(), sd.Schedule(schedules.Constant(0.0), sigma))


def test_the_label_decides_what_is_drawn(tmp_path):
    torch.manual_seed(0)
    process, data = noise_only(), black_and_white(64)
    network = sd.SmallUNet(1, 16, (1,), attention=False, classes=2)
    denoiser = sd.Denoiser(network, process, sd.EDM(0.8))
    options = sd.TrainingOptions(batch_size=32, warmup=320, learning_rate=3e-3, ema=0.98)
    prior = sd.GaussianPrior.fit(process, data.tensor())
    trained = sd.train(
        data,
        denoiser,
        sd.CleanRegression(),
        9600,
        out=tmp_path,
        prior=prior,
        options=options,
        progress=False,
    ).cpu()
    labels = torch.arange(16) % 2
    for told in (trained, sd.GuidedDenoiser(trained, 1.5)):
        sampler = sd.MultistepSampler(process, told, steps=12)
        noise = sd.generators(0, range(16))
        images = sampler(prior.sample(16, noise), noise, labels=labels)
        assert ((images.mean(dim=(1, 2, 3)) > 0) == (labels == 1)).all()
    # Left open, the class is the noise's choice, and both come up.
    sampler = sd.MultistepSampler(process, trained, steps=12)
    noise = sd.generators(0, range(64))
    bright = sampler(prior.sample(64, noise), noise).mean(dim=(1, 2, 3)) > 0
    assert 0 < bright.sum() < 64


def test_a_network_with_classes_needs_labels(tmp_path):
    process, data = noise_only(), black_and_white(8)
    denoiser = sd.Denoiser(sd.SmallUNet(1, 8, (1,), attention=False, classes=2), process)
    with pytest.raises(ValueError, match="has 2 classes, but the data have no labels"):
        sd.train(data.tensor(), denoiser, sd.CleanRegression(), 8, out=tmp_path)
    few = sd.Denoiser(sd.SmallUNet(1, 8, (1,), attention=False, classes=1), process)
    with pytest.raises(ValueError, match="but one is 1"):
        sd.train(data, few, sd.CleanRegression(), 8, out=tmp_path)


TRAIN = (
    "train --data digits --images 64 --batch_size 32 --backbone SmallUNet --backbone.width 8 "
    "--backbone.multipliers [1] --backbone.attention false --progress false "
)


def test_classes_from_the_command_line(tmp_path, capsys):
    run, drawn = tmp_path / "run", tmp_path / "drawn"
    main([*TRAIN.split(), "--backbone.classes", "10", "--prior", "classes", "--out", str(run)])
    sample = ["sample", "--model", str(run), "--out", str(drawn), "--count", "5"]
    sample += ["--sampler", "MultistepSampler", "--sampler.steps", "2"]
    main([*sample, "--labels", "[3, 7]", "--guidance", "2.0", "--animation", "true"])
    assert len(list((drawn / "images").glob("*.png"))) == 5
    with pytest.raises(SystemExit) as stop:
        main([*sample, "--labels", "[10]"])
    assert "The model has no class '10'; --labels takes 0, 1, " in str(stop.value)
    with pytest.raises(SystemExit) as stop:
        main([*sample, "--guidance", "2.0"])
    assert "name them with --labels" in str(stop.value)


def test_classes_by_their_names(tmp_path):
    """The pictures are those of the numbers, and the names stand under them."""
    run = tmp_path / "run"
    main([*TRAIN.split(), "--backbone.classes", "10", "--out", str(run)])
    config = run / "final" / "config.json"
    names = ["zero", "one", "two", "3", "four", "five, or so", "six", "seven", "eight", "nine"]
    config.write_text(json.dumps(json.loads(config.read_text()) | {"classes": names}))
    sample = ["sample", "--model", str(run), "--count", "4", "--steps", "2", "--labels"]
    given = (["2", "5"], ["[2,5]"], ["two", "five, or so"], ["two", "5"])
    for index, labels in enumerate(given):
        main([*sample, *labels, "--out", str(tmp_path / str(index))])
    first, *others = (contents(tmp_path / str(index)) for index in range(len(given)))
    assert len(first) == 5
    assert all(other == first for other in others)
    with Image.open(tmp_path / "0" / "grid.png") as grid:
        assert grid.height > grid.width  # there is room for the names
    with pytest.raises(SystemExit) as stop:
        main([*sample, "two,ten", "--out", str(tmp_path / "ten")])
    assert "no class 'ten'; --labels takes zero, one, two, 3, four, five, or so" in str(stop.value)


def test_a_model_without_classes_says_so(tmp_path):
    main([*TRAIN.split(), "--out", str(tmp_path)])
    sample = ["sample", "--model", str(tmp_path), "--out", str(tmp_path / "drawn")]
    for extra in (["--labels", "[1]"], ["--guidance", "2"]):
        with pytest.raises(SystemExit) as stop:
            main([*sample, *extra])
        assert "classes" in str(stop.value)


def test_guidance_asks_for_a_model_that_can_do_without_classes(tmp_path):
    run = tmp_path / "run"
    told = ["--backbone.classes", "10", "--prior", "classes", "--label_dropout", "0"]
    main([*TRAIN.split(), *told, "--out", str(run)])
    sample = ["sample", "--model", str(run), "--out", str(tmp_path / "drawn"), "--labels", "[1]"]
    sample += ["--sampler", "MultistepSampler", "--sampler.steps", "2", "--count", "2"]
    with pytest.raises(SystemExit) as stop:
        main([*sample, "--guidance", "2"])
    assert "label_dropout 0" in str(stop.value)
    main([*sample, "--guidance", "1"])


def test_an_evaluation_tells_the_classes_apart(tmp_path):
    run = tmp_path / "run"
    main([*TRAIN.split(), "--backbone.classes", "10", "--prior", "classes", "--out", str(run)])
    evaluate = ["evaluate", "--model", str(run), "--out", str(tmp_path / "report")]
    evaluate += ["--count", "120", "--samplers", "[MultistepSampler]", "--steps", "[2]"]
    main([*evaluate, "--guidance", "1.5"])
    (row,) = json.loads((tmp_path / "report" / "report.json").read_text())
    train = sd.data.open("digits")
    order = sd.data.DataOrder(len(train), 0).indices(0, 120)
    counts = torch.bincount(train.labels[order])
    measured = {int(name): values["frechet"]["n"] for name, values in row["classes"].items()}
    assert measured == {i: int(n) for i, n in enumerate(counts) if n >= 8}
    page = (tmp_path / "report" / "report.md").read_text()
    assert "| class | frechet (floor) | recognised (floor) | N (floor's) |" in page
