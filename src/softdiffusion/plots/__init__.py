"""Pictures of images and of numbers, as files."""

from .charts import plot_distances, plot_losses, plot_schedule
from .pictures import numbered, save_animation, save_grid, save_images, save_strip
from .pixels import to_uint8

__all__ = [
    "numbered",
    "plot_distances",
    "plot_losses",
    "plot_schedule",
    "save_animation",
    "save_grid",
    "save_images",
    "save_strip",
    "to_uint8",
]
