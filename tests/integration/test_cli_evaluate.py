"""Every row of an evaluation is kept, carries its floor, N and hash, and is measured once."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from PIL import Image

import softdiffusion as sd
from softdiffusion.cli.main import main
from softdiffusion.metrics import Report, Value

#: A value with its error, its floor, N on both sides, the extractor and its hash.
COMPLETE = (
    r"frechet [\d.]+ ± [\d.]+ \(floor [\d.]+ ± [\d.]+; N = 16 against 1497; digits-8 [0-9a-f]{12}\)"
)


def evaluate(model, out, arguments: str = "") -> None:
    command = f"evaluate --model {model} --out {out} --count 16"
    main([*command.split(), *arguments.split()])


def rows(out) -> dict[tuple[str, int], dict]:
    content = json.loads((out / "report.json").read_text())
    return {(row["sampler"], row["steps"]): row for row in content}


@pytest.fixture(scope="module")
def report(trained, tmp_path_factory):
    """An evaluation that no test may change."""
    out = tmp_path_factory.mktemp("report")
    evaluate(trained, out, "--samplers [NaiveSampler,MultistepSampler] --steps [2,3]")
    return out


def test_an_evaluation_writes_rows_a_page_a_plot_and_grids(report):
    assert list(rows(report)) == [
        (name, steps) for name in ("NaiveSampler", "MultistepSampler") for steps in (2, 3)
    ]
    names = {path.name for path in report.iterdir()}
    grids = {f"{name}-{steps}.png" for name, steps in rows(report)}
    assert names == grids | {"report.json", "report.md", "distance.png"}
    with Image.open(report / "distance.png") as plot:
        assert plot.size == (1024, 640)


def test_a_shift_is_another_sampler(report, trained, tmp_path):
    shutil.copytree(report, tmp_path, dirs_exist_ok=True)
    evaluate(trained, tmp_path, "--samplers [MultistepSampler] --shift 3 --steps [3]")
    even, shifted = (
        rows(tmp_path)[name, 3] for name in ("MultistepSampler", "MultistepSampler-shift-3")
    )
    assert shifted["distance"] != even["distance"]
    assert (tmp_path / "MultistepSampler-shift-3-3.png").is_file()


def test_no_value_is_without_its_floor_its_number_and_its_hash(report, trained, tmp_path, capsys):
    shutil.copytree(report, tmp_path, dirs_exist_ok=True)
    capsys.readouterr()
    evaluate(trained, tmp_path, "--samplers [NuSampler] --nu 0.5 --steps [2]")
    measured, wrote = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"NuSampler-0.5 +2 calls  {COMPLETE}  \([\d.]+ s\)", measured)
    assert wrote == f"wrote {tmp_path / 'report.md'}"
    for row in rows(tmp_path).values():
        read = Report.from_dict(row["report"])
        assert re.fullmatch(COMPLETE, str(read.values["frechet"]))
        assert row["distance"] == read.values["frechet"].value
        assert row["floor"] == read.values["frechet"].floor
        assert all(isinstance(value, Value) and value.n == 16 for value in read.values.values())
        assert read.to_dict() == row["report"]
    page = (tmp_path / "report.md").read_text()
    summary, *sections = page.split("## ")
    assert len(sections) == 5
    hash_ = next(iter(rows(tmp_path).values()))["report"]["extractor_sha256"][:12]
    for part in page.split("## "):
        assert hash_ in part and "floor" in part and "16" in part
    assert "N = 16 samples, and 16 real test images for the floor, against 1497 tr" in summary


def test_known_rows_are_not_measured_again(report, trained, tmp_path, capsys):
    shutil.copytree(report, tmp_path, dirs_exist_ok=True)
    before = rows(tmp_path)
    (tmp_path / "report.md").unlink()
    evaluate(trained, tmp_path, "--samplers [MultistepSampler] --steps [3,4]")
    told = capsys.readouterr().out
    assert told.count("MultistepSampler") == 1 and " 4 calls" in told
    after = rows(tmp_path)
    assert all(after[key] == row for key, row in before.items())
    assert list(after) == [*before, ("MultistepSampler", 4)]
    assert (tmp_path / "report.md").read_text().count("## ") == 5


@pytest.mark.parametrize("change", ["--count 17", "--seed 1", "model", "--data folder:PICTURES"])
def test_rows_of_other_conditions_are_measured_anew(change, report, trained, pictures, tmp_path):
    out, model = tmp_path / "report", tmp_path / "run"
    shutil.copytree(report, out)
    shutil.copytree(trained, model)
    arguments = "--samplers [NaiveSampler] --steps [2] "
    if change == "model":
        weights = model / "final" / "ema.safetensors"
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1  # the last bit of one weight
        weights.write_bytes(content)
    else:
        arguments += change.replace("PICTURES", str(digits_split(pictures, tmp_path)))
        arguments += " --extractor digits-8"
    evaluate(model, out, arguments)
    content = json.loads((out / "report.json").read_text())
    assert content[:-1] == list(rows(report).values())  # they are kept
    assert (content[-1]["sampler"], content[-1]["steps"]) == ("NaiveSampler", 2)
    assert content[-1] != rows(report)["NaiveSampler", 2]
    assert (out / "report.md").read_text().count("## ") == 1  # and not shown


def test_a_file_beside_the_model_changes_no_condition(report, trained, tmp_path, capsys):
    out, model = tmp_path / "report", tmp_path / "run"
    shutil.copytree(report, out)
    shutil.copytree(trained, model)
    (model / "final" / "README.md").write_text("What it was trained on.")
    evaluate(model, out, "--samplers [NaiveSampler] --steps [2]")
    assert rows(out) == rows(report)


def digits_split(pictures, tmp_path):
    """The pictures with as many for the test as an evaluation needs at least."""
    for index, file in enumerate(sorted(pictures.iterdir())):
        folder = tmp_path / "pictures" / ("test" if index % 2 else "train")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder)
    return tmp_path / "pictures"


def test_a_stop_loses_at_most_one_row(report, trained, tmp_path):
    """Killed after some rows, the same command measures the others, bit for bit as without."""
    arguments = "--samplers [NaiveSampler,MultistepSampler] --steps [2,3]"
    code = "import sys; from softdiffusion.cli.main import main; main(sys.argv[1:])"
    command = f"evaluate --model {trained} --out {tmp_path} --count 16 {arguments}"
    # One thread, as in these tests: how sums are rounded depends on the number of threads.
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen([sys.executable, "-c", code, *command.split()], env=one_thread)
    while not (tmp_path / "report.json").exists():
        assert killed.poll() is None
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    kept = rows(tmp_path)
    assert kept  # the file is whole at every moment
    evaluate(trained, tmp_path, arguments)
    after = rows(tmp_path)
    assert all(after[key] == row for key, row in kept.items())
    whole = rows(report)
    assert after.keys() == whole.keys()
    assert all(after[key]["report"] == row["report"] for key, row in whole.items())


def test_names_and_lists_in_every_spelling_are_the_same_rows(report, trained, tmp_path, capsys):
    shutil.copytree(report, tmp_path, dirs_exist_ok=True)
    before = rows(tmp_path)
    for names, steps in (
        ("naive multistep", "2 3"),
        ("naive,multistep", "2 [3]"),
        ("[naive,MultistepSampler]", "[2,3]"),
    ):
        capsys.readouterr()
        evaluate(trained, tmp_path, f"--samplers {names} --steps {steps} --dry_run true")
        assert "no sampler, all is measured" in capsys.readouterr().out
    assert rows(tmp_path) == before


def test_a_bound_on_the_real_images_is_a_condition_of_the_rows(report, trained, tmp_path):
    shutil.copytree(report, tmp_path, dirs_exist_ok=True)
    evaluate(trained, tmp_path, "--samplers naive --steps 2 --reference_count 20")
    *others, row = json.loads((tmp_path / "report.json").read_text())
    assert others == list(rows(report).values())
    assert row["conditions"]["reference_count"] == 20
    frechet = Report.from_dict(row["report"]).values["frechet"]
    assert (frechet.reference_n, frechet.floor_n) == (20, 16)
    assert row["report"]["sizes"] == {"images": 16, "reference": 20, "test": 20}


def test_a_sampler_whose_images_can_not_be_measured_is_left_out(
    trained, tmp_path, monkeypatch, refused
):
    """The rows of the others are there, and the code says that something is missing."""
    monkeypatch.setattr(sd.HeunSampler, "__call__", lambda self, x1, *_, **__: x1 * torch.nan)
    command = f"evaluate --model {trained} --out {tmp_path} --count 16 --steps 2"
    line = refused(f"{command} --samplers heun naive")
    assert re.search(r"1 of 2 rows are left out: HeunSampler with 2 steps \(.*finite", line), line
    assert list(rows(tmp_path)) == [("NaiveSampler", 2)]
    page = (tmp_path / "report.md").read_text()
    assert "Left out: HeunSampler with 2 steps" in page and page.count("## ") == 1


def test_what_is_missing_is_found_before_anything_is_drawn(trained, tmp_path, monkeypatch, refused):
    def drawn(*_: object, **__: object) -> None:
        raise AssertionError("drawn")

    monkeypatch.setattr(sd.NaiveSampler, "__call__", drawn)
    monkeypatch.setitem(sys.modules, "torchmetrics.image.fid", None)
    command = f"evaluate --model {trained} --out {tmp_path}/new --count 16 --samplers naive"
    assert "needs torchmetrics: pip install" in refused(command)
    assert not (tmp_path / "new").exists()
