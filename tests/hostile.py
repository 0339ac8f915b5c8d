"""Model folders as a stranger may have changed them."""

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

import softdiffusion as sd
from softdiffusion.saving import MODEL_FILES, load
from softdiffusion.slots import CLASSES
from tests.registry import EXAMPLES, IMAGES, TIMES, gaussian_denoiser, process, small_network

#: What stands in the place of a value.
WORDS = (
    None, True, False, 0, -1, 1, 2, 7, 1e308, -1e308, 1e-320, 2**31, 2**63, 10**12, 10**30, "",
    "nan", "inf", "-inf", "x" * 300, "a\nb", "/etc/passwd", "../..", [], [[]], {}, [None],
    [0] * 50_000, list(range(9)), [[0.5] * 40] * 40, {"tensor": "nothing"}, {"tensor": None},
    {"class_path": None},
    {"class_path": "os.system", "init_args": {"command": "true"}},
    {"class_path": "softdiffusion.metrics.InceptionFile", "init_args": {"path": "/etc/passwd"}},
    {"class_path": "torch.nn.Identity"},
    {"class_path": "softdiffusion.schedules.DDPMNoise", "init_args": {"levels": 10**9}},
    {"class_path": "softdiffusion.Greyscale", "init_args": {"channels": 10**5}},
    {"class_path": "softdiffusion.SmallUNet", "init_args": {"channels": 1, "blocks": 10**9}},
    {"class_path": "softdiffusion.SmallUNet", "init_args": {"channels": 1, "width": 5000}},
)  # fmt: skip

#: What JSON of Python's own kind may say, or what no dictionary can hold twice.
RAW = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "[" * 3000 + "]" * 3000,
    "9" * 5000,
    '{"a": 1, "a": 2}',
)


def models() -> dict[str, tuple[sd.BaseDenoiser, sd.Prior | None]]:
    """What is saved before it is changed."""

    def masked(corruption: sd.Corruption) -> sd.Denoiser:
        schedule = sd.schedules.linear((0.0, 0.8), (0.1, 0.5))
        return sd.Denoiser(small_network(), sd.SoftDiffusion(corruption, schedule), sd.EDM())

    plain = sd.Denoiser(small_network(), process())
    found: dict[str, tuple[sd.BaseDenoiser, sd.Prior | None]] = {
        "gaussian": (plain, EXAMPLES["GaussianPrior"]()),
        "mixture": (sd.Denoiser(small_network(), process()).half(), EXAMPLES["MixturePrior"]()),
        "oracle": (gaussian_denoiser(), None),
        "mask": (masked(EXAMPLES["MaskImage"]()), None),
        "kernel": (masked(EXAMPLES["KernelBlur"]()), None),
        "matrix": (masked(EXAMPLES["MatrixFamily"]()), None),
        "guided": (EXAMPLES["GuidedDenoiser"](), None),
        "posterior": (EXAMPLES["PosteriorDenoiser"](), None),
    }
    for name in ("scale_space", "blurring", "cold_inpainting", "edm", "vp", "soft_blur"):
        preset = getattr(sd.presets, name)()
        found[name] = preset.denoiser(small_network()), None
    return found


def with_diffusers() -> tuple[sd.BaseDenoiser, None]:
    """A model of the library diffusers, whose import takes seconds."""
    return sd.Denoiser(EXAMPLES["DiffusersUNet"](), process()), None


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a configuration with every key of it."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutate(folder: Path, chance: random.Random) -> str:
    """Changes a model folder in place and says how."""
    change = chance.choice((_value, _value, _value, _raw, _key, _class, _header, _numbers, _bytes))
    try:
        return change(folder, chance)
    except (ValueError, LookupError, TypeError, RecursionError, SafetensorError, struct.error):
        return "nothing more, since it can't be read any more"


def _value(folder: Path, chance: random.Random) -> str:
    config = json.loads((folder / "config.json").read_text())
    container, key = chance.choice(list(places(config)))
    word = chance.choice(WORDS)
    if chance.random() < 0.1:
        for _ in range(chance.choice((5, 100, 900))):
            word = chance.choice(([word], {"a": word}))
    container[key] = word
    (folder / "config.json").write_text(json.dumps(config))
    return f"{key} becomes {str(word)[:60]}"


def _raw(folder: Path, chance: random.Random) -> str:
    config = json.loads((folder / "config.json").read_text())
    container, key = chance.choice(list(places(config)))
    container[key] = "HERE"
    word = chance.choice(RAW)
    (folder / "config.json").write_text(json.dumps(config).replace('"HERE"', word))
    return f"{key} becomes {word[:20]} as text"


