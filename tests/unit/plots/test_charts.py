import numpy as np
import pytest
from PIL import Image

from softdiffusion.plots import plot_distances, plot_losses, plot_schedule
from softdiffusion.plots.charts import spaced
from softdiffusion.schedules import Selection, geometric, linear

BLUE, VERMILION, GREEN = (0, 114, 178), (213, 94, 0), (0, 158, 115)


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def where(page, colour):
    """Rows and columns of the pixels that have exactly this colour."""
    return np.nonzero((page == colour).all(axis=-1))


def selection(hops):
    levels = len(hops) + 1
    severities = np.linspace(0, 8, levels).tolist()
    return Selection(severities, severities, hops, (0.02, 0.2), 1.0, "closed")


def test_a_schedule_shows_severity_and_sigma(tmp_path):
    plot_schedule(linear((0, 1), (0, 1)), tmp_path / "new" / "schedule.png")
    page = pixels(tmp_path / "new" / "schedule.png")
    for colour in (BLUE, VERMILION):
        rows, columns = where(page, colour)
        rises = np.corrcoef(rows, columns)[0, 1]
        assert rises == pytest.approx(-1, abs=1e-3)  # a straight line that rises
    assert not len(where(page, GREEN)[0])


def test_a_geometric_severity_is_straight_on_its_logarithmic_axis(tmp_path):
    plot_schedule(geometric((0.1, 20.0), (0.02, 0.2)), tmp_path / "schedule.png")
    rows, columns = where(pixels(tmp_path / "schedule.png"), BLUE)
    assert np.corrcoef(rows, columns)[0, 1] == pytest.approx(-1, abs=1e-3)


def test_the_hops_of_a_selection_are_bars_of_their_length(tmp_path):
    hops = [1.0, 2.0, 1.0, 4.0]
    plot_schedule(selection(hops), tmp_path / "schedule.png")
    columns = where(pixels(tmp_path / "schedule.png"), GREEN)[1]
    heights = np.bincount(columns)
    inside = np.flatnonzero(heights)
    bars = np.split(inside, np.flatnonzero(np.diff(inside) > 3) + 1)
    tallest = np.array([heights[bar].max() for bar in bars])
    assert tallest / tallest[0] == pytest.approx(hops, rel=0.03)


def test_losses_are_drawn_overall_and_for_every_level(tmp_path):
    rows = [
        {"images": 1000 * k, "loss": 1 / k, "loss_per_level": [3 / k, None if k == 3 else 1 / k]}
        for k in range(1, 6)
    ]
    plot_losses(rows, tmp_path / "losses.png")
    page = pixels(tmp_path / "losses.png")
    lines, columns = where(page, BLUE)
    assert np.corrcoef(lines, columns)[0, 1] > 0  # it falls
    panel = page[:, : page.shape[1] * 85 // 100]  # without the bar of colours
    for colour in ((68, 1, 84), (253, 231, 37)):  # the two ends of viridis
        assert len(where(panel, colour)[0]) > 100


def test_losses_need_a_row(tmp_path):
    with pytest.raises(ValueError, match="no row"):
        plot_losses([], tmp_path / "losses.png")


def test_distances_have_one_line_a_sampler_and_their_floor_below(tmp_path):
    rows = [
        {"sampler": name, "nfe": nfe, "distance": factor / nfe, "error": 0.0}
        for name, factor in (("momentum", 400), ("multistep", 100))
        for nfe in (100, 10, 30)  # in any order
    ]
    plot_distances(rows, tmp_path / "distances.png")
    plot_distances(rows, tmp_path / "floor.png", floor=0.5)
    page, with_floor = pixels(tmp_path / "distances.png"), pixels(tmp_path / "floor.png")
    legend = page.shape[1] * 3 // 4
    for colour in (BLUE, VERMILION):
        lines, columns = where(page[:, :legend], colour)
        assert np.corrcoef(lines, columns)[0, 1] == pytest.approx(1, abs=5e-3)  # slope -1, log-log
    ink = (51, 51, 51)
    below = where(with_floor, VERMILION)[0].max()
    assert (where(with_floor[:, : legend // 2], ink)[0] > below).sum() > 100
    assert len(where(with_floor, ink)[0]) > len(where(page, ink)[0])


def test_the_error_of_a_distance_is_a_bar(tmp_path):
    def height(error: float) -> int:
        row = {"sampler": "momentum", "nfe": 10, "distance": 10.0, "error": error}
        others = [{**row, "sampler": "naive", "distance": d, "error": 0.0} for d in (1.0, 100.0)]
        plot_distances([row, *others], tmp_path / f"{error}.png")
        page = pixels(tmp_path / f"{error}.png")
        lines, _ = where(page[:, : page.shape[1] * 3 // 4], BLUE)
        return int(np.ptp(lines))

    assert height(5.0) > 2 * height(1.0) > 0


def test_calls_too_close_to_be_labelled_apart_share_a_label():
    assert spaced({5, 9, 10, 19, 20, 29, 30, 299, 300}) == [5, 10, 20, 30, 300]


def test_distances_need_a_row(tmp_path):
    with pytest.raises(ValueError, match="no distance"):
        plot_distances([], tmp_path / "distances.png")
