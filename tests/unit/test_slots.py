"""Every class of the package in every slot of a configuration: refused, or harmless."""

import inspect
import json
import pkgutil
from importlib import import_module

import pytest
import torch
from torch import nn

import softdiffusion as sd
from softdiffusion.configuration import from_config, to_config
from softdiffusion.slots import CLASSES, arguments_of, class_of
from tests.audit import watched
from tests.registry import EXAMPLES, FUNCTIONAL

pytestmark = pytest.mark.filterwarnings("ignore")  # of modules that are imported for their classes


class Canary(nn.Module):
    """What must not run: it is traced into a file, as a stranger's network is."""

    def forward(self, x):
        return x + 1


@pytest.fixture(scope="module")
def canary(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("canary") / "network.pt"
    torch.jit.trace(Canary(), torch.zeros(1)).save(path)
    return str(path)


def all_classes() -> dict[str, type]:
    """Every class that some module of the package defines or exports, by all its paths."""
    found = {}
    for module in pkgutil.walk_packages(sd.__path__, "softdiffusion."):
        if module.name.endswith("__main__"):
            continue
        loaded = import_module(module.name)
        for name, value in vars(loaded).items():
            if inspect.isclass(value):
                found[f"{module.name}.{name}"] = value
    return found | {f"softdiffusion.{n}": v for n, v in vars(sd).items() if inspect.isclass(v)}


def named(class_path: str, cls: type, word: str) -> dict:
    """The configuration of a class whose arguments are all one word."""
    try:
        names = inspect.signature(cls).parameters
    except (ValueError, TypeError):
        names = {}
    return {"class_path": class_path, "init_args": dict.fromkeys(names, word)}


def harmless(config, tensors) -> bool:
    """Whether it is refused in one sentence, or built, without anything being opened or run."""
    with watched() as events:
        try:
            from_config(config, tensors)
        except ValueError as error:
            assert "\n" not in str(error), error
            assert str(error).endswith("."), error
    return not events


def test_the_list_holds_every_public_class_that_a_configuration_can_hold():
    listed = {name for names in CLASSES.values() for name in names}
    assert listed == set(EXAMPLES) | {"LinearPhysics"}


def test_only_the_classes_of_the_list_may_be_named():
    for class_path, cls in all_classes().items():
        part, _, name = class_path.removeprefix("softdiffusion.").rpartition(".")
        if name in CLASSES.get(part, ()) or (not part and any(name in n for n in CLASSES.values())):
            assert class_of(class_path) is cls
            continue
        with watched() as events, pytest.raises(ValueError, match=class_path) as error:
            from_config({"class_path": class_path, "init_args": {}}, {})
        assert not events
        assert str(error.value).endswith(".")


def examples() -> dict[str, tuple]:
    names = set(EXAMPLES) - {"DiffusersUNet"}  # the import of diffusers would be seen as harm
    return {name: to_config(EXAMPLES[name]()) for name in sorted(names)}


def test_every_class_in_every_slot_is_refused_or_harmless(canary):
    """Each class of the package in the place of each argument of each class of the list."""
    public = {
        path: cls
        for path, cls in all_classes().items()
        if cls.__module__.startswith("softdiffusion") and path.count(".") <= 2
    }
    named_by_path = [named(path, cls, canary) for path, cls in public.items()]
    assert len(named_by_path) > 150
    known = {}  # arguments of one annotation are one slot
    for config, tensors in examples().values():
        for argument, slot in arguments_of(class_of(config["class_path"])).items():
            known[slot] = config, tensors, argument
    for slot, (config, tensors, argument) in known.items():
        for part in named_by_path:
            for value in (part, [part]):
                arguments = {**config["init_args"], argument: value}
                assert harmless({**config, "init_args": arguments}, tensors), (part, slot)


def test_an_example_of_every_class_in_every_slot_is_refused_or_fits():
    """Valid parts in the places of others: what is built has the type that its argument takes."""
    parts = examples()
    known = {}
    for config, tensors in parts.values():
        for argument, slot in arguments_of(class_of(config["class_path"])).items():
            known[slot] = config, tensors, argument
    for slot, (config, tensors, argument) in known.items():
        for part in (part for part, own in parts.values() if not own):
            cls = class_of(part["class_path"])
            fits = any(
                isinstance(kind, type)
                and not getattr(kind, "_is_protocol", False)
                and issubclass(cls, kind)
                for kind in slot
            )
            changed = {**config, "init_args": {**config["init_args"], argument: part}}
            with watched() as events:
                try:
                    from_config(changed, tensors)
                    assert fits, (slot, part)
                except ValueError as error:
                    assert "\n" not in str(error)
            assert not events


@pytest.mark.parametrize("name", sorted(n for names in CLASSES.values() for n in names))
def test_no_argument_opens_a_path(name, canary):
    part = next(part for part, names in CLASSES.items() if name in names)
    class_path = f"softdiffusion.{part}.{name}"
    cls = class_of(class_path)
    for value in (canary, [canary], [[canary]], {"path": canary}, {"tensor": canary}):
        config = {"class_path": class_path, "init_args": dict.fromkeys(arguments_of(cls), value)}
        assert harmless(config, {})


@pytest.mark.parametrize("name", ["MaskImage", "KernelBlur"])
def test_masks_and_kernels_are_no_paths(name, canary):
    (argument,) = arguments_of(getattr(sd, name))
    config = {"class_path": f"softdiffusion.{name}", "init_args": {argument: canary}}
    with watched() as events, pytest.raises(ValueError, match=f"{argument} of .* must be a .*list"):
        from_config(config, {})
    assert not events


def test_foreign_code_needs_trust():
    """A physics is no class of the package, so that its corruption can't be built without trust."""
    assert "LinearPhysics" in FUNCTIONAL
    for name, (config, tensors) in examples().items():
        physics = {"class_path": "softdiffusion.LinearPhysics", "init_args": {"physics": config}}
        with pytest.raises(ValueError, match="as physics of softdiffusion.LinearPhysics"):
            from_config(physics, tensors), name


def test_a_spelling_that_is_not_the_written_one_is_understood():
    for class_path in ("softdiffusion.GaussianBlur", "softdiffusion.corruptions.GaussianBlur"):
        assert type(from_config({"class_path": class_path}, {})) is sd.GaussianBlur


def test_the_list_is_plain():
    assert json.loads(json.dumps(CLASSES)) == CLASSES
