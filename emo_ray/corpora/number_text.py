"""A number as the text that names it."""


def number_text(value: float) -> str:
    """``"1"`` for 1.0, ``"1000001"``, ``"0.5"``: as short as tells every number from every other.

    From 2^53 on doubles skip whole numbers: there the text is ``"9007199254740992.0"``, never a digit more
    than is known.
    """
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
