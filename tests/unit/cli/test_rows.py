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
