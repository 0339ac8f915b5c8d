"""Damages pictures at random for some minutes; whatever a reader should not do is kept.

    python tests/fuzz/pictures.py --minutes 10 --seed 0 --keep findings

Each file must give a picture, or one sentence that names the file, within ten seconds of computing.
"""

import argparse
import collections
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.damage import CORPUS, check, damaged

#: The largest picture that is read takes about six.
_SECONDS = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("findings"))
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
    rng = np.random.default_rng(arguments.seed)
    outcomes: collections.Counter[str] = collections.Counter()
    slowest, end = 0.0, time.monotonic() + 60 * arguments.minutes
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            sample = CORPUS[rng.integers(len(CORPUS))]
            content = damaged(sample.content, rng)
            path = Path(folder, sample.name)
            path.write_bytes(content)
            start = time.process_time()
            try:
                outcome = "pictures" if check(path) is None else "sentences"
            except Exception:
                traceback.print_exc()
                outcome = "findings"
            seconds = time.process_time() - start
            slowest = max(slowest, seconds)
            if seconds > _SECONDS:
                outcome = "slow"
            outcomes[outcome] += 1
            if outcome in ("findings", "slow"):
                arguments.keep.mkdir(exist_ok=True)
                (arguments.keep / f"{outcomes[outcome]}-{outcome}-{sample.name}").write_bytes(
                    content
                )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(dict(outcomes), f"slowest {slowest:.2f} s, at most {peak:.2f} GB")
    return bool(outcomes["findings"] or outcomes["slow"])


if __name__ == "__main__":
    sys.exit(main())
