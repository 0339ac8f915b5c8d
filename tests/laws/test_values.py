"""Whatever an argument is given: one sentence that names it, or a finite result."""

import inspect
import warnings

import pytest
import torch

from tests.laws.hostile import HOSTILE, verdict
from tests.registry import EXAMPLES, output, public_classes

#: Records that the library hands out, and nobody makes.
RECORDS = {"Step", "Transition", "Selection"}


def arguments(example: object) -> dict[str, object]:
    """How an object was made: every argument is an attribute of the same name."""
    return {name: getattr(example, name) for name in inspect.signature(type(example)).parameters}


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - RECORDS))
def test_every_constructor_takes_or_refuses_whatever_it_is_given(name):
    cls, example = public_classes()[name], EXAMPLES[name]()
    given = arguments(example)
    problems = []
    for argument in given:
        for value in HOSTILE:

            def use(changed=given | {argument: value}):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # a system may be singular
                    return output(cls(**changed))

            if argument == "backbone" and isinstance(value, torch.nn.Module):
                continue  # what a network of one's own says against its arguments is its own
            if problem := verdict(use, argument, name):
                problems.append(f"{argument}={str(value)[:60]!r}: {problem[:300]}")
    assert not problems, "\n".join(problems)
