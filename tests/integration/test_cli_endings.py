"""Whatever ends a command ends it in one sentence and a code that is not zero."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

import softdiffusion as sd
from softdiffusion.cli.endings import sentence
from softdiffusion.cli.main import main
from softdiffusion.files import drafted
from tests.command import contents

SAMPLE = "sample --model {} --count 2 --steps 2 --sampler.progress false --out"


def system(number: int, name: str | None = "some/file") -> OSError:
    return OSError(number, os.strerror(number), name)


def raised(code: str) -> Exception:
    try:
        exec(code, {"torch": torch})
    except Exception as error:
        return error
    raise AssertionError(f"{code} raises nothing")


@pytest.mark.parametrize(
    "number",
    [
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EACCES,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EIO,
        errno.EXDEV,
    ],
    ids=errno.errorcode.get,
)
def test_an_error_of_the_system_names_file_reason_and_remedy(number):
    told = sentence(system(number), [])
    assert told.startswith(f"some/file: {os.strerror(number)}; ")
    assert len(told) > len(f"some/file: {os.strerror(number)}; .") and told.endswith(".")
    assert sentence(system(number, None), []).startswith(f"A file: {os.strerror(number)}; ")


def test_a_full_disk_in_another_language_names_the_file_too(tmp_path):
    """Safetensors writes by Rust, whose errors are no OSError."""
    with pytest.raises(OSError) as caught, drafted(tmp_path / "weights.safetensors"):
        safetensors.torch.save_file({"a": torch.zeros(4)}, "/dev/full/weights")
    assert caught.value.errno == errno.ENOTDIR
    assert sentence(caught.value, []).startswith(f"{tmp_path}/weights.safetensors: Not a directory")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("torch.empty(8192**4, dtype=torch.uint8)", "needs 4.5 PB of memory at once"),
        ("torch.empty(2**62)", "needs more memory at once than this machine has"),
        ("import numpy; numpy.empty((2**22, 2**22))", "needs 141 TB of memory at once"),
        ("raise MemoryError", "needs more memory at once than this machine has"),
    ],
)
def test_memory_that_is_not_there(code, told):
    error = raised(code)
    assert told in sentence(error, ["train", "--size", "8192", "--seed", "3"])
    assert sentence(error, ["train", "--size", "8192", "--seed", "3"]).endswith(
        "lower --size 8192."
    )
    assert sentence(error, ["train", "--backbone.width=9", "--batch_size", "7"]).endswith(
        "lower --backbone.width 9 or --batch_size 7."
    )
    assert sentence(error, ["train"]).endswith("lower --batch_size.")


@pytest.mark.parametrize(
    "code",
    [
        "{}['key']",
        "None.attribute",
        "1 + 'a'",
        "torch.zeros(2) @ torch.zeros(3)",
        "1 / 0",
        "assert False",
        "raise NotImplementedError",
        "raise ValueError",
        "[][0]",
        "next(iter([]))",
    ],
)
def test_what_nobody_foresaw_says_what_it_is_and_where_to_go(code):
    error = raised(code)
    told = sentence(error, [])
    assert told.startswith(type(error).__name__) and "\n" not in told
    assert "report it" in told and "--debug" in told and sd.__version__ in told


def test_nesting_without_end():
    def deeper() -> None:
        deeper()

    with pytest.raises(RecursionError) as caught:
        deeper()
    assert "nested too deeply" in sentence(caught.value, [])


def test_debug_prints_the_traceback_before_the_sentence(tmp_path, capsys):
    for command in (
        ["info", "--model", str(tmp_path), "--debug"],
        ["--debug", "info", "--model=x"],
    ):
        with pytest.raises(SystemExit) as stop:
            main(command)
        assert "is not a saved model" in str(stop.value)
        assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["", " "])
def test_an_empty_place_is_not_the_current_one(out, trained, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for given in (["--out", out], [f"--out={out.strip()}"]):
        with pytest.raises(SystemExit) as stop:
            main([*SAMPLE.format(trained).split()[:-1], *given])
        assert stop.value.code == 2
        assert "--out is empty; give it a value" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_places_that_can_not_be_written_to_are_found_before_the_work(tmp_path, refused):
    """The model is missing as well, which would be found next."""
    (tmp_path / "file").write_text("")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    before = contents(tmp_path)
    for place, told in {
        tmp_path / "file": "is a file; choose another place",
        tmp_path / "file" / "below": "is a file; choose another place",
        tmp_path / "round": "Too many levels of symbolic links; the links lead round in a circle",
        tmp_path / "round" / "below": "Too many levels of symbolic links",
        tmp_path / "nowhere": "No such file or directory; check the path",
        tmp_path / ("x" * 300): "File name too long; choose a shorter name",
        Path("/proc/new"): "; c",
        Path("/dev/null"): "is a file; choose another place",
    }.items():
        line = refused(f"{SAMPLE.format(tmp_path / 'none')} {place}")
        assert told in line, line
    assert contents(tmp_path) == before


def test_output_that_nobody_reads(trained):
    script = "import sys; from softdiffusion.cli.main import main; main(sys.argv[1:])"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", script, "info", "--model", str(trained)],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == "softdiffusion info: nobody reads the output any more\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1251"])
def test_another_code_page(encoding, trained, tmp_path):
    """Python as under a locale that is not UTF-8; files are UTF-8 all the same."""
    script = (
        "import locale, sys\n"
        "from softdiffusion.cli.main import main\n"
        "assert locale.getencoding().lower() not in ('utf-8', 'utf8'), locale.getencoding()\n"
        "main(sys.argv[1:])\n"
    )
    command = f"evaluate --model {trained} --count 16 --samplers naive --steps 1 --out {tmp_path}"
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", script, *command.split()],
        env=os.environ | plain | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert "Fréchet" in (tmp_path / "report.md").read_text(encoding="utf-8")
