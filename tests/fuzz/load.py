"""Changes saved models at random and loads them: python tests/fuzz/load.py --minutes 10."""

import argparse
import faulthandler
import random
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import softdiffusion as sd
from tests.hostile import models, mutate, verdict, with_diffusers

#: Seconds and megabytes that no folder may take.
_SLOW, _LARGE = 10.0, 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        for model, (denoiser, prior) in {**models(), "diffusers": with_diffusers()}.items():
            sd.save(home / model, denoiser, prior)
            verdict(home / model)  # its first use fills caches
        known = sorted(path.name for path in home.iterdir())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        end, seed, slowest = time.monotonic() + 60 * options.minutes, options.seed, 0.0
        while time.monotonic() < end:
            chance = random.Random(seed)
            folder = shutil.copytree(home / chance.choice(known), home / "hostile")
            change = " and ".join(mutate(folder, chance) for _ in range(chance.choice((1, 1, 2))))
            faulthandler.dump_traceback_later(60, exit=True)
            start = time.process_time()
            try:
                result = verdict(folder)
            except Exception:
                result = f"seed {seed}, {change}: {traceback.format_exc(limit=-3)}"
            seconds = time.process_time() - start
            faulthandler.cancel_dump_traceback_later()
            slowest = max(slowest, seconds)
            if seconds > _SLOW:
                result = f"seed {seed}, {change}: took {seconds:.0f} s"
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            if after - before > _LARGE:
                result, before = f"seed {seed}, {change}: took {after - before:.0f} MB", after
            if result.startswith(("seed", "fails")):
                print(f"{result} [seed {seed}, {change}]", flush=True)
                result = result.split(":")[0].split(",")[0] if result[0] == "f" else "FINDING"
            found[result] += 1
            shutil.rmtree(folder)
            seed += 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    print(f"{sum(found.values())} folders, slowest {slowest:.1f} s, {grown:.0f} MB more")
    print(dict(found))
    sys.exit(bool(found["FINDING"]))


if __name__ == "__main__":
    main()
