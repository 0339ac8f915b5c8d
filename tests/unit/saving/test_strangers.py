"""Folders that a stranger may have made: a working model, or one sentence, within bounds."""

import json
import os
import random
import resource
import shutil
import socket
import struct

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import softdiffusion as sd
from softdiffusion.tensors import read_header
from tests.audit import watched
from tests.hostile import models, mutate, verdict
from tests.registry import EXAMPLES, IMAGES, TIMES, process, small_network


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    home = tmp_path_factory.mktemp("originals")
    for name, (denoiser, prior) in models().items():
        sd.save(home / name, denoiser, prior)
    return sorted(home.iterdir())


@pytest.fixture
def saved(tmp_path):
    sd.save(tmp_path / "model", sd.Denoiser(small_network(), process()), EXAMPLES["MixturePrior"]())
    return tmp_path / "model"


def refused(folder, match, kind=ValueError):
    with watched() as events, pytest.raises(kind, match=match) as error:
        sd.load(folder)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith(".")
    inside = (str(folder), str(folder.resolve()))
    foreign = [
        e for e in events if e.startswith("open") and not any(place in e for place in inside)
    ]
    assert not foreign


def edited(folder, change):
    file = folder / "config.json"
    config = json.loads(file.read_text())
    change(config)
    file.write_text(json.dumps(config))


def retold(file, change):
    """Another header before the same bytes."""
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    text = change(content[8 : 8 + length].decode()).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def test_the_originals_work(originals):
    assert {verdict(folder) for folder in originals} == {"works"}


@settings(max_examples=100, deadline=10_000)
@given(seed=st.integers(0, 2**32 - 1), changes=st.integers(1, 2))
def test_a_changed_folder_is_a_working_model_or_refused(originals, tmp_path_factory, seed, changes):
    chance = random.Random(seed)
    folder = tmp_path_factory.mktemp("changed") / "model"
    shutil.copytree(chance.choice(originals), folder)
    told = [mutate(folder, chance) for _ in range(changes)]
    assert verdict(folder) in ("works", "refused", "refused when used"), told
    shutil.rmtree(folder.parent)


NETWORK = {"class_path": "softdiffusion.SmallUNet"}
SIZES = {
    "width": {**NETWORK, "init_args": {"channels": 1, "width": 5000}},
    "wider": {**NETWORK, "init_args": {"channels": 1, "width": 8 * 10**9}},
    "levels": {**NETWORK, "init_args": {"channels": 1, "width": 8, "multipliers": [1] * 10**6}},
    "blocks": {**NETWORK, "init_args": {"channels": 1, "width": 8, "blocks": 10**9}},
    "classes": {**NETWORK, "init_args": {"channels": 1, "width": 8, "classes": 10**12}},
    "channels": {**NETWORK, "init_args": {"channels": 10**12, "width": 8}},
    "digits": {**NETWORK, "init_args": {"channels": 10**4000, "width": 8}},
}


def memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # in GiB


@pytest.mark.parametrize("name", SIZES)
def test_a_network_is_no_larger_than_its_weights(name, saved):
    before = memory()
    edited(saved, lambda config: config["denoiser"]["init_args"].update(backbone=SIZES[name]))
    refused(saved, r"config\.json can't be loaded: |no JSON|damaged")
    assert memory() - before < 1


@pytest.mark.parametrize(
    ("class_path", "arguments"),
    [
        ("Greyscale", {"channels": 10**5}),
        ("Greyscale", {"channels": 10**18}),
        ("presets.ScaleSpace", {"levels": 10**9}),
        ("presets.ScaleSpace", {"levels": 10**15}),
        ("presets.GaussianMasks", {"count": 10**400}),
        ("RandomProjection", {"seed": 10**30}),
        ("RandomPixels", {"seed": 10**30}),
        ("ChannelMixing", {"matrix": [[0.0] * 10**5]}),
        ("MaskImage", {"mask": "/dev/zero"}),
        ("KernelBlur", {"kernel": "/dev/zero"}),
        ("Composition", {"corruptions": [{"class_path": "softdiffusion.Scaling"}] * 10**4}),
    ],
)
def test_other_parts_are_no_larger_than_they_may(class_path, arguments, saved):
    before = memory()
    part = {"class_path": f"softdiffusion.{class_path}", "init_args": arguments}
    for owner in ("denoiser", "prior"):
        edited(
            saved,
            lambda config, owner=owner: config[owner]["init_args"]["process"]["init_args"].update(
                corruption=part
            ),
        )
    refused(saved, r"config\.json can't be loaded: ")
    assert memory() - before < 1


