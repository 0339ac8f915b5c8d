"""Models on disk: a folder with the configuration as JSON and the weights as safetensors."""

from .begin import begin_from
from .folder import (
    MODEL_FILES,
    as_path,
    checkpoints,
    class_names,
    model_digest,
    model_files,
    model_folder,
)
from .load import check_device, load
from .save import check_savable, save, state_of

__all__ = [
    "MODEL_FILES",
    "as_path",
    "begin_from",
    "check_device",
    "check_savable",
    "checkpoints",
    "class_names",
    "load",
    "model_digest",
    "model_files",
    "model_folder",
    "save",
    "state_of",
]
