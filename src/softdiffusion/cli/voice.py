"""Which of several processes says why their command ends."""

import os

__all__ = ["speaks"]

#: Seconds to wait for the launcher that counts those who ended.
_PATIENCE = 5


def speaks() -> bool:
    """Whether this process says why the command ends: alone, or as the first one that failed.

    Of processes that torchrun or accelerate started together the others fail of the same reason, or
    because they miss that one. They count themselves in the launcher's store.
    """
    if os.environ.get("WORLD_SIZE", "1") == "1":
        return True
    from datetime import timedelta

    from torch.distributed import TCPStore  # type: ignore[attr-defined]

    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    try:
        store = TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=False,
            wait_for_workers=False,
            timeout=timedelta(seconds=_PATIENCE),
        )
        return bool(store.add(f"softdiffusion/ended/{attempt}", 1) == 1)
    except (KeyError, ValueError, RuntimeError):  # nobody counts any more
        return True
