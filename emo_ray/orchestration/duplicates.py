"""The verdict on duplicates, kept in the store: looking takes seconds, and the answer stays the same."""

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from emo_ray.files import text_digest, write_atomically
from emo_ray.protocols.duplicates import DuplicatePair, find_duplicates
from emo_ray.provenance import code_digest
from emo_ray.store.segment_table import SegmentTable

_CODE = ("protocols/duplicates.py", "signals/signature.py")


def known_duplicates(table: SegmentTable, store: Path) -> tuple[DuplicatePair, ...]:
    """Near copies in a table: as found by an earlier start on the same features, or found now."""
    lines = [code_digest(_CODE), *(f"{name} {table.keys[name]}" for name in table.subjects)]
    path = store / "duplicates" / f"{text_digest(chr(10).join(lines))[:32]}.json"
    with suppress(OSError, ValueError, TypeError):
        return tuple(DuplicatePair(**pair) for pair in json.loads(path.read_text()))
    pairs = find_duplicates(table)
    # A verdict that can not be kept is found again.
    with suppress(OSError):
        write_atomically(path, json.dumps([asdict(pair) for pair in pairs]))
    return pairs
