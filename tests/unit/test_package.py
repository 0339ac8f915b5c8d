"""What `import softdiffusion` promises."""

import subprocess
import sys

import pytest

import softdiffusion as sd

#: Imported only inside the functions that need them.
HEAVY = {
    "PIL",
    "accelerate",
    "diffusers",
    "jsonargparse",
    "matplotlib",
    "ot",
    "sklearn",
    "tensorboard",
    "torchmetrics",
    "yaml",
}


def test_the_import_brings_nothing_heavy():
    """What torch imports by itself does not count."""
    script = (
        "import sys, torch; before = set(sys.modules); import softdiffusion; softdiffusion.load; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert HEAVY.isdisjoint(done.stdout.split())


def test_torch_is_imported_with_the_first_name_that_is_used():
    script = (
        "import sys, softdiffusion as sd; assert 'torch' not in sys.modules; sd.GaussianBlur; "
        "assert 'torch' in sys.modules; assert set(sd.__all__) <= set(dir(sd))"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_name_that_there_is_not():
    with pytest.raises(AttributeError, match="module 'softdiffusion' has no attribute 'Nonsense'"):
        _ = sd.Nonsense


def test_every_public_name_exists():
    assert [name for name in sd.__all__ if not hasattr(sd, name)] == []
