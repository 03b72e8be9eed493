"""A table of features of a new person, as rows in the order of the file: no label has to be in it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emo_ray.corpora.column_names import SESSION_NAMES, SUBJECT_NAMES, TRIAL_NAMES, plain_name
from emo_ray.corpora.column_roles import Columns, did_you_mean, numbers
from emo_ray.corpora.feature_table import MODALITY, FeatureTable
from emo_ray.corpora.recording import Recording, Signal
from emo_ray.corpora.table_file import find_table, read_table
from emo_ray.deployment.package import SignalFacts
from emo_ray.errors import CorpusError

ONE_PERSON = "person"


def read_unlabelled(place: Path, corpus: FeatureTable, facts: SignalFacts) -> tuple[Recording, ...]:
    """One recording a subject, session and trial, as far as columns tell; the features that a model takes.

    Parameters
    ----------
    corpus : how the training table was read: names of its columns
    facts : features that the model needs

    Raises
    ------
    CorpusError : the file can not be read, or lacks a feature
    """
    columns = Columns(read_table(find_table(place)))
    lacking = [name for name in facts.channels if name not in columns.names]
    if lacking:
        raise CorpusError(
            f"{place} lacks {', '.join(lacking[:8])}{did_you_mean(lacking[0], columns.names)}: of the "
            f"{len(facts.channels)} features that the model takes, {len(lacking)} are not there"
        )
    who = _texts(columns, corpus.subject, SUBJECT_NAMES, ONE_PERSON)
    session = _texts(columns, corpus.session, SESSION_NAMES, "1")
    trial = _texts(columns, corpus.trial, TRIAL_NAMES, "1")
    values = np.stack([numbers(columns[name]) for name in facts.channels])  # features rows
    values = np.where(np.isfinite(values), values, np.nan).astype(np.float32)
    recordings: dict[tuple[str, str, str], list[int]] = {}
    for row, key in enumerate(zip(who, session, trial, strict=True)):
        recordings.setdefault(key, []).append(row)
    prefix = corpus.model_copy(update={"path": place}).prefix
    return tuple(
        Recording(
            subject=f"{prefix}/{key[0]}",
            session=key[1],
            trial=key[2],
            clip=key[2],
            group=f"{prefix}/{key[0]}",
            signals={MODALITY: Signal(values[:, rows], facts.sfreq, facts.unit, facts.channels)},
        )
        for key, rows in recordings.items()
    )


def _texts(columns: Columns, asked: str | None, tiers: Sequence[str], default: str) -> list[str]:
    """The texts of the column that has a role, or one text for all rows."""
    known = {plain_name(name): name for name in columns.names}
    names = [asked] if asked else [known.get(word) for tier in tiers for word in tier.split()]
    found = next((name for name in names if name is not None and name in columns.names), None)
    # An empty name says that there is no such column.
    if found is None or asked == "":
        return [default] * columns.n_rows
    words = columns.words(found)
    return [words.texts[code] if code >= 0 else default for code in words.codes]
