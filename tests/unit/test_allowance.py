"""What a constructor asks for is counted before it is there."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import softdiffusion as sd
from softdiffusion.allowance import Allowance

#: Numbers that are held for a moment, while the arguments are checked.
_CHECKED = 32

NETWORKS = st.builds(
    sd.SmallUNet,
    channels=st.integers(1, 4),
    width=st.sampled_from([8, 16]),
    multipliers=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    blocks=st.integers(1, 2),
    attention=st.booleans(),
    classes=st.integers(0, 5),
)


@settings(max_examples=15, deadline=None)
@given(NETWORKS)
def test_a_network_asks_for_its_weights_and_no_more(network):
    """And under the allowance it is the same one."""
    arguments = {n: getattr(network, n) for n in ("channels", "width", "multipliers", "blocks")}
    arguments |= {"attention": network.attention, "classes": network.classes}
    count = sum(parameter.numel() for parameter in network.parameters())
    state = torch.random.get_rng_state()
    with Allowance(count + _CHECKED, 10_000) as allowance:
        built = sd.SmallUNet(**arguments)
    assert 0 <= allowance.left <= _CHECKED
    torch.random.set_rng_state(state)
    again = sd.SmallUNet(**arguments).state_dict()
    assert all(torch.equal(value, again[name]) for name, value in built.state_dict().items())
    with pytest.raises(ValueError, match="more than the files"), Allowance(count - 1, 10_000):
        sd.SmallUNet(**arguments)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: torch.empty(10**9, 10**6),
        lambda: torch.eye(10**8),
        lambda: torch.linspace(0, 1, 10**12),
        lambda: torch.randn(10**9, 10**6, generator=torch.Generator()),
        lambda: torch.randperm(10**12, generator=torch.Generator()),
        lambda: torch.arange(10**5)[:, None] * torch.arange(10**5),
        lambda: torch.zeros(3).new_zeros(10**12),
        lambda: torch.zeros(3).repeat(10**12),
        lambda: torch.zeros(10**4, 1) @ torch.zeros(1, 10**4),
        lambda: [torch.zeros(100) for _ in range(10**9)],
        lambda: [torch.zeros(1) for _ in range(10**9)],
    ],
)
def test_what_is_too_large_is_never_there(ask):
    with pytest.raises(ValueError, match="its arguments ask for more"), Allowance(10**6, 1000):
        ask()


def test_an_end_within_a_block_without_gradients_leaves_it():
    with pytest.raises(ValueError), Allowance(10, 10), torch.no_grad():
        torch.zeros(100)
    assert torch.is_grad_enabled()
