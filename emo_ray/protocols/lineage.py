"""Lineage: which subjects each fitted thing has seen, and the check that none of them is tested with it."""

from collections.abc import Iterable, Mapping

from emo_ray.errors import ProtocolError


def perhaps_among(subjects: Iterable[str], seen: Iterable[str]) -> tuple[str, ...]:
    """Those of some subjects who are, or may be, among others: by name, or by the id after the corpus.

    A table has its file's name before every id, so one person may bear two names; who has an id of
    another study counts as the same person, for taking one for a stranger would be a leak.
    """
    ids = {name.rpartition("/")[2] for name in seen}
    return tuple(sorted(name for name in set(subjects) if name.rpartition("/")[2] in ids))


def check_unseen(subjects: Iterable[str], lineage: Mapping[str, frozenset[str]]) -> None:
    """Refuse to score subjects with anything that has seen them.

    Raises
    ------
    ProtocolError : names the fitted thing and the subjects that it has seen
    """
    tested = set(subjects)
    problems = [
        f"{thing} has seen {', '.join(sorted(seen & tested))}"
        for thing, seen in lineage.items()
        if seen & tested
    ]
    if problems:
        raise ProtocolError(
            f"{'; '.join(problems)}: a score on a subject that steered the model says nothing about a "
            "new person"
        )