def _key(folder: Path, chance: random.Random) -> str:
    config = json.loads((folder / "config.json").read_text())
    container, key = chance.choice([(c, k) for c, k in places(config) if isinstance(c, dict)])
    value = container.pop(key)
    if chance.random() < 0.5:
        container[chance.choice(("x", "class_path", "tensor", "init_args", f"{key} "))] = value
    (folder / "config.json").write_text(json.dumps(config))
    return f"{key} is removed or renamed"


def _class(folder: Path, chance: random.Random) -> str:
    config = json.loads((folder / "config.json").read_text())
    container, key = chance.choice([(c, k) for c, k in places(config) if k == "class_path"])
    part = chance.choice(list(CLASSES))
    container[key] = f"softdiffusion.{part}.{chance.choice(CLASSES[part])}"
    if chance.random() < 0.7:
        container["init_args"] = {}
    (folder / "config.json").write_text(json.dumps(config))
    return f"a class becomes {container[key]}"


def _tensors(folder: Path, chance: random.Random) -> Path:
    return chance.choice(sorted(folder.glob("*.safetensors")))


def _header(folder: Path, chance: random.Random) -> str:
    file = _tensors(folder, chance)
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    container, key = chance.choice(list(places(header)) or [(header, "x")])
    container[key] = chance.choice(
        (*WORDS, "F16", "BF16", "I64", "BOOL", "C64", "F8_E4M3", [2**40, 2**40], [0, 2**62])
    )
    text = json.dumps(header)
    if chance.random() < 0.2:
        text = text[:1] + f'"{next(iter(header), "x")}": ' + '{"dtype": "F32"}, ' + text[1:]
    size = chance.choice((len(text), len(text), 2**63, len(text) + 5))
    file.write_bytes(struct.pack("<Q", size) + text.encode() + content[8 + length :])
    return f"{key} in the header of {file.name}"


def _numbers(folder: Path, chance: random.Random) -> str:
    file = _tensors(folder, chance)
    tensors = safetensors.torch.load_file(file)
    name = chance.choice(sorted(tensors) or ["x"])
    old = tensors.get(name, torch.zeros(1))
    new = {
        "nan": lambda: torch.full_like(old, float("nan") if old.is_floating_point() else 0),
        "infinity": lambda: torch.full_like(old, float("inf") if old.is_floating_point() else 0),
        "integer": lambda: old.to(torch.int64),
        "boolean": lambda: old.bool(),
        "complex": lambda: old.to(torch.complex64),
        "double": lambda: old.double(),
        "negative": lambda: -old,
        "huge": lambda: torch.full_like(old, 1e30 if old.dtype == torch.float32 else 1),
        "empty": lambda: old.new_zeros(0),
        "longer": lambda: torch.cat([old.flatten(), old.flatten()]),
        "scalar": lambda: old.new_zeros(()),
    }
    kind = chance.choice(sorted(new))
    tensors[name] = new[kind]()
    if chance.random() < 0.1:
        tensors[f"{name}.more"] = tensors.pop(name)
    safetensors.torch.save_file(tensors, file)
    return f"{name} in {file.name} becomes {kind}"


def _bytes(folder: Path, chance: random.Random) -> str:
    file = folder / chance.choice([n for n in MODEL_FILES if (folder / n).exists()])
    content = bytearray(file.read_bytes())
    if chance.random() < 0.3:
        del content[chance.randrange(len(content)) :]
    for _ in range(chance.choice((1, 1, 3, 50))):
        if content:
            content[chance.randrange(min(len(content), 4000))] ^= 1 << chance.randrange(8)
    file.write_bytes(bytes(content))
    return f"bytes of {file.name}"


def verdict(folder: Path) -> str:
    """What loading ends in: a sentence, or a model and what becomes of its first use.

    Raises:
        AssertionError: If it ends in something else than a model or one sentence.
    """
    try:
        denoiser, prior = load(folder)
    except (ValueError, FileNotFoundError) as error:
        text = str(error)
        assert text and "\n" not in text and text.endswith("."), repr(text)
        assert len(text) < 1500, text
        return "refused"
    try:
        with torch.no_grad():
            x = IMAGES.to(next(iter(denoiser.state_dict().values()), IMAGES).dtype)
            denoiser(x, TIMES.to(x), None)
            if prior is not None:
                prior.sample(2, sd.generators(0, range(2)))
    except ValueError:
        return "refused when used"
    except Exception as error:
        return f"fails when used: {type(error).__name__}: {str(error)[:100]}"
    return "works"
