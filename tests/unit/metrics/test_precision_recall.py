import pytest
import torch

from softdiffusion.metrics import PrecisionRecall
from softdiffusion.metrics import precision_recall as module


def gaussian(count, seed):
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))


def by_definition(real, fake, k):
    def inside(queries, balls):
        def covered(q):
            return any((q - b).norm() <= (balls - b).norm(dim=1).sort().values[k] for b in balls)

        return sum(map(covered, queries)) / len(queries)

    return inside(fake, real), inside(real, fake)


def test_it_is_the_definition():
    real, fake = gaussian(40, 0).double(), 0.6 * gaussian(30, 1).double() + 0.5
    assert PrecisionRecall(real, k=2)(fake).tolist() == pytest.approx(by_definition(real, fake, 2))


def test_identical_sets_have_both_and_distant_sets_neither():
    features = gaussian(100, 0)
    assert PrecisionRecall(features)(features).tolist() == [1, 1]
    assert PrecisionRecall(features)(features + 100).tolist() == [0, 0]


def test_a_lost_mode_costs_recall_and_not_precision():
    modes = torch.cat([gaussian(100, 0), gaussian(100, 1) + 100])
    precision, recall = PrecisionRecall(modes)(modes[:100])
    assert (precision, recall) == (1, 0.5)


def test_working_in_parts_changes_nothing(monkeypatch):
    real, fake = gaussian(50, 0), gaussian(45, 1)
    whole = PrecisionRecall(real)(fake)
    monkeypatch.setattr(module, "_ROWS", 7)
    assert torch.equal(PrecisionRecall(real)(fake), whole)


def test_too_few_features_for_k_neighbours_are_refused():
    with pytest.raises(ValueError, match="at least 4 for this metric, but there are 3"):
        PrecisionRecall(gaussian(3, 0))
    with pytest.raises(ValueError, match="k counts neighbours and must be >= 1, but is 0"):
        PrecisionRecall(gaussian(9, 0), k=0)
