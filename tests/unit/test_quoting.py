"""Foreign words in messages are short and on one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softdiffusion.quoting import in_one_line, sentence, shortened
from softdiffusion.random import generators

ANYTHING = st.text() | st.integers() | st.binary() | st.lists(st.text()) | st.floats()


@given(ANYTHING, st.booleans())
def test_whatever_is_quoted_is_short_and_on_one_line(value, quote):
    text = shortened(value, quote)
    assert text.isprintable() and len(text) <= 203


@given(st.text())
def test_a_text_stays_as_it_is_but_for_what_can_not_be_printed(text):
    line = in_one_line(text)
    assert line.isprintable() and (line == text or not text.isprintable())


@given(st.text())
def test_an_error_becomes_one_sentence(text):
    said = sentence(ValueError(text))
    assert said.isprintable() and said.endswith(".") and len(said) > 1


def test_a_number_too_long_to_be_written_is_refused_by_the_name_of_its_argument():
    with pytest.raises(ValueError, match="seed of generators must .* thousands of digits"):
        generators(10**5000, [0])
    with pytest.raises(ValueError, match="indices must lie in .* thousands of digits"):
        generators(0, [10**5000])
