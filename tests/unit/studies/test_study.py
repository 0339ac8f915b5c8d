import math

import pytest

from softdiffusion.studies import Rows, Study
from softdiffusion.studies.study import merge
from softdiffusion.studies.summary import Result, summarise

RECIPE = """
data: digits
size: 8
objective:
  class_path: softdiffusion.StepMatched
  init_args: {steps: 10, soft_share: 0.1}
images: 999
"""
STUDY = """
title: A trial
recipe: base.yaml
images: 100
seeds: [0, 1]
samples: 50
evaluations:
  - {sampler: MultistepSampler, calls: [5, 10]}
  - {sampler: NaiveSampler, calls: [10], start: data, label: naive from data}
arms:
  plain:
  short: {objective: {init_args: {steps: 3}}, images: 40, seeds: [7]}
  other: {objective: {class_path: softdiffusion.CleanRegression}}
scales:
  small: {images: 10, seeds: [3]}
"""


def write(folder, study=STUDY):
    (folder / "base.yaml").write_text(RECIPE)
    (folder / "study.yaml").write_text(study)
    return folder / "study.yaml"


def test_arms_change_the_recipe_and_nothing_else(tmp_path):
    study = Study.read(write(tmp_path))
    plain, short, other = (study.arms[name] for name in ("plain", "short", "other"))
    assert plain.recipe["objective"]["init_args"] == {"steps": 10, "soft_share": 0.1}
    assert short.recipe["objective"]["init_args"] == {"steps": 3, "soft_share": 0.1}
    assert other.recipe["objective"] == {"class_path": "softdiffusion.CleanRegression"}
    assert [arm.recipe["images"] for arm in study.arms.values()] == [100, 40, 100]
    assert [arm.seeds for arm in study.arms.values()] == [(0, 1), (7,), (0, 1)]
    assert [e.label for e in plain.evaluations] == ["multistep", "naive from data"]
    assert study.folder == tmp_path


def test_the_command_names_the_scale(tmp_path):
    path = write(tmp_path)
    assert Study.read(path).command == f"softdiffusion study run {path}"
    assert Study.read(path, "small").command == f"softdiffusion study run {path} --scale small"


def test_a_scale_holds_for_every_arm(tmp_path):
    study = Study.read(write(tmp_path), "small")
    assert {arm.recipe["images"] for arm in study.arms.values()} == {10}
    assert {arm.seeds for arm in study.arms.values()} == {(3,)}
    assert study.folder == tmp_path / "small"
    assert study.title == "A trial (scale small)"


