"""Denoisers without what torch wraps around modules."""

import copy
from typing import cast

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

__all__ = ["plain"]


def plain(module: nn.Module) -> nn.Module:
    """A module, and all within it, without the wrappers of `torch.compile` and `DataParallel`.

    It shares its weights with the given one, which stays as it is; they have their plain names.
    """
    while True:
        if "_orig_mod" in module._modules:  # torch.compile's; its class takes seconds to import
            module = cast(nn.Module, module._modules["_orig_mod"])
        elif isinstance(module, DataParallel | DistributedDataParallel):
            module = module.module
        else:
            break
    children = {
        name: None if child is None else plain(child)  # the truth of a compiled one is its length
        for name, child in module._modules.items()
    }
    if all(child is module._modules[name] for name, child in children.items()):
        return module
    twin = copy.copy(module)
    twin._modules = children
    return twin
