"""`python -m softdiffusion` is the command `softdiffusion`."""

from .cli.main import main

if __name__ == "__main__":
    main()
