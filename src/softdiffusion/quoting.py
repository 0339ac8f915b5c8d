"""Foreign words in one's own sentences: short, and on one line."""

__all__ = ["sentence", "shortened"]

#: So many characters of a foreign word are shown.
_SHOWN = 200


def shortened(value: object, quote: bool = True) -> str:
    """A value as it is written in Python, or a text as it is, on one line and cut if it is long."""
    try:
        text = repr(value) if quote else str(value)
    except ValueError:  # a whole number of too many digits
        text = f"a {type(value).__name__}"
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def sentence(error: Exception) -> str:
    """What an error says, on one line, with a full stop; its class, if it says nothing."""
    try:
        lines = str(error).strip().splitlines()
    except ValueError:
        lines = []
    text = " ".join(lines) if isinstance(error, ValueError) else next(iter(lines), "")
    text = "".join(c if c.isprintable() else " " for c in text)[:400]
    return (text or type(error).__name__).rstrip(".") + "."
