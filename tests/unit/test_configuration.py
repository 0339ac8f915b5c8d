import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import softdiffusion as sd
from softdiffusion import schedules
from softdiffusion.configuration import from_config, to_config
from tests.registry import EXAMPLES, FUNCTIONAL, output, public_classes

# torch's forward-mode derivatives, which DriftMatched uses, warn about a part of torch itself.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text().filter(lambda k: k not in ("class_path", "tensor")), inner)
    ),
)


def copied(value):
    config, tensors = to_config(value)
    return from_config(json.loads(json.dumps(config, allow_nan=False)), tensors)


def test_the_registry_holds_every_public_class():
    assert set(EXAMPLES) | set(FUNCTIONAL) == set(public_classes())


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_copy_computes_the_same(name):
    original = EXAMPLES[name]()
    assert type(original).__name__ == name
    copy = copied(original)
    assert type(copy) is type(original)
    if isinstance(copy, nn.Module):
        copy.load_state_dict(original.state_dict())
        copy.eval()
    assert torch.equal(output(copy), output(original))


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_copy_has_the_same_configuration(name):
    original = EXAMPLES[name]()
    config, tensors = to_config(original)
    again, tensors_again = to_config(copied(original))
    assert again == config
    assert tensors_again.keys() == tensors.keys()
    assert all(torch.equal(tensors_again[key], tensors[key]) for key in tensors)


@given(PLAIN)
def test_plain_data_are_kept(value):
    assert copied(value) == value


@pytest.mark.parametrize("name", FUNCTIONAL)
def test_functions_are_refused(name):
    with pytest.raises(ValueError, match="can't be written to a configuration"):
        to_config(FUNCTIONAL[name]())


def test_the_form_is_the_one_of_jsonargparse():
    schedule = schedules.linear((0.0, 1.0), (0.0, 2.0))
    config, tensors = to_config([sd.SoftDiffusion(sd.Scaling(), schedule)])
    line = "softdiffusion.schedules.Linear"

    def line_to(end):
        return {"start": 0.0, "end": end, "saturation": 1.0}

    assert tensors == {}
    assert config == [
        {
            "class_path": "softdiffusion.SoftDiffusion",
            "init_args": {
                "corruption": {"class_path": "softdiffusion.Scaling", "init_args": {}},
                "schedule": {
                    "class_path": "softdiffusion.Schedule",
                    "init_args": {
                        "severity": {"class_path": line, "init_args": line_to(1.0)},
                        "sigma": {"class_path": line, "init_args": line_to(2.0)},
                    },
                },
            },
        }
    ]


def test_jsonargparse_builds_it():
    from jsonargparse import ArgumentParser

    parser = ArgumentParser()
    parser.add_argument("--process", type=sd.SoftDiffusion)
    original = EXAMPLES["SoftDiffusion"]()
    config, _ = to_config(original)
    built = parser.instantiate(parser.parse_object({"process": config})).process
    assert torch.equal(output(built), output(original))


def test_tensors_are_named_by_their_path_and_copied():
    matrix = torch.eye(3)
    value = {"a": [sd.MatrixFamily(matrix), sd.MatrixFamily(matrix)]}
    config, tensors = to_config(value)
    assert sorted(tensors) == ["a.0.matrix", "a.1.matrix"]
    assert config["a"][1]["init_args"] == {"matrix": {"tensor": "a.1.matrix"}}
    matrix.zero_()
    assert torch.equal(tensors["a.0.matrix"], torch.eye(3))


class Forgetful:
    def __init__(self, size: int) -> None:
        self.length = size


class Greedy:
    def __init__(self, **options: int) -> None:
        self.options = options


class Kept:
    def __init__(self, size: int, name: str = "x") -> None:
        if size < 0:
            raise ValueError(f"The size must be >= 0, but is {size}.")
        self.size = size
        self.name = name


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"a": [1.0, math.nan]}, "The value at a.1 is nan, which JSON can't hold"),
        ({"a": -math.inf}, "The value at a is -inf"),
        ([Forgetful(3)], "at 0 is a Forgetful, which doesn't keep its argument 'size'"),
        (Greedy(a=1), r"takes \*args or \*\*kwargs"),
        ({"f": math.sin}, "The value at f is a builtins.builtin_function_or_method"),
        ({"d": Path("here")}, r"pathlib.PosixPath takes \*args or \*\*kwargs"),
        ({"d": np.zeros(3)}, "at d is a ndarray, which does"),
        ({"a": {"tensor": 1}}, "at a has the key 'tensor', which a configuration can't hold"),
        ({"a": {3: 1}}, "at a has the key 3, which a configuration can't hold"),
    ],
)
def test_what_cannot_be_written_is_named(value, sentence):
    with pytest.raises(ValueError, match=sentence):
        to_config(value)


