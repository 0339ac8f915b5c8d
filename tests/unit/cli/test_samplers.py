"""Samplers by short names, with their steps under one name."""

import pytest

from softdiffusion import samplers
from softdiffusion.cli import sample
from softdiffusion.cli.samplers import sampler_class, set_steps
from softdiffusion.cli.spelling import SAMPLERS, words

NEEDED = "--model run --out samples"


def chosen(arguments: str):
    parser = sample.parser()
    read = parser.parse_args(f"{NEEDED} {arguments}".split())
    set_steps(parser, read)
    return read.sampler


def test_every_sampler_has_a_name():
    kinds = {name for name in samplers.__all__ if name.endswith("Sampler")} - {"Sampler"}
    assert set(SAMPLERS.values()) == kinds
    for name, kind in SAMPLERS.items():
        assert kind.lower() == name.replace("_", "") + "sampler"
        assert sampler_class(name) is sampler_class(kind) is getattr(samplers, kind)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_name_stands_for_the_class(name):
    more = "--sampler.nu 0.5" if name == "nu" else ""
    by_class = chosen(f"--sampler {SAMPLERS[name]} {more}")
    assert chosen(f"--sampler {name} {more}") == chosen(f"--sampler={name} {more}") == by_class
    assert by_class.class_path == f"softdiffusion.{SAMPLERS[name]}"


@pytest.mark.parametrize("name", ["multistep", "heun", "MomentumSampler"])
def test_steps_are_those_of_the_sampler(name):
    long = chosen(f"--sampler {name} --sampler.steps 7")
    assert chosen(f"--sampler {name} --steps 7") == long
    assert chosen(f"--sampler {name} --sampler.steps 7 --steps 7") == long
    assert long.init_args.steps == 7


def test_two_numbers_of_steps_are_refused():
    with pytest.raises(ValueError, match="--steps says 7, but --sampler.steps says 8; give one"):
        chosen("--sampler heun --sampler.steps 8 --steps 7")


def test_an_unknown_name_lists_those_that_there_are():
    with pytest.raises(ValueError, match="Unknown sampler 'Foo'; use one of ancestral, bridge"):
        sampler_class("Foo")


@pytest.mark.parametrize(
    "given", ["cat,dog", "[cat, dog]", ["cat", "dog"], ["[cat,dog]"], [["cat"], "dog,"]]
)
def test_a_list_is_read_in_every_spelling(given):
    assert words(given) == ["cat", "dog"]
