import json
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch
from torch import nn

import softdiffusion as sd
from softdiffusion import schedules
from softdiffusion.schedules import Curve
from tests.registry import EXAMPLES, IMAGES, NOISE, TIMES, output, process, small_network

PARTS = (sd.Corruption, Curve, sd.Schedule, sd.SoftDiffusion, sd.Preconditioning, nn.Module)
MODELS = [
    name
    for name, example in EXAMPLES.items()
    # DiffusersUNet skips the test that builds it where its package is missing.
    if name == "DiffusersUNet" or (not name.endswith("Sampler") and isinstance(example(), PARTS))
]
PRIORS = ["GaussianPrior", "MixturePrior"]


def model(part):
    """A denoiser that contains the part."""
    match part:
        case sd.BaseDenoiser():
            return part
        case nn.Module():
            return sd.Denoiser(part, process())
        case sd.Preconditioning():
            # Scaling alone, since some predict the noise.
            return sd.Denoiser(small_network(), sd.presets.vp().process, part)
        case sd.SoftDiffusion():
            return sd.Denoiser(small_network(), part)
        case sd.Schedule():
            return model(sd.SoftDiffusion(sd.GaussianBlur(), part))
        case Curve():
            return model(sd.Schedule(part, part))
        case sd.Corruption():
            line = schedules.linear((0.0, 0.8), (0.0, 0.5))
            # EDM's factors and the noisy image depend on the process, unlike the residual's.
            return sd.Denoiser(small_network(), sd.SoftDiffusion(part, line), sd.EDM())


def tiny(seed=0):
    torch.manual_seed(seed)
    return sd.Denoiser(sd.SmallUNet(1, width=8, multipliers=(1,)), process())


@pytest.mark.parametrize("name", MODELS)
def test_a_loaded_model_computes_the_same(name, tmp_path):
    original = model(EXAMPLES[name]())
    sd.save(tmp_path / "model", original)
    loaded, prior = sd.load(tmp_path / "model")
    assert prior is None
    x_t = original.process.perturb(IMAGES, TIMES, NOISE)
    assert torch.equal(loaded.process.perturb(IMAGES, TIMES, NOISE), x_t)
    with torch.no_grad():
        assert torch.equal(loaded(x_t, TIMES), original(x_t, TIMES))


@pytest.mark.parametrize("name", PRIORS)
def test_a_loaded_prior_draws_the_same(name, tmp_path):
    original = EXAMPLES[name]()
    sd.save(tmp_path / "model", tiny(), original)
    loaded = sd.load(tmp_path / "model")[1]
    assert type(loaded) is type(original)
    assert repr(loaded) == repr(original)
    assert torch.equal(output(loaded), output(original))


def test_a_loaded_denoiser_is_in_evaluation_mode(tmp_path):
    network = sd.SmallUNet(1, width=8, multipliers=(1,), dropout=0.5)
    sd.save(tmp_path / "model", sd.Denoiser(network, process()).train())
    loaded, _ = sd.load(tmp_path / "model")
    assert not any(module.training for module in loaded.modules())


def test_the_moving_average_is_saved_as_the_denoiser_that_it_is(tmp_path):
    average = sd.EMA(tiny(0), decay=0.9)
    average.update(tiny(1))
    sd.save(tmp_path / "model", average)
    loaded, _ = sd.load(tmp_path / "model")
    assert type(loaded) is sd.Denoiser
    assert torch.equal(loaded(IMAGES, TIMES), average(IMAGES, TIMES))


def test_precision_is_kept(tmp_path):
    original = tiny().double()
    sd.save(tmp_path / "model", original)
    loaded, _ = sd.load(tmp_path / "model")
    x, t = IMAGES.double(), TIMES.double()
    assert torch.equal(loaded(x, t), original(x, t))


def test_loaded_weights_can_be_trained(tmp_path):
    sd.save(tmp_path / "model", tiny())
    loaded, _ = sd.load(tmp_path / "model")
    loaded(IMAGES, TIMES).square().mean().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in loaded.parameters())


