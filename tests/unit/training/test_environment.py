"""Variables of the environment do not change a training unseen."""

import pytest
from accelerate.utils import launch

import softdiffusion as sd
from softdiffusion.training import processes
from tests.unit.training.test_train import run


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "4"),
        ("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "many"),
        ("ACCELERATE_DYNAMO_BACKEND", "INDUCTOR"),
        ("ACCELERATE_DYNAMO_BACKEND", "nonsense"),
        ("ACCELERATE_FP8_BACKEND", "TE"),
        ("ACCELERATE_USE_FSDP", "true"),
        ("ACCELERATE_USE_DEEPSPEED", "True"),
        ("ACCELERATE_USE_MEGATRON_LM", "1"),
        ("ACCELERATE_USE_PARALLELISM_CONFIG", "true"),
        ("ACCELERATE_DOWNCAST_BF16", "true"),
        ("XLA_USE_BF16", "1"),
    ],
)
def test_a_variable_that_changes_the_mathematics_is_refused(name, value, monkeypatch, tmp_path):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=f"variable {name} is '{value}', .*; unset {name}"):
        run(tmp_path / "new", 8)
    assert not (tmp_path / "new").exists()
    monkeypatch.delenv(name)
    run(tmp_path / "new", 8)


def test_the_precision_of_the_environment_is_that_of_the_options(monkeypatch, tmp_path):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    with pytest.raises(ValueError, match="is 'bf16', but .* is no; unset .*, or give --precision"):
        run(tmp_path, 8)
    run(tmp_path, 8, precision="bf16")
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "fp8")
    with pytest.raises(ValueError, match="is 'fp8', but the precision of the training is no"):
        run(tmp_path, 8)


def test_what_accelerate_launch_sets_is_no_change(monkeypatch, tmp_path):
    """The variables of a plain `accelerate launch`, as it makes them itself."""
    from accelerate.commands.launch import launch_command_parser

    arguments = launch_command_parser().parse_args(["--cpu", "train.py"])
    arguments.mixed_precision, arguments.dynamo_backend = "no", "no"
    arguments.num_machines = arguments.num_processes = arguments.num_cpu_threads_per_process = 1
    _, environment = launch.prepare_simple_launcher_cmd_env(arguments)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert processes().is_main_process
    run(tmp_path, 8, precision="bf16")
    assert sd.load(tmp_path / "final", trust=["tests"])
