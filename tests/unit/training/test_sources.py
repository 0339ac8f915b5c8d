"""A training takes streams and torch's data sets, and goes on with them where it was."""

import pytest
import torch
from torch.utils.data import Dataset

import softdiffusion as sd
from softdiffusion.data import Stream
from tests.registry import process
from tests.unit.training.test_train import Gain, rows


def trained(data, out, images, **options):
    settings = {"batch_size": 4, "warmup": 0, "log_every": 4} | options
    denoiser = sd.Denoiser(Gain(), process())
    sd.train(
        data,
        denoiser,
        sd.StepMatched(10, soft_share=0.1),
        images,
        out=out,
        options=sd.TrainingOptions(**settings),
        flips=True,
        progress=False,
    )
    return denoiser.backbone.weight, [row["loss"] for row in rows(out)]


class Restless(Dataset):
    """Images with a random brightness, as transforms have it, from the numbers of torch."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> torch.Tensor:
        return (torch.full((1, 4, 4), index / 6 - 1) * torch.rand(1)).clamp(-1, 1)


def test_a_stream_goes_on_where_it_was(tmp_path):
    pytest.importorskip("datasets")
    from tests.hub_sets import streamed

    def stream():
        return Stream(streamed(5, 0, 9, 3), buffer=4)

    whole, losses = trained(stream(), tmp_path / "whole", 64)
    trained(stream(), tmp_path / "parts", 28)
    parts, other = trained(stream(), tmp_path / "parts", 64)
    assert torch.equal(whole, parts)
    assert losses == other
    # One that was read before begins anew in a folder of its own.
    used = stream()
    used.read(7)
    again, _ = trained(used, tmp_path / "again", 64)
    assert torch.equal(whole, again)
    with pytest.raises(ValueError, match="another configuration of data"):
        trained(Stream(streamed(5, 0, 9, 3), buffer=5), tmp_path / "parts", 128)


@pytest.mark.parametrize("workers", [0, 2])
def test_random_transforms_follow_from_seed_and_position(workers, tmp_path):
    whole, losses = trained(Restless(), tmp_path / "whole", 48)
    trained(Restless(), tmp_path / "parts", 20, workers=workers)
    parts, other = trained(Restless(), tmp_path / "parts", 48, workers=workers)
    assert torch.equal(whole, parts)
    assert losses == other
