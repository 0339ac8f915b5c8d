import json
import math
from multiprocessing import get_context

from softdiffusion.cli.rows import Rows

CONDITIONS = {"model": "a digest", "count": 10}


def measured(steps: int, distance: float = 1.0) -> dict:
    return {"sampler": "NaiveSampler", "steps": steps, "distance": distance}


def test_two_evaluations_of_one_folder_keep_each_other_s_rows(tmp_path):
    path = tmp_path / "report.json"
    one, other = Rows(path, CONDITIONS), Rows(path, CONDITIONS)
    one.add(measured(10))
    other.add(measured(20))
    one.add(measured(30))
    assert [row["steps"] for row in one] == [10, 20, 30]
    assert list(Rows(path, CONDITIONS)) == list(one)


def test_a_value_that_is_measured_again_takes_the_place_of_the_first(tmp_path):
    path = tmp_path / "report.json"
    one, other = Rows(path, CONDITIONS), Rows(path, CONDITIONS)
    one.add(measured(10, 1.0))
    other.add(measured(10, 2.0))
    assert [row["distance"] for row in Rows(path, CONDITIONS)] == [2.0]
    Rows(path, CONDITIONS | {"count": 20}).add(measured(10, 3.0))
    assert [row["distance"] for row in Rows(path, CONDITIONS)] == [2.0]


def add(path, name: str) -> None:
    for steps in range(20):
        Rows(path, CONDITIONS).add({"sampler": name, "steps": steps})
        Rows(path, CONDITIONS).add({"sampler": "the same", "steps": steps})


def test_rows_that_are_added_at_the_same_time_are_all_there(tmp_path):
    path = tmp_path / "report.json"
    context = get_context("fork")  # the others import torch anew, for seconds
    writers = [context.Process(target=add, args=(path, f"sampler {i}")) for i in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    rows = {(row["sampler"], row["steps"]) for row in Rows(path, CONDITIONS)}
    assert len(rows) == len(list(Rows(path, CONDITIONS))) == 5 * 20
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]


def test_rows_are_json_for_every_reader(tmp_path):
    path = tmp_path / "report.json"
    row = measured(10) | {"report": {"values": [1.0, math.inf, -math.inf, math.nan]}}
    Rows(path, CONDITIONS).add(row)

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    (read,) = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert read["report"]["values"] == [1.0, None, None, None]


def test_drafts_that_a_kill_left_are_deleted_and_nothing_else(tmp_path):
    kept = ["report.draft", "report.draft-1a", "my report.draft-12", "report.draft-12.png"]
    for name in [*kept, "report.draft-12"]:
        (tmp_path / name).write_text("x")
    Rows(tmp_path / "report.json", CONDITIONS).add(measured(10))
    assert {file.name for file in tmp_path.iterdir()} == {*kept, "report.json"}
