"""Every image is drawn once, whatever the number of processes; the first that fails says why."""

from datetime import timedelta

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributed import TCPStore
from torch.testing import assert_close

import softdiffusion as sd
from softdiffusion.cli.drawing import drawn
from softdiffusion.cli.main import main
from softdiffusion.cli.team import Team, joined
from softdiffusion.cli.voice import speaks


@given(st.integers(1, 500), st.integers(1, 64), st.integers(1, 9))
def test_every_image_belongs_to_one_process(total, most, count):
    teams = [Team(index, count) for index in range(count)]
    (size,) = {team.size(total, most) for team in teams}
    assert 1 <= size <= most
    shares = [list(team.parts(total, size)) for team in teams]
    assert sorted(k for parts in shares for part in parts for k in part) == list(range(total))
    assert all(len(part) <= size for parts in shares for part in parts)
    busy = [len(parts) for parts in shares]
    assert max(busy) - min(busy) <= 1


def test_alone_a_process_waits_for_nobody():
    team, rows = Team(), torch.arange(10.0).reshape(5, 2)
    assert team.is_first and team.each("a") == ["a"]
    assert torch.equal(team.gathered(rows.split(2), 5, 2), rows)


def test_images_do_not_depend_on_how_many_are_drawn_at_a_time_or_at_all():
    """Of as many as have an index, the first batch comes at once."""
    process = sd.SoftDiffusion(sd.GaussianBlur(), sd.schedules.geometric((0.2, 4.0), (0.02, 0.2)))
    data = sd.data.load("digits")[:500]
    denoiser = sd.GaussianDenoiser.fit(process, data)
    prior = sd.GaussianPrior.fit(process, data, max_modes=8)
    sampler = sd.AncestralSampler(process, denoiser, steps=3)

    def parts(total: int, size: int):
        return drawn(sampler, prior, 7, Team().parts(total, size), lambda part: None, "cpu")

    noise = sd.generators(7, range(10))
    whole = sampler(prior.sample(10, noise), noise).clamp(-1, 1)
    batches = dict(parts(10, 4))
    assert list(batches) == [range(4), range(4, 8), range(8, 10)]
    assert_close(torch.cat(list(batches.values())), whole, atol=1e-4, rtol=0)
    part, images = next(parts(2**32, 4))
    assert part == range(4)
    assert_close(images, whole[:4], atol=1e-4, rtol=0)


def test_a_process_that_misses_the_others_says_how_to_start_them(monkeypatch):
    monkeypatch.setattr("softdiffusion.cli.team._MEETING", timedelta(seconds=1))
    for name in ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "2")
    told = "The 2 processes of WORLD_SIZE don't find each other; start all of them with torchrun"
    with pytest.raises(ValueError, match=told), joined():
        pass
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    given = {"RANK": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": store.port}
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(ValueError, match=told), joined():
        pass


def test_of_several_processes_the_first_one_that_fails_speaks(monkeypatch, capsys):
    assert speaks()
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    for name, value in {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", str(store.port))
    assert [speaks() for _ in range(3)] == [True, False, False]
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert speaks()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    for told in (1, 0):
        with pytest.raises(SystemExit) as stop:
            main(["info", "--cuont", "9"])
        assert stop.value.code == 2
        assert len(capsys.readouterr().err.splitlines()) == told
