"""Natural order: S2 before S10, as people number their subjects."""

import re


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which digits count as numbers and come before letters; no two texts are equal."""
    parts = re.findall(r"\d+|\D+", text)
    # the text itself stands last, so that "S2" and "S02" have an order too
    return tuple((0, int(part), part) if part[0].isdecimal() else (1, 0, part) for part in parts)