def test_a_scale_keeps_the_shape_of_the_learning_rate(tmp_path):
    path = write(tmp_path)
    (tmp_path / "base.yaml").write_text(RECIPE + "decay: 50\n")
    full, small = Study.read(path), Study.read(path, "small")
    assert "warmup" not in full.arms["plain"].recipe and full.arms["plain"].recipe["decay"] == 50
    # 10 of 100 images, and of 40; the warm-up is the default of 6,400.
    for name, share in (("plain", 10), ("short", 4)):
        recipe = small.arms[name].recipe
        assert (recipe["decay"], recipe["warmup"]) == (50 // share, 6400 // share)


def test_another_class_takes_nothing_from_the_one_it_replaces():
    base = {"a": {"class_path": "X", "init_args": {"p": 1}}, "b": 2}
    assert merge(base, {"a": {"init_args": {"q": 3}}})["a"]["init_args"] == {"p": 1, "q": 3}
    assert merge(base, {"a": {"class_path": "Y"}})["a"] == {"class_path": "Y"}
    assert merge(base, {"b": 4}) == {**base, "b": 4}
    assert merge(base, {"a": None, "c": None}) == {"b": 2}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("samples: 50", ""), "differs in samples"),
        (("samples: 50", "samples: 50\nsample: 3"), "differs in sample"),
        (("calls: [10], start: data", "calls: [0]"), "must be numbers of at least 1, but are [0]"),
        (("start: data", "start: here"), "but is 'here'"),
        (("recipe: base.yaml", "recipe: none.yaml"), "There is no file"),
        (("recipe: base.yaml", "recipe: [base.yaml"), "is no YAML: while parsing"),
        (
            ("seeds: [0, 1]", "seeds: 3"),
            "The seeds of plain must be a list that is not empty, but are 3",
        ),
        (("calls: [5, 10]", "calls: 10"), "must be a list of whole numbers, but are 10"),
        (("calls: [5, 10]", "steps: [10]"), "An evaluation has a sampler and calls"),
        (("start: data", "from: data"), "An evaluation has a sampler and calls"),
        (("label: naive from data", "label: multistep"), "2 times by multistep with 10 calls"),
        ((STUDY[STUDY.index("  plain") : STUDY.index("scales")], ""), "must be names with what"),
        (("  plain:", "  plain: soft"), "one is 'plain': 'soft'"),
        (("  plain:", "  1:"), "must be texts with what they change, but one is 1: None"),
        (("small: {images: 10, seeds: [3]}", "small: 10"), "one is 'small': 10"),
        (("title: A trial", "title: [A]"), "must be a text, but is ['A']"),
        (("sampler: NaiveSampler", "sampler: 5"), "The sampler of an evaluation must be a text"),
        (("sampler: NaiveSampler", "sampler: Naive"), "There is no sampler 'Naive'"),
        (("sampler: NaiveSampler", "sampler: own"), "The arm plain has no preset"),
        (("samples: 50", "samples: '50'"), "whole number of at least 1, but is '50'"),
        (("images: 40", "images: 0"), "The images of short must be a whole number of at least 1"),
        (("seeds: [7]", "seeds: [a]"), "A seed of short must be a whole number of at least 0"),
        (("seeds: [0, 1]", "seeds: [1, 1]"), "The seeds of plain must differ, but are [1, 1]"),
        (("seeds: [0, 1]", "seeds: []"), "must be a list that is not empty, but are []"),
        (("calls: [5, 10]", "calls: [5], options: [1]"), "must be names with values, but are [1]"),
        (("samples: 50", "samples: 50\ntrust: [1]"), "must be a list of texts"),
        (
            ("samples: 50", "samples: 50\ntrust: wiener"),
            "must be a list of texts that is not empty, but are 'wiener'",
        ),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, change, message):
    path = write(tmp_path, STUDY.replace(*change))
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        Study.read(path)
    assert message in str(error.value)


def test_unknown_names_are_refused(tmp_path):
    path = write(tmp_path)
    with pytest.raises(ValueError, match="has no scale 'tiny'; it has small"):
        Study.read(path, "tiny")
    study = Study.read(path)
    with pytest.raises(ValueError, match="has no arm 'best'; it has plain, short, other"):
        study.trainings(["best"], [])
    with pytest.raises(ValueError, match="None of the arms has the seed 7"):
        study.trainings(["plain"], [7])


def test_trainings_come_seed_after_seed(tmp_path):
    study = Study.read(write(tmp_path))

    def named(*chosen):
        return [(arm.name, seed) for arm, seed in study.trainings(*chosen)]

    first = [("plain", 0), ("short", 7), ("other", 0)]
    assert named([], []) == [*first, ("plain", 1), ("other", 1)]
    assert named(["other", "short"], []) == [("short", 7), ("other", 0), ("other", 1)]
    assert named([], [1]) == [("plain", 1), ("other", 1)]


def row(arm="a", seed=0, frechet=10.0, error=0.5, calls=10, n=50, images=100):
    return {
        "n": n,
        "images": images,
        "arm": arm,
        "seed": seed,
        "evaluation": "multistep",
        "calls": calls,
        "nfe": calls,
        "frechet": frechet,
        "frechet_error": error,
        "floor": 1.0,
    }


def test_rows_are_kept_and_told_apart(tmp_path):
    study = Study.read(write(tmp_path))
    rows = Rows(tmp_path / "new" / "rows.jsonl")
    assert list(rows) == []
    kept = [row("plain"), row("plain", seed=1), row("gone")]
    for one in kept:
        rows.append(one)
    assert list(rows) == kept
    assert rows.of(study) == kept[:2]
    assert rows.keys(study) == {("plain", 0, "multistep", 10), ("plain", 1, "multistep", 10)}
    rows.path.write_text(rows.path.read_text().replace('"seed": 1', '"seed": NaN'))
    with pytest.raises(ValueError, match="Line 2 of .* is damaged; delete it"):
        list(rows)


def test_a_row_that_stands_there_twice_is_no_second_seed(tmp_path):
    rows = Rows(str(tmp_path / "rows.jsonl"))
    for one in (row("plain"), row("plain", seed=1)):
        rows.append(one)
    first, second = rows.path.read_text().splitlines(keepends=True)
    rows.path.write_text(first + second + first)  # as a merge of two machines' rows may leave it
    with pytest.raises(ValueError, match="2 rows of plain, seed 0, by multistep with 10 calls"):
        rows.of(Study.read(write(tmp_path)))