@pytest.mark.parametrize("depth", [50, 500, 10_000])
def test_a_deep_configuration(depth, saved):
    text = (saved / "config.json").read_text()
    (saved / "config.json").write_text(text.replace('"0.1.0"', "[" * depth + "]" * depth))
    edited_text = (saved / "config.json").read_text()
    assert edited_text != text
    if depth > 900:
        refused(saved, r"config\.json is damaged")
    (saved / "config.json").write_text(
        '{"format_version": 1, "denoiser": ' + '{"a": ' * depth + "1" + "}" * depth + "}"
    )
    refused(saved, "levels, more than a model|damaged|must be a BaseDenoiser")


def test_a_configuration_too_large(saved):
    with (saved / "config.json").open("a") as file:
        file.write(" " * 5 * 2**20)
    refused(saved, "larger than 4,194,304 bytes")


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
def test_numbers_that_are_none(word, saved):
    text = (saved / "config.json").read_text()
    (saved / "config.json").write_text(text.replace('"start": 0.2', f'"start": {word}'))
    refused(saved, r"config\.json is damaged")


def test_keys_that_are_there_twice(saved):
    text = (saved / "config.json").read_text()
    (saved / "config.json").write_text(text.replace('"denoiser": ', '"denoiser": {}, "denoiser": '))
    refused(saved, "the key 'denoiser' is there twice")


def test_unknown_keys(saved):
    edited(saved, lambda config: config.update(prio=config.pop("prior")))
    refused(saved, "it has the key 'prio'")


# Files that are none


@pytest.mark.parametrize("name", ["config.json", "ema.safetensors", "config.safetensors"])
def test_what_is_no_file_is_not_waited_for(name, saved):
    (saved / name).unlink()
    os.mkfifo(saved / name)
    refused(saved, "a pipe, a socket or a device, where a file is needed")
    (saved / name).unlink()
    with socket.socket(socket.AF_UNIX) as end:
        place = os.getcwd()
        os.chdir(saved)  # a socket's path must be short
        try:
            end.bind(name)
        finally:
            os.chdir(place)
        refused(saved, "a pipe, a socket or a device, where a file is needed")
    (saved / name).unlink()
    (saved / name).mkdir()
    refused(saved, "is a folder, where a file is needed")


@pytest.mark.parametrize("name", ["config.json", "ema.safetensors", "config.safetensors"])
def test_links_that_lead_out_are_refused(name, saved):
    outside = saved.parent / "outside"
    (saved / name).rename(outside)
    for target in (outside, "../outside", "/dev/zero", "/nowhere", name):
        (saved / name).unlink(missing_ok=True)
        (saved / name).symlink_to(target)
        refused(saved, "a link that leads out of|There is no file", (ValueError, FileNotFoundError))


def test_links_within_the_folder_and_to_it_are_followed(saved):
    (saved / "config.json").rename(saved / "c.json")
    (saved / "config.json").symlink_to("c.json")
    (saved.parent / "link").symlink_to(saved)
    assert verdict(saved.parent / "link") == "works"


# Headers


def test_headers_that_lie(saved):
    file = saved / "ema.safetensors"
    entry = '"backbone.first.bias":{"dtype":"F32","shape":[8],"data_offsets":['
    assert entry in file.read_bytes().decode("latin-1")
    content = file.read_bytes()
    for change in (
        lambda text: text.replace("{", f"{{{entry}0,32]}},", 1),
        lambda text: text.replace('"shape":[8]', '"shape":[9]'),
        lambda text: text.replace('"shape":[8]', '"shape":[-8]'),
        lambda text: text.replace('"shape":[8]', f'"shape":[{2**40},{2**40}]'),
        lambda text: text.replace('"shape":[8]', f'"shape":[0,{10**30}]'),
        lambda text: text.replace('"shape":[8]', '"shape":null'),
        lambda text: text.replace('"data_offsets":[0,', '"data_offsets":[4,'),
        lambda text: text.replace('"F32"', "7", 1),
        lambda text: text + text,
        lambda text: "[" * 100_000,
    ):
        retold(file, change)
        assert file.read_bytes() != content
        refused(saved, r"ema\.safetensors (is damaged|holds)")
        file.write_bytes(content)
    retold(file, lambda text: text.replace('"F32"', '"F8_E4M3"'))
    refused(saved, "in the type 'F8_E4M3', which is not read; save it as F64")
    file.write_bytes(struct.pack("<Q", 2**63) + content[8:])
    refused(saved, "its header has 9,223,372,036,854,775,808 bytes")


