"""Foreign words in one's own sentences: short, and on one line."""

__all__ = ["in_one_line", "sentence", "shortened"]

#: So many characters of a foreign word, and of a foreign sentence, are shown.
_WORD, _SENTENCE = 200, 400


def in_one_line(text: object) -> str:
    """A text with line breaks and whatever else can't be printed escaped."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text))


def shortened(value: object, quote: bool = True) -> str:
    """A value as it is written in Python, or a text as it is, on one line and cut if it is long."""
    try:
        text = in_one_line(repr(value) if quote else value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _WORD else f"{text[:_WORD]}..."


def sentence(error: Exception) -> str:
    """What an error says, on one line, with a full stop; its class, if it says nothing."""
    try:
        lines = str(error).strip().splitlines()
    except ValueError:
        lines = []
    text = " ".join(lines) if isinstance(error, ValueError) else next(iter(lines), "")
    text = in_one_line(text)[:_SENTENCE]
    return (text or type(error).__name__).rstrip(".") + "."
