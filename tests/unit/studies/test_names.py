"""Names of arms, labels and scales lead nowhere, whatever a stranger's file calls them."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion.studies import Arm, Evaluation, Study

HOSTILE = [
    "",
    ".",
    "..",
    "../escape",
    "../../escape",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "C:a",
    "~",
    "-rf",
    ".hidden",
    "a.",
    "a ",
    " a",
    "a\nb",
    "a\0b",
    "a\u202eb",
    "a\ud800",
    "NUL",
    "con.png",
    "a" * 300,
    "é" * 60,
    '"><script>alert(1)</script>',
    "a|b",
    "a*b",
]
INNOCENT = ["blurred-flow-0.7", "multistep, shift 0.5", "naive from data", "N = 10", "σ 0.2", "3px"]

#: Texts that lead elsewhere more often than other ones do.
names = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=20),
    st.lists(st.sampled_from(["..", "/", "a", "\\", ":", ".", " ", "é", "-"])).map("".join),
)


def study(folder: Path, arm: str, label: str, scale: str) -> Path:
    (folder / "base.yaml").write_text("data: digits\n")
    content = {
        "title": "A trial",
        "recipe": "base.yaml",
        "images": 100,
        "seeds": [0],
        "samples": 50,
        "evaluations": [{"sampler": "NaiveSampler", "calls": [5], "label": label}],
        "arms": {arm: None},
        "scales": {scale: {"samples": 20}},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    return folder / "study.yaml"


@given(names, names, names)
def test_nothing_is_written_outside(tmp_path_factory, arm, label, scale):
    folder = tmp_path_factory.mktemp("study")
    runs = folder / "runs"
    path = study(folder, arm, label, scale)
    try:
        read = Study.read(path, scale)
    except ValueError as error:
        assert "\n" not in str(error)
        return
    one = read.arms[arm]
    assert read.folder.resolve().parent == folder.resolve()
    for made, beside in (
        (read.run_folder(runs, one, 0), runs / arm / "seed-0"),
        (read.losses(arm, 0), read.folder / "losses" / f"{arm}-0.jsonl"),
        (read.picture(arm, one.evaluations[0].label, 5), read.folder / "samples" / "picture"),
    ):
        assert made.resolve().parent == beside.resolve().parent
        made.parent.mkdir(parents=True, exist_ok=True)
        made.with_name(f".{made.name}.draft").touch()  # it is a name that a system takes
    assert not (folder.parent / "escape").exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_file_s_name_is_refused_everywhere(tmp_path, name):
    for names in ((name, "l", "s"), ("a", name, "s"), ("a", "l", name)):
        if names[1] == "":
            continue  # the sampler's name
        with pytest.raises(ValueError) as error:
            Study.read(study(tmp_path, *names))
        assert "\n" not in str(error.value) and len(str(error.value)) < 600
    with pytest.raises(ValueError):
        Arm(name, {}, (0,), (Evaluation("NaiveSampler", (5,)),))


@pytest.mark.parametrize("name", INNOCENT)
def test_usual_names_are_taken(tmp_path, name):
    read = Study.read(study(tmp_path, name, name, name), name)
    assert list(read.arms) == [name]


@pytest.mark.parametrize("name", ["figures", "Samples", "losses", "study.yaml", "rows.jsonl"])
def test_a_scale_is_not_called_as_the_study_s_own_files(tmp_path, name):
    with pytest.raises(ValueError, match="as a part of the study itself is; rename it"):
        Study.read(study(tmp_path, "a", "l", name))


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        (("soft", "x"), ("Soft", "x"), "arms"),
        (("é", "x"), ("e\u0301", "x"), "arms"),
        (("a-b", "c"), ("a", "b-c"), "pictures"),
    ],
)
def test_names_that_would_share_a_file_are_refused(tmp_path, first, second, shared):
    path = study(tmp_path, "x", "y", "small")
    content = yaml.safe_load(path.read_text())
    content["arms"] = {
        arm: {"evaluations": [{"sampler": "NaiveSampler", "calls": [5], "label": label}]}
        for arm, label in (first, second)
    }
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=f"Two {shared}.* would share the name"):
        Study.read(path)
