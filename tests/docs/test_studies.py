"""The study of the guide can be read, at both of its scales."""

import re
from pathlib import Path

from softdiffusion.studies import Study

ROOT = Path(__file__).parents[2]


def test_the_guide_s_study(tmp_path):
    (text,) = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "studies.md").read_text(), re.DOTALL
    )
    path = tmp_path / "studies" / "losses" / "study.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    study = Study.read(str(path))
    assert list(study.arms) == ["step-matched", "l2"]
    assert [e.label for e in study.arms["l2"].evaluations] == ["multistep", "nu 0.5"]
    assert Study.read(path, "small").arms["l2"].recipe["images"] == 2000


def test_every_study_of_the_project_can_be_read():
    for path in (ROOT / "studies").glob("*/study.yaml"):
        study = Study.read(path)
        assert study.arms and Study.read(path, "small").samples <= study.samples
