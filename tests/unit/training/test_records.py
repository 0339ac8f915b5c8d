"""What a training writes down."""

import json
import math

import pytest
import torch

from softdiffusion.training.records import LossMeter, Records
from softdiffusion.training.times import LEVELS

LEVEL_LOSSES = [1.0, None, *[0.5] * (LEVELS - 2)]


def row(images: int) -> dict:
    return {"images": images, "loss": images / 8, "loss_per_level": LEVEL_LOSSES}


def test_the_meter_averages_overall_and_by_level_and_starts_again():
    meter = LossMeter()
    meter.add(torch.tensor([0.05, 0.09, 0.55]), torch.tensor([1.0, 2.0, 6.0]), torch.ones(3))
    meter.add(torch.tensor([0.01, 1.0]), torch.tensor([6.0, 10.0]), torch.ones(2))
    read = meter.read()
    assert read["loss"] == pytest.approx(5)
    expected = {0: 3.0, 5: 6.0, LEVELS - 1: 10.0}
    assert read["loss_per_level"] == [expected.get(level) for level in range(LEVELS)]
    meter.add(torch.tensor([0.5]), torch.tensor([7.0]), torch.ones(1))
    assert meter.read()["loss"] == 7


def test_the_overall_mean_is_over_all_times_however_they_are_drawn():
    # The loss is the time itself, with the mean 1/2; times of the density 2 t have a mean of 2/3.
    u = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    t = u.sqrt()
    meter = LossMeter()
    meter.add(t, t, 1 / (2 * t))
    read = meter.read()
    assert math.isclose(read["loss"], 0.5, rel_tol=1e-6)
    assert math.isclose(read["loss_per_level"][0], 2 / 3 * 0.1, rel_tol=1e-3)


def test_rows_behind_the_position_and_a_torn_one_are_dropped(tmp_path):
    records = Records(tmp_path, 0)
    for images in (8, 16, 24):
        records.write(row(images))
    with (tmp_path / "stats.jsonl").open("a") as file:
        file.write('{"images": 3')  # the process was killed here
    records = Records(tmp_path, 16)
    records.write(row(32))
    lines = (tmp_path / "stats.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [row(8), row(16), row(32)]


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "[1]",
        "7",
        "{}",
        '{"images": null}',
        '{"images": "8"}',
        '{"images": NaN}',
        "[" * 10**5,
        '{"images": 8.5}',
        '{"images": -8}',
        '{"images": true}',
        '{"images": 1e999}',
        '{"images": 8, "loss": NaN}',
        "\x00",
    ],
)
def test_a_line_that_is_no_row_is_named(line, tmp_path):
    records = Records(tmp_path, 0)
    records.write(row(8))
    file = tmp_path / "stats.jsonl"
    whole = file.read_text()
    file.write_text(whole + line + "\n" + whole)
    with pytest.raises(ValueError, match=r"stats.jsonl is damaged \(line 2 is no row .*; remove"):
        Records(tmp_path, 16)
    file.write_text(whole + whole)  # the remedy
    Records(tmp_path, 16)


def test_rows_are_json_that_every_parser_reads(tmp_path):
    records = Records(tmp_path, 0)
    with pytest.raises(ValueError, match="not JSON compliant"):
        records.write(row(8) | {"loss": math.nan})
    assert not (tmp_path / "stats.jsonl").exists()


def test_the_state_of_the_meter_is_all_that_it_knows():
    first, second = LossMeter(), LossMeter()
    first.add(torch.tensor([0.05, 0.55]), torch.tensor([1.0, 2.0]), torch.tensor([1.0, 0.5]))
    second.state.copy_(first.state)
    assert second.read() == first.read()
