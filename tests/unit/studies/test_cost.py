import json

import pytest

from softdiffusion.studies.cost import Cost


def test_wall_times_come_from_the_speeds_of_training_and_the_seconds_of_sampling(tmp_path):
    losses = tmp_path / "soft-0.jsonl"
    speeds = [(600, 10.0), (1800, 20.0)]  # 60 s for the first 600 images, 60 s for 1,200 more
    records = [{"images": images, "images_per_second": speed} for images, speed in speeds]
    losses.write_text("".join(json.dumps(record) + "\n" for record in records))
    rows = [
        {"n": 100, "nfe": 10, "sampling_seconds": 2.0},
        {"n": 100, "nfe": 30, "sampling_seconds": 2.0},
    ]
    cost = Cost.of(rows, losses)
    assert cost.images == 1800
    assert cost.training_minutes == pytest.approx(2.0)
    assert cost.milliseconds_per_call == pytest.approx(1.0)
