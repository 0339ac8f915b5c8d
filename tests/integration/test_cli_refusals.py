"""A wrong command says in one sentence which value is wrong and what to do about it."""

import re
import shutil

import pytest

import softdiffusion as sd
from softdiffusion.cli.main import main
from tests.command import RECIPES, TINY, contents

SCHEDULE = f"schedule --config {RECIPES / 'digits.yaml'} --out OUT"
#: Commands that name a wrong value, and what must be said about it.
WRONG = {
    # Ranges
    f"{SCHEDULE} --schedule.max_severity -1": "from 0 to -1",
    f"{SCHEDULE} --schedule.sigma [0.2,0.02]": "from 0.2 to 0.02; give the clean end first",
    f"{SCHEDULE} --schedule.sigma_saturation 2": r"in \(0, 1\], but is 2",
    f"{SCHEDULE} --levels 1": "at least 2 levels, both ends counted, not 1",
    f"{SCHEDULE} --levels 1000": "among 256 candidates; raise candidates to 1000",
    f"{SCHEDULE} --epsilon 1e-4": "epsilon = 0.0001; the smallest cap .* Raise epsilon",
    f"{SCHEDULE} --corruption Scaling": r"severity of Scaling .* in \[0, 1\]",
    f"{SCHEDULE} --size 0": "--size must be a whole number > 0 or null, but is 0; see",
    f"{SCHEDULE} --channels 2": "1 or 3 channels, not 2",
    f"{TINY} --out OUT --batch_size 0": "batch_size must be at least 1, but is 0",
    f"{TINY} --out OUT --learning_rate -1": "learning_rate must be finite and > 0, but is -1",
    f"{TINY} --out OUT --ema 1": r"ema, a decay, must be in \[0, 1\), but is 1",
    f"{TINY} --out OUT --images 0": "--images must be a whole number > 0, but is 0; see",
    f"{TINY} --out OUT --seed -1": "--seed must be a whole number >= 0, but is -1; see",
    f"{TINY} --out OUT --backbone.width 0": "multiple of 8 and .* has width 0",
    f"{TINY} --out OUT --objective.steps 0": "steps must be at least 1, but is 0",
    f"{TINY} --out OUT --prior mixture --prior_components 5000": "at least .* images, but there",
    "corrupt --out OUT --columns 0": "--columns must be a whole number > 0, but is 0; see",
    "sample --model RUN --out OUT --count 0": "--count must be a whole number > 0, but is 0; see",
    "sample --model RUN --out OUT --batch_size 0": "--batch_size must .* > 0, but is 0; see",
    "sample --model RUN --out OUT --sampler.steps 0": "steps must be at least 1, but is 0",
    "sample --model RUN --out OUT --sampler NuSampler --sampler.nu 2": r"in \[0, 1\], but is 2",
    "evaluate --model RUN --out OUT --count 0": "--count must be a whole number > 0, but is 0; see",
    "evaluate --model RUN --out OUT --count 3": "at least 8 .* but there are 3",
    "evaluate --model RUN --out OUT --steps [4,0]": "--steps must be a whole number > 0, but is 0",
    "evaluate --model RUN --out OUT --steps []": "name at least one of --samplers and --steps",
    "study": "name what to do and the file, such as: softdiffusion study run stud",
    "study run": "name what to do and the file, such as: softdiffusion study run stud",
    # Beyond what a command can do
    f"{TINY} --out OUT --batch_size 9999999999999": "batch_size must be at most 1,000,000, but is",
    f"{TINY} --out OUT --images 99999999999999999999": r"--images must be in \[1, 999999999999\],",
    "sample --model RUN --out OUT --count 1000000000000": r"--count must be in \[1, 4294967296\],",
    "evaluate --model RUN --out OUT --count 1000000000000": r"--count must be in \[1, 1000000\],",
    "sample --model RUN --out OUT --count 1 --seed 99999999999999999999": r"in \[-2\^63, 2\^63\)",
    f"{TINY} --out OUT --size 1": r"does not take images of \(1, 1, 1\) .*; choose another --size",
    # Not a number
    f"{SCHEDULE} --epsilon nan": "--epsilon must be a number or null, but is nan; see",
    f"{SCHEDULE} --schedule.max_severity nan": "--schedule.max_severity must be a number, but is",
    f"{SCHEDULE} --schedule.max_severity .nan": "max_severity of Wasserstein must be",
    f"{TINY} --out OUT --learning_rate nan": "--learning_rate must be a number, but is nan; see",
    f"{TINY} --out OUT --clip .nan": "clip must be finite and > 0, but is nan",
    f"{TINY} --out OUT --objective.soft_share nan": "--objective.soft_share must be a number, but",
    "sample --model RUN --out OUT --sampler.clip [nan,1]": "--sampler.clip must be a number or",
    # Names
    f"{TINY} --out OUT --nonsense 1": "unrecognized arguments: --nonsense 1; see softdiffusion tr",
    f"{TINY} --out OUT --backbone.widht 7": "--backbone: the argument widht is not accepted; see",
    "train --out OUT --preset vp --backbone.width 8": "--backbone: name the class before its arg",
    "train --out OUT --corruption.angle 3": "name the class before its argument angle",
    f"{TINY} --out OUT --corruption Nonsense": "--corruption: no class Nonsense; see",
    f"{TINY} --out OUT --corruption sd.Nonsense": "--corruption: no class sd.Nonsense; see",
    f"{TINY} --out OUT --corruption softdiffusion.SmallUNet": "SmallUNet is not a Corruption; see",
    f"{TINY} --out OUT --backbone softdiffusion.Residual": "Residual is not a Module; see",
    f"{TINY} --out OUT --precision fp8": "must be one of 'no', 'bf16', 'fp16', but is fp8; see",
    f"{TINY} --out OUT --dry_run maybe": "--dry_run must be true or false, but is maybe; see",
    f"{TINY} --out OUT --data RUN": "use folder:.*run for the pictures of that folder",
    f"{TINY} --out OUT --data nothing": "Unknown data 'nothing'; use digits, fashion-mnist,",
    "sample --model RUN --out OUT --sampler.stpes 3": "--sampler: the argument stpes is not acc",
    "sample --model RUN --out OUT --sampler NuSampler": "--sampler: .* required: nu; see",
    "sample --model RUN --out OUT --device gpu": "device 'gpu' can't be used .*; use cpu",
    "sample --model RUN --out OUT --device meta": "device 'meta' can't be used .*; use cpu",
    "evaluate --model RUN --out OUT --samplers [Foo]": "Unknown sampler 'Foo'; use one of",
    "evaluate --model RUN --out OUT --samplers [NuSampler]": "give --nu, in",
    "evaluate --model RUN --out OUT --extractor foo": "Unknown extractor 'foo'; use digits-8",
    "nonsense": "invalid choice: 'nonsense' .*'corrupt', 'schedule', 'train'.*; see softdiffusion",
    "train": "required: --out; see softdiffusion",
    "info": "required: --model; see softdiffusion",
    # Places
    f"{TINY} --out OUT --data folder:OUT/none": "There is no folder .*none; check the path",
    f"{TINY} --out OUT --data fashion-mnist:OUT": "is not in .*; install .* or name the folder",
    f"{TINY} --out OUT --config OUT/none.yaml": "--config: File does not exist: .*none.yaml",
    f"{TINY} --out OUT --schedule OUT/none.yaml": "There is no file .*none.yaml; check the path",
    f"{TINY} --out RUN/recipe.yaml": "l is to be a folder, but .*recipe.yaml is a file; choose",
    "sample --model RUN --out RUN/recipe.yaml/x": "x is to be a folder, but .*l is a file; choose",
    "sample --model OUT/none --out OUT": "none is not a saved model, .*; check the path",
    "info --model OUT": "is not a saved model, it has no config.json; check the path",
    "evaluate --model OUT/none --out OUT": "none is not a saved model",
    # A model and data that do not belong together
    "evaluate --model RUN --out OUT --size 4": r"\(1, 8, 8\), but .* \(1, 4, 4\); choose the data",
    "evaluate --model RUN --out OUT --channels 3": r"\(1, 8, 8\), but .* \(3, 8, 8\)",
    "evaluate --model RUN --out OUT --extractor fashion-mnist-28": r"takes .* \(1, 28, 28\)",
}


