import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from softdiffusion.studies import Rows, Study, write_report

RECIPE = "data: digits\n"
STUDY = """
title: A trial
recipe: base.yaml
images: 100
seeds: [0]
samples: 50
evaluations:
  - {sampler: NaiveSampler, calls: [10, 20], start: data, label: naive from data}
arms: {a: , b: }
"""


def _measured(tmp_path) -> Path:
    (tmp_path / "base.yaml").write_text(RECIPE)
    (tmp_path / "study.yaml").write_text(STUDY)
    rows = Rows(tmp_path / "rows.jsonl")
    made = {"n": 50, "images": 100, "extractor": "0123456789abcdef", "nfe": 0}
    made |= {"floor": 1.0, "floor_error": 0.1, "floor_n": 50, "frechet_error": 0.5}
    made |= {"processor": "a processor", "threads": 1, "torch": "2.13.0", "sampling_seconds": 1}
    for arm in "ab":
        for calls in (10, 20):
            key = {"arm": arm, "seed": 0, "evaluation": "naive from data", "calls": calls}
            rows.append(made | key | {"frechet": 30.0 / calls, "nfe": calls})
    return tmp_path / "study.yaml"


def test_the_figures_of_a_name_with_spaces_are_found(tmp_path):
    page = write_report(Study.read(_measured(tmp_path)))
    links = re.findall(r"!\[.*?\]\((\S+)\)", (tmp_path / "report.md").read_text())
    assert unquote(links[0]) == "figures/distance-evaluation-naive from data.png"
    assert links == re.findall(r'<img src="(\S+)"', page.read_text())
    assert all((tmp_path / unquote(link)).is_file() for link in links)


def test_arms_that_are_gone_leave_no_trace(tmp_path):
    study = Study.read(_measured(tmp_path))
    losses = (Path(__file__).parents[3] / "studies/headline/losses/soft-0.jsonl").read_text()
    for arm in ("a", "vanished"):
        for path in (study.losses(arm, 0), study.picture(arm, "naive from data", 10)):
            path.parent.mkdir(exist_ok=True)
            path.write_text(losses)
    page = write_report(study).read_text()
    assert "loss-a-0.png" in page and "a-naive%20from%20data-10.png" in page
    assert "vanished" not in page


def test_distances_of_two_extractors_are_not_compared(tmp_path):
    study = Study.read(_measured(tmp_path))
    path = tmp_path / "rows.jsonl"
    first, *others = path.read_text().splitlines(keepends=True)
    path.write_text(first.replace("0123456789abcdef", "other") + "".join(others))
    with pytest.raises(ValueError, match="distances by 2 extractors, which do not compare"):
        write_report(study)


def test_figures_of_an_earlier_report_go_and_others_stay(tmp_path):
    study = Study.read(_measured(tmp_path))
    write_report(study)
    figures = tmp_path / "figures"
    made = set(figures.iterdir())
    for name in ("distance-arm-gone.png", "loss-gone-0.png", "of-my-own.png"):
        (figures / name).touch()
    write_report(study)
    assert set(figures.iterdir()) == made | {figures / "of-my-own.png"}
