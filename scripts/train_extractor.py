"""Trains one of the small classifiers whose features the metrics use, and writes its file.

The files that come with the package were made by

    python scripts/train_extractor.py --data digits --size 8 --epochs 60
    python scripts/train_extractor.py --data fashion-mnist --size 32 --epochs 8
    python scripts/train_extractor.py --data fashion-mnist --size 28 --epochs 8
    python scripts/train_extractor.py --data fashion-mnist --size 16 --epochs 12

in a few minutes each on one core. The number of epochs was fixed beforehand: the test split
measures the accuracy that is stored in the file and chooses nothing.
"""

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

import softdiffusion.data as data
from softdiffusion.metrics.eight_bit import eight_bit
from softdiffusion.metrics.extractors import ClassifierExtractor, SmallClassifier

_WEIGHTS = Path(__file__).parents[1] / "src" / "softdiffusion" / "metrics" / "weights"
_BATCH = 128
_LEARNING_RATE = 4e-3
_WEIGHT_DECAY = 0.02
_SMOOTHING = 0.05


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Moves a batch (N, C, H, H) by up to H // 14 pixels (at least one) each way, over black."""
    size = images.shape[-1]
    reach = max(1, size // 14)
    down, right = torch.randint(2 * reach + 1, (2,), generator=generator).tolist()
    padded = F.pad(images, (reach,) * 4, value=-1)
    return padded[:, :, down : down + size, right : right + size]


def train(images: Tensor, labels: Tensor, epochs: int, seed: int) -> SmallClassifier:
    """Trains a classifier on images (N, C, H, H) in [-1, 1] and their classes (N,)."""
    torch.manual_seed(seed)  # the network's initial weights
    generator = torch.Generator().manual_seed(seed)
    network = SmallClassifier(images.shape[1], classes=int(labels.max()) + 1)
    steps = epochs * (len(images) // _BATCH)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, total_steps=steps)
    for _ in tqdm(range(epochs), unit="epoch"):
        order = torch.randperm(len(images), generator=generator)
        for chosen in order[: len(images) // _BATCH * _BATCH].split(_BATCH):
            logits = network(shifted(images[chosen], generator))
            loss = F.cross_entropy(logits, labels[chosen], label_smoothing=_SMOOTHING)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def write(network: SmallClassifier, path: Path, about: dict[str, object]) -> None:
    """Writes weights and metadata; the metadata of a safetensors file is text."""
    arguments = ("channels", "classes", "width", "num_features")
    metadata = about | {name: getattr(network, name) for name in arguments}
    save_file(network.state_dict(), path, {key: str(value) for key, value in metadata.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="digits or fashion-mnist[:PATH]")
    parser.add_argument("--size", type=int, required=True, help="side of the images in pixels")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="the file; by default the package's own")
    arguments = parser.parse_args()

    training = data.open(arguments.data, split="train", size=arguments.size)
    test = data.open(arguments.data, split="test", size=arguments.size)
    if training.labels is None or test.labels is None:
        parser.error(f"{arguments.data} has no classes to train on; use digits or fashion-mnist.")
    path = arguments.out or _WEIGHTS / f"{training.name}-{arguments.size}.safetensors"

    network = train(eight_bit(training.tensor()), training.labels, arguments.epochs, arguments.seed)
    about = {
        "data": training.name,
        "size": arguments.size,
        "epochs": arguments.epochs,
        "seed": arguments.seed,
        "command": f"python scripts/train_extractor.py --data {training.name} "
        f"--size {arguments.size} --epochs {arguments.epochs} --seed {arguments.seed}",
        "training_digest": training.digest(),
        "test_digest": test.digest(),
        "torch": torch.__version__,
    }
    write(network, path, about)
    accuracy = ClassifierExtractor(path).accuracy(test.tensor(), test.labels)
    write(network, path, about | {"accuracy": f"{accuracy:.4f}"})
    print(
        f"{path.name}: accuracy {accuracy:.2%} on {len(test)} test images, "
        f"hash {ClassifierExtractor(path).hash}"
    )


if __name__ == "__main__":
    main()