@pytest.mark.parametrize("command", WRONG)
def test_a_wrong_value_is_named_and_nothing_is_written(command, trained, tmp_path, refused):
    before = contents(trained)
    line = refused(command.replace("RUN", str(trained)).replace("OUT", str(tmp_path)))
    assert re.search(WRONG[command], line), line
    assert not contents(tmp_path)
    assert contents(trained) == before


@pytest.mark.parametrize(
    "command", ["sample --count 1", "evaluate --count 60 --samplers NaiveSampler --steps 2"]
)
def test_a_network_is_compiled_by_a_compiler(command, trained, tmp_path, refused, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    line = refused(f"{command} --compile true --model {trained} --out {tmp_path / 'out'}")
    assert re.search(r"takes a C\+\+ compiler; install g\+\+", line), line


@pytest.mark.parametrize(
    "command",
    [
        f"{TINY} --data folder:DATA --out DATA/runs/a",
        f"{TINY} --data folder:DATA --out DATA",
        "corrupt --data folder:DATA --out DATA/../NAME/cat",
        "schedule --data folder:DATA --out DATA/train",
        "sample --model RUN --out DATA/samples --count 1",
        "evaluate --model RUN --out DATA/report --data folder:DATA --count 8",
        "restore --model RUN --out DATA/restored --data folder:DATA --input DATA/00.png",
    ],
)
def test_no_command_puts_pictures_among_its_data(command, trained, pictures, tmp_path, refused):
    run = shutil.copytree(trained, tmp_path / "run")
    recipe = (run / "recipe.yaml").read_text().replace("data: digits", f"data: folder:{pictures}")
    (run / "recipe.yaml").write_text(recipe)
    before = contents(pictures)
    places = {"DATA": str(pictures), "NAME": pictures.name, "RUN": str(run)}
    for name, path in places.items():
        command = command.replace(name, path)
    line = refused(command)
    assert re.search("lies in the data, .* would join; choose a folder outside of it", line), line
    assert contents(pictures) == before


def test_a_hidden_folder_in_the_data_is_no_data_and_may_be_written_to(pictures, tmp_path):
    data = shutil.copytree(pictures, tmp_path / "data")
    main(["corrupt", "--data", f"folder:{data}", "--out", str(data / ".strip")])
    assert len(sd.data.open(f"folder:{data}").files) == 54
