import json
import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import convolve, gaussian_filter

import softdiffusion as sd
from softdiffusion.configuration import from_config, to_config
from softdiffusion.operators import DCT, Hartley
from softdiffusion.schedules import wasserstein_distance

#: Odd sides of a kernel, and sides of an image that may be shorter; SciPy continues both ways.
CASES = st.integers(1, 3).flatmap(
    lambda axes: st.tuples(
        st.lists(st.sampled_from([1, 3, 5]), min_size=axes, max_size=axes),
        st.lists(st.integers(3, 8), min_size=axes, max_size=axes),
        st.integers(0, 1000),
    )
)


def images(shape: list[int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((2, 3, *shape))


def kernel_of(shape: list[int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed + 5000).standard_normal(shape)


def assert_is_scipys(kernel: np.ndarray, x: np.ndarray, mode: str, severity: float = 0.7):
    y = sd.KernelBlur(torch.from_numpy(kernel)).at(severity)(torch.from_numpy(x)).numpy()
    for image, result in zip(x.reshape(6, *x.shape[2:]), y.reshape(6, *x.shape[2:]), strict=True):
        expected = (1 - severity) * image + severity * convolve(image, kernel, mode=mode)
        tolerance = 1e-12 * (1 + np.abs(kernel).sum()) * np.linalg.norm(x)
        assert np.linalg.norm(result - expected) <= tolerance


@given(CASES)
def test_symmetric_along_every_axis_it_is_scipys_with_mirrored_borders(case):
    sides, shape, seed = case
    kernel = kernel_of(sides, seed)
    for axis in range(len(sides)):
        kernel = kernel + np.flip(kernel, axis)
    assert sd.KernelBlur(torch.from_numpy(kernel)).transform == DCT()
    assert_is_scipys(kernel, images(shape, seed), mode="reflect")


@given(CASES)
def test_symmetric_about_its_centre_it_is_scipys_around_the_torus(case):
    sides, shape, seed = case
    kernel = kernel_of(sides, seed)
    kernel = kernel + np.flip(kernel)
    transform = sd.KernelBlur(torch.from_numpy(kernel)).transform
    if transform == Hartley():  # short kernels are symmetric along every axis, too
        assert_is_scipys(kernel, images(shape, seed), mode="wrap")
    else:
        assert transform == DCT() and sum(side > 1 for side in sides) <= 1


@given(CASES)
def test_without_symmetry_it_is_scipys_around_the_torus(case):
    sides, shape, seed = case
    kernel = kernel_of(sides, seed)
    if max(sides) == 1:
        return
    assert sd.KernelBlur(torch.from_numpy(kernel)).transform is None
    assert_is_scipys(kernel, images(shape, seed), mode="wrap")


def test_a_sampled_gaussian_is_scipys_filter():
    """Its two halves agree up to rounding alone."""
    j = np.linspace(-4.0, 4.0, 9)
    line = np.exp(-0.5 * (j / 1.5) ** 2)
    kernel = np.outer(line, line) / line.sum() ** 2
    x = images([11, 8], 0)
    expected = gaussian_filter(x[0, 0], 1.5, mode="reflect", radius=4)
    y = sd.KernelBlur(torch.from_numpy(kernel).float()).at(1.0)(torch.from_numpy(x))[0, 0]
    assert np.linalg.norm(y.numpy() - expected) <= 1e-6 * np.linalg.norm(x[0, 0])


def test_the_severity_goes_straight_to_the_kernel():
    x = torch.from_numpy(images([4, 5], 0))
    blur = sd.KernelBlur([[0.1, 0.2, 0.7]])
    half = (x + blur.at(1.0)(x)) / 2
    severity = torch.tensor([0.5, 0.0], dtype=torch.float64)
    assert torch.allclose(blur.at(severity)(x), torch.stack([half[0], x[1]]))


KERNEL = np.array([[0.0, 0.25, 0.125], [0.125, 0.5, 0.0], [0.0, 0.0, 0.0]])


def test_tensors_lists_and_files_give_the_same(tmp_path):
    np.save(tmp_path / "kernel.npy", KERNEL)
    grey = Image.fromarray((KERNEL * 240).astype(np.uint8))
    grey.save(tmp_path / "kernel.png")
    x = torch.from_numpy(images([5, 6], 0))
    expected = sd.KernelBlur(torch.from_numpy(KERNEL)).at(0.8)(x)
    for kernel in (KERNEL.tolist(), str(tmp_path / "kernel.npy"), tmp_path / "kernel.npy"):
        assert torch.equal(sd.KernelBlur(kernel).at(0.8)(x), expected)
    assert torch.allclose(sd.KernelBlur(tmp_path / "kernel.png").at(0.8)(x), expected)


def test_a_saved_configuration_does_not_need_the_file(tmp_path):
    np.save(tmp_path / "kernel.npy", KERNEL)
    blur = sd.KernelBlur(tmp_path / "kernel.npy")
    (tmp_path / "kernel.npy").unlink()
    config, tensors = to_config(blur)
    copy = from_config(json.loads(json.dumps(config)), tensors)
    x = torch.from_numpy(images([5, 6], 0))
    assert torch.equal(copy.at(0.8)(x), blur.at(0.8)(x))


@pytest.mark.parametrize("write", [str, lambda path: [[0, 1, 2], [0, 1, 0], [0, 0, 0]]])
def test_a_recipe_names_a_file_or_writes_the_kernel_out(tmp_path, write):
    from jsonargparse import ArgumentParser

    kernel = tmp_path / "kernel.npy"
    np.save(kernel, np.array([[0, 1, 2], [0, 1, 0], [0, 0, 0]]))
    parser = ArgumentParser()
    parser.add_argument("--corruption", type=sd.Corruption)
    config = {"class_path": "softdiffusion.KernelBlur", "init_args": {"kernel": write(kernel)}}
    built = parser.instantiate(parser.parse_object({"corruption": config})).corruption
    assert built.kernel.tolist() == [[0, 1, 2], [0, 1, 0], [0, 0, 0]]


def test_the_closed_distance_is_refused_where_the_spectrum_changes_sign(digits):
    soft, box = [[0.25, 0.5, 0.25]], [[1 / 5] * 5]
    assert wasserstein_distance(sd.KernelBlur(soft), digits, 0.2, 1.0, method="closed") > 0
    for kernel in (box, [[0.0, 0.5, 0.5]]):
        with pytest.raises(ValueError, match="KernelBlur does not meet the condition"):
            wasserstein_distance(sd.KernelBlur(kernel), digits, 0.2, 1.0, method="closed")


@pytest.mark.parametrize("kernel", [[0.5, 0.5], [[0.2, 0.3, 0.5]] * 2, 1.0])
def test_a_kernel_without_a_centre_is_refused(kernel):
    with pytest.raises(ValueError, match=r"needs an odd length on each axis, .* but its shape is"):
        sd.KernelBlur(torch.tensor(kernel))


def test_a_kernel_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="The kernel must be finite, but 1 of its 3 entries"):
        sd.KernelBlur([0.0, float("nan"), 1.0])


def test_images_with_another_number_of_axes_are_refused():
    with pytest.raises(ValueError, match=r"A kernel of 1 axes does not fit images of .* \(1, 4, 4"):
        sd.KernelBlur([0.5, 0.3, 0.2]).at(0.5)(torch.zeros(1, 1, 4, 4))


def test_a_black_image_is_refused(tmp_path):
    Image.new("L", (3, 3)).save(tmp_path / "black.png")
    with pytest.raises(ValueError, match="is black; give an image with a bright kernel"):
        sd.KernelBlur(tmp_path / "black.png")


def test_files_and_lists_that_are_no_kernels_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no kernel .*none.png; check the path"):
        sd.KernelBlur(tmp_path / "none.png")
    for name, message in (("text.png", "can't be read"), ("text.npy", "is no array of numbers")):
        (tmp_path / name).write_text("no kernel")
        with pytest.raises(ValueError, match=f"{name} {message}.*; give another file"):
            sd.KernelBlur(tmp_path / name)
    with pytest.raises(ValueError, match="The kernel is no array of numbers: .*length 1"):
        sd.KernelBlur([[0.5], [0.5, 1.0]])


def header(shape, kind="<f8", extra=""):
    """The start of a file in NumPy's format, for an array of which nothing follows."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}{extra}}}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\3\4",
        header("(1000001, 1000001)"),  # 8 TB
        header("(9223372036854775807,)"),
        header("(-3, -3)") + bytes(72),
        header("(3, 3)") + bytes(71),
        header("(3.5,)") + bytes(72),
        header("(3, 3)", "|O") + bytes(72),
        header("(3,)", "<c16") + bytes(48),
        header("(3,)", "<U4") + bytes(48),
        header("(3,)", "<f8', 'x': '") + bytes(24),
        header("(3,)", "<m8") + bytes(24),
        header("()*10**8"),
    ],
    ids=repr,
)
def test_odd_files_of_numpy_are_refused_before_anything_is_allocated(tmp_path, content):
    (tmp_path / "kernel.npy").write_bytes(content)
    with pytest.raises(ValueError, match="kernel.npy is no array of numbers") as caught:
        sd.KernelBlur(tmp_path / "kernel.npy")
    assert str(caught.value).isprintable()


def test_other_things_than_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / "kernel.npy")
    with pytest.raises(ValueError, match="kernel.npy is a pipe"):
        sd.KernelBlur(tmp_path / "kernel.npy")
    with pytest.raises(FileNotFoundError, match="There is no kernel .*absent.npy; check the path"):
        sd.KernelBlur(tmp_path / "absent.npy")


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (None, "is no array of numbers"),
        ([[1j]], "is no array of numbers"),
        (torch.ones(3, dtype=torch.complex64), "must be real numbers"),
        (np.ones(3, dtype=np.complex128), "must be real numbers"),
        (np.array([None, 1, 2]), "is no array of numbers"),
        ({}, "is no array of numbers"),
        ([1e30] * 3, r"add up to at most 1e\+15, .* but add up to 3e\+30"),
        (torch.zeros(0), "must not be empty"),
    ],
)
def test_arrays_that_are_no_kernels_are_refused(kernel, message):
    with pytest.raises(ValueError, match=message):
        sd.KernelBlur(kernel)


def test_arrays_of_numpy_are_kernels():
    for kernel in (KERNEL, KERNEL.astype(np.float32), np.asfortranarray(KERNEL)):
        assert torch.equal(sd.KernelBlur(kernel).kernel.double(), torch.from_numpy(KERNEL))
    assert sd.KernelBlur(np.array([0, 1, 0])).kernel.tolist() == [0, 1, 0]


def test_an_image_is_a_kernel_as_it_is_seen(tmp_path):
    """On white where it is transparent, upright, and by its palette."""
    strokes = np.zeros((3, 3, 4), np.uint8)
    strokes[..., 3] = 255
    strokes[1, 1, 3] = 0
    Image.fromarray(strokes).save(tmp_path / "hole.png")
    kernel = sd.KernelBlur(tmp_path / "hole.png").kernel
    assert kernel.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    lying = np.zeros((3, 5), np.uint8)
    lying[0] = 255
    tags = Image.Exif()
    tags[274] = 6  # to be turned by 90 degrees
    Image.fromarray(lying).save(tmp_path / "lying.png", exif=tags)
    kernel = sd.KernelBlur(tmp_path / "lying.png").kernel
    assert kernel.shape == (5, 3) and kernel[:, 2].tolist() == [0.2] * 5
