"""Whatever a study's file or its recipe holds, reading it ends in a study or in one sentence."""

import copy
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion.studies import Study

RECIPE = {
    "data": "digits",
    "size": 8,
    "channels": 1,
    "warmup": 10,
    "objective": {"class_path": "softdiffusion.StepMatched", "init_args": {"steps": 10}},
}
STUDY = {
    "title": "A trial",
    "recipe": "base.yaml",
    "images": 100,
    "seeds": [0, 1],
    "samples": 50,
    "trust": ["own"],
    "evaluations": [
        {"sampler": "MultistepSampler", "calls": [5, 10], "options": {"shift": 2.0}},
        {"sampler": "NuSampler", "calls": [10], "options": {"nu": 0.5}, "start": "data"},
    ],
    "arms": {
        "plain": None,
        "short": {"objective": {"init_args": {"steps": 3}}, "images": 40, "seeds": [7]},
        "own": {
            "preset": {"class_path": "softdiffusion.presets.edm", "init_args": {"data_std": 0.5}},
            "evaluations": [{"sampler": "own", "calls": [5], "label": "its own"}],
        },
    },
    "scales": {"small": {"images": 10, "seeds": [3], "samples": 20}},
}
#: Stands in a file as a number that Python reads, but does not write.
HUGE = "HUGE"
VALUES: list[Any] = [
    *(None, True, 0, -1, 1, 10**30, HUGE, 0.5, -0.0, math.nan, math.inf, -math.inf),
    *("", "text", "../../x", "a\nb", "\ud800", "NaN", "é", "own", "softdiffusion.SmallUNet"),
    *([], [None], [[1]], [0, 0], ["a"], {}, {"a": 1}, {1: 2}, {None: None}, {"class_path": 5}),
    *({"class_path": "os.system", "init_args": {"command": "true"}}, b"bytes", {"a", "b"}),
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value below a value."""
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def changed(value: dict[str, Any], path: tuple[Any, ...], new: Any) -> dict[str, Any]:
    """A copy with another value in one place."""
    result: Any = copy.deepcopy(value)
    *way, last = path
    place = result
    for key in way:
        place = place[key]
    place[last] = new
    return result


def check(folder: Path, study: Any, recipe: Any = RECIPE) -> None:
    """Reads it at both scales: each ends in a study, or in one line."""
    for name, content in (("base.yaml", recipe), ("study.yaml", study)):
        text = yaml.dump(content).replace(HUGE, "0x" + "F" * 5000)
        (folder / name).write_text(text)
    for scale in (None, "small"):
        try:
            read = Study.read(folder / "study.yaml", scale)
        except (ValueError, FileNotFoundError) as error:
            assert "\n" not in str(error) and len(str(error)) < 1000, str(error)
        else:
            assert read.trainings([], [])


@pytest.mark.slow
@pytest.mark.parametrize("value", VALUES, ids=[f"value {i}" for i in range(len(VALUES))])
def test_every_value_is_replaced_by_every_other(tmp_path, value):
    for path in places(STUDY):
        check(tmp_path, changed(STUDY, path, value))
    for path in places(RECIPE):
        check(tmp_path, STUDY, changed(RECIPE, path, value))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.data())
def test_values_in_several_places_are_replaced(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("study")
    study: dict[str, Any] = STUDY
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(study))))
        study = changed(study, path, data.draw(anything))
    check(folder, study)


@given(st.data())
def test_bytes_of_the_file_are_replaced(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("study")
    (folder / "base.yaml").write_text(yaml.dump(RECIPE))
    content = bytearray(yaml.dump(STUDY).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        content[start : start + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=4))
    (folder / "study.yaml").write_bytes(content)
    try:
        Study.read(folder / "study.yaml")
    except (ValueError, FileNotFoundError) as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("name", ["study.yaml", "base.yaml"])
def test_what_is_no_regular_small_file_is_refused(tmp_path, name):
    other = {"study.yaml": "base.yaml", "base.yaml": "study.yaml"}[name]
    content = {"study.yaml": STUDY, "base.yaml": RECIPE}
    (tmp_path / other).write_text(yaml.dump(content[other]))
    path = tmp_path / name
    path.mkdir()
    with pytest.raises(ValueError, match="is a folder, where a file is needed"):
        Study.read(tmp_path / "study.yaml")
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="is a pipe, a socket or a device"):
        Study.read(tmp_path / "study.yaml")
    path.unlink()
    multiplying = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    path.write_text("a0: &a0 [x]\n" + multiplying)
    with pytest.raises(ValueError, match="with its aliases written out"):
        Study.read(tmp_path / "study.yaml")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nu": 2.0}, "nu must be in"),
        ({}, "nu"),
        ({"nu": 0.5, "shift": -1.0}, "shift"),
        ({"nu": 0.5, "speed": 3}, "speed"),
        ({"nu": "much"}, "can't be measured by NuSampler"),
    ],
)
def test_options_are_tried_before_the_training(tmp_path, options, message):
    path = ("evaluations", 1, "options")
    (tmp_path / "base.yaml").write_text(yaml.dump(RECIPE))
    (tmp_path / "study.yaml").write_text(yaml.dump(changed(STUDY, path, options)))
    with pytest.raises(ValueError, match="The arm plain can't be measured") as error:
        Study.read(tmp_path / "study.yaml")
    assert message in str(error.value)
