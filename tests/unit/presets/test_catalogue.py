import pytest

from softdiffusion.configuration import to_config
from softdiffusion.presets import PRESETS, inverse_heat, named


@pytest.mark.parametrize("name", PRESETS)
def test_a_name_gives_the_values_of_the_paper(name):
    preset = named(name)
    assert to_config(preset.process) == to_config(PRESETS[name]().process)
    path = {"class_path": f"softdiffusion.presets.{name}", "init_args": None}
    assert to_config(named(path).process) == to_config(preset.process)


def test_values_replace_those_of_the_paper():
    values = {"blur_max": 6.0, "levels": 30}
    preset = named({"class_path": "softdiffusion.presets.inverse_heat", "init_args": values})
    assert to_config(preset.process) == to_config(inverse_heat(**values).process)


@pytest.mark.parametrize("entry", ["ddpm", {"class_path": "softdiffusion.presets.ddpm"}])
def test_another_name_is_refused(entry):
    with pytest.raises(ValueError, match="There is no preset 'ddpm'; there are ve, vp, "):
        named(entry)