def test_a_folder_holds_configuration_and_weights_and_no_pickle(tmp_path):
    sd.save(tmp_path / "model", tiny())
    assert {file.name for file in tmp_path.iterdir()} == {"model"}
    assert {file.name for file in (tmp_path / "model").iterdir()} == {
        "config.json",
        "ema.safetensors",
    }
    config = json.loads((tmp_path / "model/config.json").read_text())
    assert config["format_version"] == 1
    assert config["softdiffusion"] == sd.__version__
    assert config["prior"] is None
    weights = safetensors.torch.load_file(tmp_path / "model/ema.safetensors")
    assert weights.keys() == tiny().state_dict().keys()


def test_weights_in_memory_do_not_change_with_the_file(tmp_path):
    sd.save(tmp_path / "model", tiny())
    loaded, _ = sd.load(tmp_path / "model")
    before = {name: weight.clone() for name, weight in loaded.state_dict().items()}
    file = tmp_path / "model/ema.safetensors"
    file.write_bytes(b"\xff" * file.stat().st_size)
    assert all(torch.equal(weight, before[name]) for name, weight in loaded.state_dict().items())


def test_a_data_prior_is_not_saved(tmp_path):
    with pytest.raises(ValueError, match="isn't saved.*save a GaussianPrior or MixturePrior"):
        sd.save(tmp_path / "model", tiny(), EXAMPLES["DataPrior"]())
    assert list(tmp_path.iterdir()) == []


def test_a_prior_of_another_process_is_not_saved(tmp_path):
    other = sd.SoftDiffusion(sd.GaussianBlur(), schedules.linear((0.0, 3.0), (0.1, 0.2)))
    with pytest.raises(ValueError, match="starts another process than the one that the denoiser"):
        sd.save(tmp_path / "model", tiny(), sd.GaussianPrior.fit(other, IMAGES, max_modes=1))
    assert list(tmp_path.iterdir()) == []


# Overwriting


def weights_of(path):
    return sd.load(path)[0].state_dict()


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_model_is_replaced_whole(tmp_path):
    sd.save(tmp_path / "model", tiny(0), EXAMPLES["GaussianPrior"]())
    sd.save(tmp_path / "model", tiny(1))
    assert {file.name for file in tmp_path.iterdir()} == {"model"}
    assert not (tmp_path / "model/config.safetensors").exists()
    assert equal(weights_of(tmp_path / "model"), tiny(1).state_dict())