@given(
    st.dictionaries(
        st.text(),
        st.tuples(
            st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.bool]),
            st.lists(st.integers(0, 3), max_size=3),
        ),
    ).filter(lambda tensors: "__metadata__" not in tensors)
)
def test_a_header_says_what_is_there(tmp_path_factory, told):
    path = tmp_path_factory.mktemp("header") / "t.safetensors"
    tensors = {name: torch.zeros(shape, dtype=dtype) for name, (dtype, shape) in told.items()}
    safetensors.torch.save_file(tensors, path)
    found = {name: (entry.dtype, list(entry.shape)) for name, entry in read_header(path).items()}
    assert found == told


# Numbers


def stored(file, change):
    tensors = safetensors.torch.load_file(file)
    name = sorted(tensors)[0]
    safetensors.torch.save_file(tensors | {name: change(tensors[name])}, file)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["ema.safetensors", "config.safetensors"])
def test_numbers_that_are_not_finite(name, number, saved):
    stored(saved / name, lambda old: torch.full_like(old, number))
    refused(saved, "holds NaN or infinity")


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64])
@pytest.mark.parametrize("name", ["ema.safetensors", "config.safetensors"])
def test_numbers_that_are_not_real(name, dtype, saved):
    stored(saved / name, lambda old: old.to(dtype))
    refused(saved, f"{dtype}")


def test_a_network_of_several_precisions(saved):
    stored(saved / "ema.safetensors", torch.Tensor.double)
    refused(saved, "those of backbone mix torch.float32 and torch.float64")


def test_tensors_have_one_place_each(saved):
    stored(saved / "config.safetensors", torch.Tensor.clone)
    edited(saved, lambda c: c["prior"]["init_args"].update(mean={"tensor": "prior.modes"}))
    refused(saved, "names the tensor 'prior.modes' twice")
    edited(saved, lambda c: c["prior"]["init_args"].update(mean={"tensor": "prior.nothing"}))
    refused(saved, "names the tensor 'prior.nothing', which is missing")
    edited(saved, lambda c: c.update(prior=None))
    refused(saved, "it doesn't name the tensor 'prior")


def test_buffers_that_differ_from_the_arguments_they_are(tmp_path):
    sd.save(tmp_path / "model", EXAMPLES["GaussianDenoiser"]())
    stored(tmp_path / "model/ema.safetensors", torch.neg)
    refused(tmp_path / "model", "mean differs from that of config.safetensors")


# What must go on working


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_precision_is_kept(dtype, tmp_path):
    original = sd.Denoiser(small_network(), process()).to(dtype)
    sd.save(tmp_path / "model", original, EXAMPLES["GaussianPrior"]())
    loaded, _ = sd.load(tmp_path / "model")
    assert {p.dtype for p in loaded.parameters()} == {dtype}
    with torch.no_grad():
        x, t = IMAGES.to(dtype), TIMES
        assert torch.equal(loaded(x, t), original(x, t))


def test_the_device_and_the_path_are_checked(saved):
    for device in ("cuda:77", "gpu", "meta"):
        with pytest.raises(ValueError, match=f"The device '{device}' can't be used .*; use cpu"):
            sd.load(saved, device)
    with pytest.raises(TypeError, match="path must be a str or a Path, but is None"):
        sd.load(None)
    with pytest.raises(ValueError, match="path must be that of a folder, but is ''"):
        sd.load("")
    with pytest.raises(FileNotFoundError, match="is not a saved model"):
        sd.load("/dev/null")
