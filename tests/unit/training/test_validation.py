"""The loss on images that are held out."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import softdiffusion as sd
from softdiffusion.data import ArrayImages
from softdiffusion.training import processes
from softdiffusion.training.times import LEVELS, level_of
from softdiffusion.training.validation import Validation, check_held_out
from tests.command import ON_PROCESSOR
from tests.registry import process

IMAGES = torch.rand(37, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
LABELS = torch.arange(37) % 3


class Gain(nn.Module):
    """A backbone of one weight, with dropout and, told a class, a gain by class."""

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        self.weight = nn.Parameter(torch.tensor([0.1]))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, t, labels=None):
        gain = 1 if labels is None else 1 + labels.reshape(-1, 1, 1, 1)
        return gain * self.weight * self.dropout(x)


def validate(data, denoiser, batch_size=16, **settings):
    from accelerate import Accelerator

    processes()
    return Validation(data, sd.CleanRegression(), **settings)(denoiser, batch_size, Accelerator())


def test_it_is_the_same_every_time_and_leaves_the_modes_and_random_numbers_as_they_were():
    denoiser = sd.Denoiser(Gain(), process()).train()
    denoiser.backbone.dropout.eval()
    before = torch.get_rng_state()
    data = ArrayImages("data", IMAGES)
    assert validate(data, denoiser) == validate(data, denoiser)
    assert torch.equal(torch.get_rng_state(), before)
    assert (denoiser.training, denoiser.backbone.training) == (True, True)
    assert not denoiser.backbone.dropout.training
    assert validate(data, denoiser, seed=1) != validate(data, denoiser)
    assert validate(data, sd.EMA(denoiser)) == validate(data, denoiser)


@pytest.mark.parametrize("count", [1, 12, 1_000])
def test_every_level_has_the_same_share_and_no_image_is_favoured(count):
    validation = Validation(ArrayImages("data", IMAGES), sd.CleanRegression(), count)
    shares = torch.bincount(level_of(validation.t), minlength=LEVELS)
    assert (shares == validation.per_level).all()
    taken = torch.bincount(validation.indices)
    assert (taken > 0).sum() == min(count, len(IMAGES))
    assert taken.max() - taken[taken > 0].min() <= 1


@pytest.mark.parametrize("batch_size", [7, 1_000])
@pytest.mark.parametrize("several", [1, 2, 3])
def test_batch_sizes_and_shares_do_not_matter(batch_size, several):
    denoiser = sd.Denoiser(Gain(classes=3), process())
    validation = Validation(ArrayImages("data", IMAGES, LABELS), sd.StepMatched(10))
    shares = [
        validation.sums(denoiser, batch_size, share=slice(index, None, several))
        for index in range(several)
    ]
    assert_close(torch.stack(shares).sum(dim=0), validation.sums(denoiser, 16), rtol=1e-5, atol=0)


def test_a_network_with_classes_is_told_them():
    told = validate(ArrayImages("data", IMAGES, LABELS), sd.Denoiser(Gain(classes=3), process()))
    zero = validate(
        ArrayImages("data", IMAGES, 0 * LABELS), sd.Denoiser(Gain(classes=3), process())
    )
    none = validate(ArrayImages("data", IMAGES), sd.Denoiser(Gain(), process()))
    assert zero == none != told


def test_of_gaussian_images_it_is_the_posterior_variance():
    r"""With the exact denoiser: the mean of :math:`v \sigma^2 / (\lambda^2 v + \sigma^2)`."""
    v = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(1)) * 0.02
    corrupted = sd.SoftDiffusion(
        sd.GaussianBlur(), sd.Schedule(sd.schedules.Linear(0, 2), sd.schedules.Linear(0.05, 0.5))
    )
    transform = corrupted.corruption.transform
    z = torch.randn(20_000, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    images = transform.inverse(v.sqrt() * z)
    data = ArrayImages("data", images.clamp(-1, 1))
    denoiser = sd.GaussianDenoiser(corrupted, torch.zeros(1, 4, 4), v)
    validation = Validation(data, sd.CleanRegression(), count=20_000)
    t = validation.t.reshape(LEVELS, -1)
    sigma = corrupted.sigma(t.flatten()).reshape(*t.shape, 1, 1, 1)
    lam = corrupted.spectrum(t.flatten(), torch.zeros(t.numel(), 1, 4, 4)).reshape(
        *t.shape, 1, 4, 4
    )
    variance = v * sigma**2 / (lam**2 * v + sigma**2)
    expected = variance.mean(dim=(1, 2, 3, 4))
    # The square of a normal number has a variance of twice the square of its mean.
    spread = (2 * variance.square().sum(dim=(1, 2, 3, 4))).sqrt() / variance[0].numel()
    found = validation.sums(denoiser, 1_000) / validation.per_level
    assert ((found - expected).abs() < 4 * spread).all()


PROGRAM = """
import torch
import softdiffusion as sd
from accelerate import Accelerator
from softdiffusion.data import ArrayImages
from softdiffusion.training import processes
from softdiffusion.training.validation import Validation
torch.set_num_threads(1)
processes()
images = torch.rand(37, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
process = sd.presets.vp().process
denoiser = sd.GaussianDenoiser.fit(process, images)
found = Validation(ArrayImages("data", images), sd.CleanRegression())(denoiser, 4, Accelerator())
print([found["validation_loss"], *found["validation_loss_per_level"]], flush=True)
"""


@pytest.mark.slow
def test_two_processes_agree_with_one(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    printed = []
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    for several, launched in ((1, []), (2, launcher)):
        ended = subprocess.run(
            [sys.executable, *launched, str(tmp_path / "program.py")],
            capture_output=True,
            text=True,
            timeout=240,
            env=ON_PROCESSOR,
        )
        assert ended.returncode == 0, ended.stderr
        lines = [line for line in ended.stdout.splitlines() if line.startswith("[")]
        assert len(lines) == several and len(set(lines)) == 1
        printed.append(torch.tensor(eval(lines[0]), dtype=torch.float64))
    assert_close(*printed, rtol=1e-5, atol=0)


def test_a_loss_that_is_not_finite_is_named():
    corrupted = sd.SoftDiffusion(
        sd.Identity(), sd.Schedule(sd.schedules.Constant(0), sd.schedules.Linear(0, 1))
    )
    denoiser = sd.Denoiser(Gain(), corrupted)
    with torch.no_grad():
        denoiser.backbone.weight.fill_(torch.inf)
    with pytest.raises(ValueError, match="held out is .* at times of 0 to 0.1; lower the learning"):
        validate(ArrayImages("data", IMAGES), denoiser)


def test_held_out_images_of_another_kind_are_refused():
    data = ArrayImages("data", IMAGES, LABELS, classes=("a", "b", "c"))
    check_held_out(data, data, 3)
    check_held_out(ArrayImages("held", IMAGES), data, 0)
    with pytest.raises(
        ValueError, match=r"images of held .* \(1, 2, 2\), but .* \(1, 4, 4\); give"
    ):
        check_held_out(ArrayImages("held", IMAGES[..., :2, :2]), data, 0)
    with pytest.raises(ValueError, match="3 classes, but the data have no labels"):
        check_held_out(ArrayImages("held", IMAGES), data, 3)
    with pytest.raises(ValueError, match="The classes of held .* give images of the same classes"):
        check_held_out(ArrayImages("held", IMAGES, LABELS, classes=("b", "a", "c")), data, 3)
    with pytest.raises(ValueError, match="At least one image"):
        Validation(data, sd.CleanRegression(), count=0)