def test_a_save_that_fails_half_way_keeps_the_model(tmp_path):
    sd.save(tmp_path / "model", tiny(0))
    program = """
import resource, signal, sys
import softdiffusion as sd
denoiser, _ = sd.load(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # the configuration fits, the weights don't
try:
    sd.save(sys.argv[1], denoiser)
except OSError as error:
    print(error)
"""
    arguments = [sys.executable, "-c", program, str(tmp_path / "model")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "File too large" in done.stdout
    assert {file.name for file in tmp_path.iterdir()} == {"model"}
    assert equal(weights_of(tmp_path / "model"), tiny(0).state_dict())


def test_a_tensor_that_can_not_be_saved_is_named(tmp_path):
    unwritable = tiny(1)
    unwritable.register_buffer("sparse", torch.eye(3).to_sparse())
    with pytest.raises(ValueError, match=r"The tensor sparse is sparse, .*use to_dense\(\)"):
        sd.save(tmp_path / "model", unwritable)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_save_keeps_a_model(tmp_path):
    program = """
import itertools, sys
import softdiffusion as sd
path, *origins = sys.argv[1:]
models = [sd.load(origin)[0] for origin in origins]
for count, model in enumerate(itertools.cycle(models)):
    sd.save(path, model)
    if count == 1:
        print("ready", flush=True)
"""
    for seed in (0, 1):
        sd.save(tmp_path / str(seed), tiny(seed))
    home = tmp_path / "home"
    path = home / "model"
    for delay in (0.0, 0.0131):
        arguments = [sys.executable, "-c", program, str(path)]
        arguments += [str(tmp_path / str(seed)) for seed in (0, 1)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            time.sleep(delay)
            child.kill()
        whole = path if path.exists() else home / ".model.old"
        assert any(equal(weights_of(whole), tiny(seed).state_dict()) for seed in (0, 1))
    sd.save(path, tiny(2))
    assert [file.name for file in home.iterdir()] == ["model"]


def test_a_save_that_fails_between_its_renames_keeps_the_old_model(tmp_path):
    program = """
import sys
import softdiffusion as sd
path, other = sys.argv[1:]
model = sd.load(other)[0]

def refuse(event, arguments):
    if event == "os.rename" and str(arguments[0]).endswith(".draft") and str(arguments[1]) == path:
        raise OSError("no room for a name")

sys.addaudithook(refuse)
try:
    sd.save(path, model)
except OSError as error:
    print(error)
"""
    home, other = tmp_path / "home", tmp_path / "other"
    sd.save(home / "model", tiny(0))
    sd.save(other, tiny(1))
    arguments = [sys.executable, "-c", program, str(home / "model"), str(other)]
    assert (
        subprocess.run(arguments, capture_output=True, text=True).stdout == "no room for a name\n"
    )
    assert equal(weights_of(home / "model"), tiny(0).state_dict())
    assert [file.name for file in home.iterdir()] == ["model"]


def test_a_swap_that_was_interrupted_is_pointed_out(tmp_path):
    sd.save(tmp_path / "model", tiny())
    (tmp_path / "model").rename(tmp_path / ".model.old")
    with pytest.raises(FileNotFoundError, match=r"a save was interrupted, rename .*\.model\.old"):
        sd.load(tmp_path / "model")


def test_a_link_to_a_model_stays_a_link(tmp_path):
    sd.save(tmp_path / "model", tiny(0))
    (tmp_path / "link").symlink_to(tmp_path / "model")
    sd.save(tmp_path / "link", tiny(1))
    assert (tmp_path / "link").is_symlink()
    assert equal(weights_of(tmp_path / "model"), tiny(1).state_dict())


def test_an_empty_folder_is_used(tmp_path):
    sd.save(tmp_path, tiny())
    assert equal(weights_of(tmp_path), tiny().state_dict())


@pytest.mark.parametrize("name", ["thesis.txt", "config.json.txt", "ema.safetensors"])
def test_a_folder_that_is_no_model_is_left_alone(name, tmp_path):
    (tmp_path / name).write_text("precious")
    with pytest.raises(ValueError, match="is not replaced, since it h"):
        sd.save(tmp_path, tiny())
    assert (tmp_path / name).read_text() == "precious"


def test_a_model_with_other_files_is_left_alone(tmp_path):
    sd.save(tmp_path / "model", tiny())
    (tmp_path / "model/notes.txt").write_text("precious")
    with pytest.raises(ValueError, match=r"it holds notes\.txt"):
        sd.save(tmp_path / "model", tiny())
    assert (tmp_path / "model/notes.txt").read_text() == "precious"


def test_a_file_is_left_alone(tmp_path):
    (tmp_path / "model").write_text("precious")
    with pytest.raises(ValueError, match="is a file; choose another place"):
        sd.save(tmp_path / "model", tiny())
    assert (tmp_path / "model").read_text() == "precious"


# What can't be loaded


@pytest.fixture
def saved(tmp_path):
    sd.save(tmp_path / "model", tiny(), EXAMPLES["GaussianPrior"]())
    return tmp_path / "model"


def rewrite(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def one_sentence(error):
    return "\n" not in str(error.value) and str(error.value).endswith(".")


def test_a_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="is not a saved model, it has no config.json"):
        sd.load(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "ema.safetensors"])
def test_a_missing_file(name, saved):
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError, match=name) as error:
        sd.load(saved)
    assert one_sentence(error)


