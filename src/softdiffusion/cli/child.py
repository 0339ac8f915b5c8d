"""A command that a study runs in a process of its own.

    python -m softdiffusion.cli.child FOLDER TRUST COMMAND ...

It ends when the study does, and finds in FOLDER the modules that TRUST names, apart by commas. Its
recipe names classes of these alone, and parts of models.
"""

import sys
from pathlib import Path

from ..studies import end_with_parent, importable
from .main import main
from .parser import confine

__all__: list[str] = []

if __name__ == "__main__":
    end_with_parent()
    folder, trust, *arguments = sys.argv[1:]
    trusted = [name for name in trust.split(",") if name]
    confine(trusted)
    with importable(Path(folder), trusted):
        main(arguments)
