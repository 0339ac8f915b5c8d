"""Some of the images of a set."""

from torch import Tensor

from .images import Images

__all__ = ["Part"]


class Part(Images):
    """Chosen images of a set, in the order in which they were chosen; none is held.

    Arguments:
        data: The set.
        indices: Which of its images, (B,).
    """

    def __init__(self, data: Images, indices: Tensor) -> None:
        self.data = data
        self.indices = indices
        self.name = data.name
        self.shape = data.shape
        self.labels = None if data.labels is None else data.labels[indices]
        self.classes = data.classes
        self.notes = data.notes
        self.uses_global_random = data.uses_global_random

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, indices: Tensor) -> Tensor:
        return self.data.batch(self.indices[indices])

    def draw(self, indices: Tensor, seeds: Tensor) -> Tensor:
        return self.data.draw(self.indices[indices], seeds)