@pytest.mark.parametrize("other", [{"n": 20}, {"images": 99}])
def test_rows_of_another_size_are_refused(tmp_path, other):
    rows = Rows(tmp_path / "rows.jsonl")
    rows.append(row("plain", **other))
    with pytest.raises(ValueError, match=r"plain with .* the study asks for 50 after 100; remove"):
        rows.of(Study.read(write(tmp_path)))


def test_rows_of_another_recipe_are_refused(tmp_path):
    path = write(tmp_path)
    plain = Study.read(path).arms["plain"]
    rows = Rows(tmp_path / "rows.jsonl")
    rows.append(row("plain", calls=5) | {"setting": plain.setting(plain.evaluations[0])})
    assert len(rows.of(Study.read(path))) == 1
    path.write_text(STUDY.replace("calls: [5, 10]", "calls: [5, 10, 20]"))
    assert len(rows.of(Study.read(path))) == 1  # more calls leave the others as they were
    for change in (
        ("calls: [5, 10]}", "calls: [5, 10], options: {shift: 2.0}}"),
        ("calls: [5, 10]}", "calls: [5, 10], start: data}"),
        ("plain:", "plain: {objective: {init_args: {steps: 3}}}"),
    ):
        path.write_text(STUDY.replace(*change))
        with pytest.raises(ValueError, match="plain by multistep that was made by another recipe"):
            rows.of(Study.read(path))


def test_evaluations_may_share_a_label(tmp_path):
    sampler = "sampler: MultistepSampler, label: shifted"
    shifts = [f"  - {{{sampler}, calls: [{n}], options: {{shift: {n}}}}}\n" for n in (20, 30)]
    path = write(tmp_path, STUDY.replace("arms:\n", "".join(shifts) + "arms:\n"))
    study = Study.read(path)
    plain = study.arms["plain"]
    rows = Rows(tmp_path / "rows.jsonl")
    for evaluation in plain.evaluations[2:]:
        made = {"evaluation": "shifted", "setting": plain.setting(evaluation)}
        rows.append(row("plain", calls=evaluation.calls[0]) | made)
    assert rows.of(study) == list(rows)


def test_rows_that_are_not_asked_for_are_left_out(tmp_path):
    rows = Rows(tmp_path / "rows.jsonl")
    for other in ({"seed": 2}, {"calls": 7}, {"arm": "gone"}):
        rows.append(row(**{"arm": "plain", **other}))
    rows.append(row("plain") | {"evaluation": "gone"})
    assert rows.of(Study.read(write(tmp_path))) == []


def test_a_scale_replaces_sizes_alone(tmp_path):
    path = write(tmp_path, STUDY.replace("small: {images: 10", "small: {arms: {}, images: 10"))
    with pytest.raises(ValueError, match="but 'small' of .* names arms"):
        Study.read(path, "small")


def test_the_error_holds_seeds_and_samples():
    result = Result.of([row(frechet=9.0), row(seed=1, frechet=12.0, error=1.5)])
    assert result.distance == 10.5
    assert math.isclose(result.error**2, 4.5 / 2)  # each seed has samples of its own
    lucky = Result.of([row(frechet=9.0), row(seed=1, frechet=9.1, error=1.5)])
    assert math.isclose(lucky.error**2, (0.25 + 2.25) / 2 / 2)  # so near each other by chance
    single = Result.of([row()])
    assert (single.distance, single.error, single.seeds) == (10.0, 0.5, 1)


def test_a_tie_is_a_difference_below_two_standard_errors():
    at = {d: Result.of([row(frechet=d)]) for d in (10.0, 11.4, 11.5)}
    assert at[10.0].ties_with(at[11.4])  # two errors of 0.5: 2 * 0.707 = 1.414
    assert not at[10.0].ties_with(at[11.5])


def test_rows_come_together_by_evaluation_calls_and_arm():
    results = summarise([row(), row(seed=1), row(arm="b"), row(calls=30)])
    assert list(results) == [("multistep", 10), ("multistep", 30)]
    assert {arm: r.seeds for arm, r in results["multistep", 10].items()} == {"a": 2, "b": 1}
