"""Changes a recipe at random and trains by it without a step: python tests/fuzz/recipes.py.

Each must be taken, or refused in one sentence, within ten seconds of computing; nothing may be
written, started or imported but the package's own.
"""

import argparse
import contextlib
import faulthandler
import io
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).parents[2]))

from softdiffusion.cli.main import main as command
from tests.audit import watched
from tests.hostile import WORDS, places

RECIPE = """
data: digits
size: 8
images: 64
batch_size: 32
corruption: {class_path: softdiffusion.GaussianBlur}
schedule:
  class_path: softdiffusion.Schedule
  init_args:
    severity: {class_path: softdiffusion.schedules.Linear, init_args: {start: 0.0, end: 4.0}}
    sigma: {class_path: softdiffusion.schedules.Geometric, init_args: {start: 0.02, end: 0.2}}
objective: {class_path: softdiffusion.StepMatched, init_args: {steps: 10, soft_share: 0.1}}
backbone:
  class_path: softdiffusion.SmallUNet
  init_args: {width: 8, multipliers: [1], attention: false}
prior: gaussian
prior_modes: 8
learning_rate: 0.001
flips: true
"""

#: What stands in the place of a value, beside what stands there in a model's configuration.
TEXTS = (
    "pipe", "/dev/zero", "recipe.yaml", "null", "1e400", ".nan", "2020-01-01", "!!binary aGVs",
    "!!python/name:os.system", "!!set {a, b}", "&a [*a]", "*b", "{a: ", "0o17", "1_000", "<<: *a",
    "folder:.", "folder:pipe", "os.system", "builtins.eval", "subprocess.Popen", "torch.hub.load",
    "torch.nn.Identity", "softdiffusion.metrics.InceptionFile", "Wasserstein", "vp", "edm",
    "{class_path: softdiffusion.KernelBlur, init_args: {kernel: pipe}}",
    "{class_path: subprocess.Popen, init_args: {args: 'true'}}",
    "{class_path: softdiffusion.presets.vp, init_args: {beta: 3}}",
    "'{\"class_path\": \"torch.jit.load\"}'",
)  # fmt: skip

KEYS = ("preset", "config", "levels", "epsilon", "channels", "out", "seed", "class_path", "warmup")

#: Seconds and megabytes that no recipe may take; larger trainings are refused or said.
_SLOW, _LARGE = 10.0, 4096

#: Harm that is none: the probe of `--out`, and what libraries look for.
_HARMLESS = (
    "import",
    "exec",
    "marshal.",
    "os.listdir",
    "os.scandir",
    "os.putenv",
    "os.unsetenv",
    "os.chdir",
)


def changed(chance: random.Random) -> str:
    """The recipe with one change or two."""
    recipe: dict[str, Any] = yaml.safe_load(RECIPE)
    texts: dict[str, str] = {}
    for number in range(chance.choice((1, 1, 2))):
        container, key = chance.choice(list(places(recipe)))
        if isinstance(container, dict) and chance.random() < 0.3:
            del container[key]
            key = chance.choice(KEYS)
        if chance.random() < 0.5:
            texts[f"HERE{number}"] = chance.choice(TEXTS)
            container[key] = f"HERE{number}"
        else:
            container[key] = chance.choice(WORDS)
    text = yaml.safe_dump(recipe, sort_keys=False)
    for mark, word in texts.items():
        text = text.replace(mark, word)
    if chance.random() < 0.2:
        place = chance.randrange(len(text))
        text = text[:place] + chance.choice("{}[]:&*!|>%@`\"'\t\x00\u2028") + text[place:]
    return text


def verdict(recipe: Path) -> str:
    """What a training by it would end in.

    Raises:
        AssertionError: If it ends in something else than a training or one sentence, or does harm.
    """
    told, code = io.StringIO(), 0
    arguments = ["train", "--config", str(recipe), "--out", "run", "--dry_run", "true"]
    with (
        watched() as events,
        contextlib.redirect_stderr(told),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        try:
            command(arguments)
        except SystemExit as stop:
            code = stop.code
            if isinstance(code, str):
                told.write(f"{code}\n")
    lines = told.getvalue().splitlines()
    harm = [event for event in events if _harms(event)]
    assert not harm, harm
    if not code:
        return "taken"
    sentences = [line for line in lines if not line.startswith("the recipe names ")]
    assert len(sentences) == 1 and sentences[0].startswith("softdiffusion"), lines
    return "unforeseen: " + sentences[0] if "this is a fault of" in sentences[0] else "refused"


def _harms(event: str) -> bool:
    if event.startswith("open"):
        return any(f"'{mode}" in event for mode in "wax+")
    return not event.startswith(_HARMLESS) and ".softdiffusion-probe" not in event


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        os.mkfifo("pipe")
        recipe = Path("recipe.yaml")
        recipe.write_text(RECIPE)
        with contextlib.suppress(AssertionError):
            verdict(recipe)  # its first use fills caches
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        end, seed = time.monotonic() + 60 * options.minutes, options.seed
        while time.monotonic() < end:
            text = changed(random.Random(seed))
            recipe.write_text(text, encoding="utf-8")
            faulthandler.dump_traceback_later(120, exit=True)
            start = time.process_time()
            try:
                result = verdict(recipe)
            except Exception:
                result = f"FINDING: {traceback.format_exc(limit=-3)}"
            seconds = time.process_time() - start
            faulthandler.cancel_dump_traceback_later()
            slowest = max(slowest, seconds)
            if seconds > _SLOW:
                result = f"FINDING: took {seconds:.0f} s"
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            if after - before > _LARGE:
                result, before = f"FINDING: took {after - before:.0f} MB", after
            if result not in ("taken", "refused"):
                print(f"seed {seed}: {result}\n{json.dumps(text)}\n", flush=True)
            found[result.partition(":")[0]] += 1
            seed += 1
    print(f"{sum(found.values())} recipes, slowest {slowest:.1f} s")
    print(dict(found))
    sys.exit(bool(found["FINDING"] + found["unforeseen"]))


if __name__ == "__main__":
    main()