def test_missing_tensors_of_the_prior(saved):
    (saved / "config.safetensors").unlink()
    with pytest.raises(ValueError, match=r"names the tensor 'prior\.mean', which is missing"):
        sd.load(saved)


@pytest.mark.parametrize("name", ["ema.safetensors", "config.safetensors", "config.json"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.98])
def test_a_truncated_file(name, share, saved):
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=f"{name} is damaged .*; restore it from a copy") as error:
        sd.load(saved)
    assert one_sentence(error)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b"{'format_version': 1}"])
def test_broken_json(content, saved):
    (saved / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        sd.load(saved)


@pytest.mark.parametrize("content", ["[]", "{}", '{"format_version": 1}', '{"denoiser": {}}'])
def test_json_of_something_else(content, saved):
    (saved / "config.json").write_text(content)
    with pytest.raises(ValueError, match="is not the configuration of a model"):
        sd.load(saved)


def test_a_newer_format(saved):
    rewrite(saved, format_version=2)
    with pytest.raises(ValueError, match=r"has format 2, .* up to 1; upgrade softdiffusion"):
        sd.load(saved)


@pytest.mark.parametrize("part", ["denoiser", "prior"])
def test_a_part_of_another_kind(part, saved):
    rewrite(saved, **{part: {"class_path": "softdiffusion.Scaling", "init_args": {}}})
    with pytest.raises(ValueError, match=f"holds a Scaling as {part}"):
        sd.load(saved)


@pytest.mark.parametrize("changed", ["schedule", "corruption"])
def test_parts_with_different_processes(changed, saved):
    prior = json.loads((saved / "config.json").read_text())["prior"]
    process = prior["init_args"]["process"]["init_args"]
    if changed == "schedule":
        process["schedule"]["init_args"]["sigma"]["init_args"]["end"] += 0.01
    else:
        process["corruption"]["class_path"] = "softdiffusion.HeatKernel"
    rewrite(saved, prior=prior)
    with pytest.raises(ValueError, match="denoiser and its prior have different proc") as error:
        sd.load(saved)
    assert one_sentence(error)


def test_weights_that_do_not_fit(saved):
    file = saved / "ema.safetensors"
    weights = safetensors.torch.load_file(file)
    first, second = sorted(weights)[:2]

    def store(changed):
        safetensors.torch.save_file(changed, file)

    store({name: weight for name, weight in weights.items() if name != first})
    with pytest.raises(ValueError, match=f"don't fit .*: {first} is missing") as error:
        sd.load(saved)
    assert one_sentence(error)
    store(weights | {"extra": torch.zeros(2)})
    with pytest.raises(ValueError, match="extra is unknown"):
        sd.load(saved)
    store(weights | {first: torch.zeros(7), second: torch.zeros(7)})
    with pytest.raises(ValueError, match=r"has shape \(7,\) .* \(and 1 more faults\)"):
        sd.load(saved)


def test_a_malicious_class_is_refused(saved):
    rewrite(saved, prior={"class_path": "subprocess.Popen", "init_args": {"args": "true"}})
    with pytest.raises(ValueError, match=r"subprocess\.Popen is not softdiffusion's"):
        sd.load(saved)


class Affine(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.shift = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x, t):
        return x * t[:, None, None, None] + self.shift


def test_a_backbone_of_ones_own_needs_trust(tmp_path):
    network = Affine(1)
    network.shift.data.fill_(0.3)
    original = sd.Denoiser(network, process())
    sd.save(tmp_path / "model", original)
    with pytest.raises(ValueError, match="pass trust="):
        sd.load(tmp_path / "model")
    loaded, _ = sd.load(tmp_path / "model", trust=[Affine.__module__])
    assert torch.equal(loaded(IMAGES, TIMES), original(IMAGES, TIMES))
