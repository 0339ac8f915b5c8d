import pytest
import torch

import softdiffusion as sd
from softdiffusion.operators import DCT, Pixel

X = torch.randn(2, 1, 5, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_members_act_in_the_order_of_the_list():
    both = sd.Composition([sd.GaussianBlur(), sd.FadingMask()], [4.0, 3.0])
    severity = torch.tensor([0.5, 1.0], dtype=torch.float64)
    expected = sd.FadingMask().at(3 * severity)(sd.GaussianBlur().at(4 * severity)(X))
    assert torch.allclose(both.at(severity)(X), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "members, transform",
    [
        ([sd.GaussianBlur(), sd.GaussianBlur()], DCT()),
        ([sd.Scaling(), sd.GaussianBlur()], DCT()),
        ([sd.Scaling(), sd.FadingMask()], Pixel()),
        ([sd.FadingMask(), sd.Identity()], Pixel()),
        ([sd.Scaling(), sd.Identity()], DCT()),
        ([sd.FadingMask(), sd.GaussianBlur()], None),
        ([sd.Scaling(), sd.MatrixFamily(torch.ones(4, 4).triu())], None),
    ],
)
def test_it_is_diagonal_where_the_product_of_its_members_is(members, transform):
    """Multiples of the identity are diagonal in every transform."""
    assert sd.Composition(members, [0.5, 0.5]).transform == transform


@pytest.mark.parametrize("members, severities", [([], []), ([sd.Scaling()], [0.1, 0.2])])
def test_every_member_has_one_severity(members, severities):
    with pytest.raises(ValueError, match="needs one severity for each of its corruptions"):
        sd.Composition(members, severities)


def test_a_final_severity_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"severity of Scaling .* must be in \[0, 1\], but is 1.5"):
        sd.Composition([sd.Scaling()], [1.5])
