"""A data set of torch with random transforms trains as any other: reproducibly."""

import pytest
import torch
from torch.utils.data import Dataset

import softdiffusion as sd
from softdiffusion.training import TrainingOptions
from tests.registry import process


class Mirrored(Dataset):
    """Pictures that torch's global generator mirrors and shades."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        image = torch.linspace(-1, 1, 64).roll(index).reshape(1, 8, 8)
        image = image.flip(-1) if torch.rand(()) < 0.5 else image
        return {"image": image * (0.5 + torch.rand(()) / 2), "label": index % 2}


def trained(out, images, workers=0):
    torch.manual_seed(0)
    network = sd.SmallUNet(channels=1, width=8, multipliers=(1,), attention=False)
    denoiser = sd.Denoiser(network, process())
    options = TrainingOptions(batch_size=8, workers=workers, warmup=0, decay=0)
    sd.train(
        sd.data.DatasetImages(Mirrored()),
        denoiser,
        sd.SoftScoreMatching(),
        images,
        out=out,
        options=options,
        progress=False,
    )
    return denoiser.state_dict()


@pytest.mark.slow
def test_weights_follow_from_the_seed_with_any_workers_and_after_a_stop(tmp_path):
    whole = trained(tmp_path / "whole", 48)
    workers = trained(tmp_path / "workers", 48, workers=2)
    trained(tmp_path / "parts", 16)
    parts = trained(tmp_path / "parts", 48)
    assert all(torch.equal(whole[name], workers[name]) for name in whole)
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