def test_a_local_class_is_refused():
    class Local:
        pass

    with pytest.raises(ValueError, match="use a class that can be imported by its name"):
        to_config(Local())


@pytest.mark.parametrize(
    ("class_path", "init_args", "sentence"),
    [
        ("GaussianBlur", {"size": 3}, "GaussianBlur has no argument size; it takes none"),
        ("Scaling", [], "must be a dictionary"),
        ("StepMatched", {}, "StepMatched lacks its argument steps"),
        ("StepMatched", {"steps": 1, "b": 1, "a": 1}, "has no argument a, b; it takes soft_share"),
        ("StepMatched", {"steps": 0}, "must be at least 1, but is 0"),
        ("StepMatched", {"steps": "x"}, "steps of softdiffusion.StepMatched must be a number"),
        ("EDM", {"data_std": 2**63}, "data_std of .* is 922.*; write it with a decimal point"),
        ("GaussianBlurr", {}, "There is no class softdiffusion.GaussianBlurr"),
        ("nowhere.Blur", {}, "softdiffusion.nowhere.Blur can't be imported"),
        ("MatrixFamily", {"matrix": {"tensor": "m"}}, "names the tensor 'm', which is missing"),
    ],
)
def test_what_cannot_be_built_is_named(class_path, init_args, sentence):
    config = {"class_path": f"softdiffusion.{class_path}", "init_args": init_args}
    with pytest.raises(ValueError, match=sentence):
        from_config(config, {})


def test_further_keys_are_refused():
    config = {"class_path": "softdiffusion.Scaling", "init_args": {}, "dict_kwargs": {}}
    with pytest.raises(ValueError, match="also has dict_kwargs"):
        from_config(config, {})


@pytest.mark.parametrize(
    "class_path",
    [
        "subprocess.Popen",
        "os.system",
        "Popen",
        "softdiffusion",
        "softdiffusionx.Denoiser",
        "softdiffusion.",
        "softdiffusion..Denoiser",
        "softdiffusion.saving.Path",
        "softdiffusion.process.Tensor",
        "softdiffusion.load",
        "softdiffusion.schedules",
        "softdiffusion.saving.json.JSONDecoder",
        "softdiffusion.training.records.Records",
        "softdiffusion.priors.modes.Modes",
        "softdiffusion.__main__.Anything",
        7,
    ],
)
def test_other_than_public_classes_are_refused(class_path):
    with pytest.raises(ValueError):
        from_config({"class_path": class_path, "init_args": {}}, {})


def test_foreign_classes_need_trust():
    config, tensors = to_config([Kept(3)])
    module = Kept.__module__
    assert config[0]["class_path"] == f"{module}.Kept"
    with pytest.raises(ValueError, match="if you trust it, pass trust="):
        from_config(config, tensors)
    with pytest.raises(ValueError, match="pass trust="):
        from_config(config, tensors, trust=[module[:-1]])
    for trusted in (module, module.split(".")[0]):
        (copy,) = from_config(config, tensors, trust=[trusted])
        assert (type(copy), copy.size, copy.name) == (Kept, 3, "x")


def test_trust_ends_at_the_package(tmp_path, monkeypatch):
    (tmp_path / "trusted_package.py").write_text("from pathlib import Path\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = {"class_path": "trusted_package.Path", "init_args": {}}
    with pytest.raises(ValueError, match="defined in pathlib, outside of trusted_package"):
        from_config(config, {}, trust=["trusted_package"])


def test_a_refused_module_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "foreign_package.py").write_text("class Harm:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="trust"):
        from_config({"class_path": "foreign_package.Harm", "init_args": {}}, {})
    assert "foreign_package" not in sys.modules
