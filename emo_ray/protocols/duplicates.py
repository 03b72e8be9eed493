"""Duplicates: two subjects of a table who are one person: the recordings of one are a copy of the other's.

Left alone, such a pair turns leave-one-subject-out into a test on training data. Signals are compared by
their signatures where there are any; tables of features by their rows.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from emo_ray.errors import ProtocolError
from emo_ray.signals.signature import OVERSAMPLING, Probe, Signature, likeness, probe_set, probes_of
from emo_ray.store.identity import Identity
from emo_ray.store.moments import CONSTANT_SHARE
from emo_ray.store.segment_table import SegmentTable

DuplicateRule = Literal["refuse", "group", "ignore"]

N_PROBES = 6
LEAST_PROBES = 2
CHANCE = 1e-10  # of one shift of one probe; a study of 40 tries some 10^8 of them
LEAST_LIKENESS = 0.65  # where long probes make chance rare: hearts beat alike, real strangers reach 0.52
REPEATING = 0.9  # a probe that its own subject repeats so exactly, as a sine does, would be found in anybody

LEAST_ROWS = 8
N_QUERIES = 64  # rows of a subject that are searched for in others, each with the one after it
MOST_ROWS = 2000  # rows of a subject that are searched through
MOST_FEATURES = 32  # more are projected onto so many at random, which keeps distances
NEIGHBOURS = 3  # rows before and after that may overlap with a row
NEAR = 0.5  # of the distance to the nearest row of oneself and of others; strangers are at about 1
LEAST_FOUND = 0.5  # share of rows that are near and in order; real strangers reach 0.05

Pair = tuple[str, str]
Rows = Float32[np.ndarray, "rows features"]
Queries = Int64[np.ndarray, " queries"]


@dataclass(frozen=True)
class DuplicatePair:
    """Two subjects who are near copies of each other.

    ``score`` is the likeness that half of the probes reach (signals), or the share of rows that are found in
    the other subject in the same order (features): 1 for a perfect copy.
    """

    one: str
    other: str
    score: float
    why: str

    def __str__(self) -> str:
        return f"{self.one} and {self.other} ({self.why})"


@dataclass(frozen=True)
class Judgement:
    """How alike two subjects are by one measure, and from where on that is a copy."""

    pair: Pair
    score: float
    limit: float
    what: str


def find_duplicates(table: SegmentTable) -> tuple[DuplicatePair, ...]:
    """All pairs of subjects in a table who are near copies, sorted by name.

    Pairs without a common signature (features, short trials) are compared by their rows.
    """
    return _copies(judgements(table))


def duplicates_among(people: Mapping[str, Identity]) -> tuple[DuplicatePair, ...]:
    """`find_duplicates` of recordings from which no table has been made."""
    signatures = {name: one.signatures for name, one in people.items()}
    return _copies(
        _judgements(signatures, lambda: {name: _projected(_z(one.rows)) for name, one in people.items()})
    )


def _copies(judgements: Iterable[Judgement]) -> tuple[DuplicatePair, ...]:
    found: dict[Pair, DuplicatePair] = {}
    for judged in judgements:
        if judged.score >= judged.limit and (
            judged.pair not in found or judged.score > found[judged.pair].score
        ):
            found[judged.pair] = DuplicatePair(
                *judged.pair, judged.score, f"{judged.what} {judged.score:.2f}"
            )
    return tuple(found[pair] for pair in sorted(found))


def units_of(groups: Mapping[str, str], duplicates: Sequence[DuplicatePair]) -> dict[str, str]:
    """Groups, with those joined that share a person; a joined one has the first of their names.

    Parameters
    ----------
    groups : subject to whom it is never parted from; pairs of which one is no key are passed over
    """
    units = dict(groups)
    for pair in duplicates:
        if pair.one not in units or pair.other not in units:
            continue
        first, second = sorted((units[pair.one], units[pair.other]))
        units = {subject: first if unit == second else unit for subject, unit in units.items()}
    return units


def check_no_duplicates(duplicates: Sequence[DuplicatePair]) -> None:
    """Refuse people who are in the data twice.

    Raises
    ------
    ProtocolError : names all pairs, and what can be done
    """
    if duplicates:
        raise ProtocolError(
            f"near copies of one recording under two names: {'; '.join(map(str, duplicates))}. One would "
            "train what the other tests: leave one of each pair out with --subjects, test them together with "
            "--duplicates group, or, if they are two people after all, say --duplicates ignore"
        )


def judgements(table: SegmentTable) -> Iterator[Judgement]:
    """Every comparison that can be made; a pair may be in several, by modality, or in none."""
    return _judgements(
        table.signatures,
        lambda: {name: _standardised(table, code) for code, name in enumerate(table.subjects)},
    )


def _judgements(
    signatures: Mapping[str, tuple[Signature, ...]], rows: Callable[[], Mapping[str, Rows]]
) -> Iterator[Judgement]:
    names = sorted({signature.name for some in signatures.values() for signature in some})
    by_signal: set[Pair] = set()
    for name in names:
        owned = {
            subject: signature
            for subject, some in signatures.items()
            for signature in some
            if signature.name == name
        }
        for judged in _by_signal(name, owned):
            by_signal.add(judged.pair)
            yield judged
    yield from (judged for judged in _by_rows(rows()) if judged.pair not in by_signal)


def _by_signal(name: str, owned: Mapping[str, Signature]) -> Iterator[Judgement]:
    longest = max(signature.samples.shape[0] for signature in owned.values())
    probes = {subject: _telling_probes(signature, longest) for subject, signature in owned.items()}
    asked = {subject: some for subject, some in probes.items() if len(some) >= LEAST_PROBES}
    everybody = probe_set([probe for some in asked.values() for probe in some], longest)
    found: dict[Pair, Judgement] = {}
    for subject, signature in owned.items():
        alike = likeness(everybody, signature)
        for other, some in asked.items():
            own, alike = alike[: len(some)], alike[len(some) :]
            if other == subject:
                continue
            judged = _judged(name, _pair(subject, other), own, some)
            # Both ways: of a copy that was cut short, the probes of the whole are not all in the part.
            best = found.get(judged.pair, judged)
            found[judged.pair] = max(judged, best, key=lambda one: one.score - one.limit)
    yield from found.values()


def _telling_probes(signature: Signature, n_samples: int) -> tuple[Probe, ...]:
    probes = probes_of(signature, N_PROBES)
    again = likeness(probe_set(probes, n_samples), signature, own=True)
    return tuple(probe for probe, alike in zip(probes, again, strict=True) if alike < REPEATING)


def _judged(name: str, pair: Pair, alike: Float[np.ndarray, " probes"], probes: Sequence[Probe]) -> Judgement:
    """Half of the probes must be above what chance makes of their length."""
    n_free = np.asarray([probe.samples.size for probe in probes]) / OVERSAMPLING
    # Of n complex numbers without any relation the squared likeness exceeds x by chance (1 - x)^(n - 1).
    limits = np.maximum(LEAST_LIKENESS, np.sqrt(1 - CHANCE ** (1 / (n_free - 1))))
    # The lower half may be missing from a copy that was cut.
    place = np.argsort(limits - alike)[(len(probes) - 1) // 2]
    return Judgement(pair, float(alike[place]), float(limits[place]), f"{name}: likeness")


def _by_rows(every: Mapping[str, Rows]) -> Iterator[Judgement]:
    rows = {name: part for name, part in every.items() if len(part) >= LEAST_ROWS}
    if len(rows) < 2:
        return
    pool = np.concatenate(list(rows.values()))  # one product a subject: hundreds of small ones cost more
    edges = np.cumsum([0, *map(len, rows.values())])
    spans = {name: slice(first, end) for name, first, end in zip(rows, edges[:-1], edges[1:], strict=True)}
    for one, part in rows.items():
        at = _queries(len(part))
        squared = _squared_distances(part[at], pool)
        own = squared[:, spans[one]]
        own[np.abs(at[:, None] - np.arange(len(part))) <= NEIGHBOURS] = np.inf
        others = {name: squared[:, span] for name, span in spans.items() if name != one}
        usual = _usual_distance(own.min(axis=1), np.stack([part.min(axis=1) for part in others.values()]))
        for name, distances in others.items():
            # squared, as the distances are
            score = _found_share(distances.argmin(axis=1), distances.min(axis=1) < NEAR**2 * usual)
            yield Judgement(_pair(one, name), score, LEAST_FOUND, "rows found again in order:")


def _usual_distance(
    own: Float32[np.ndarray, " queries"], others: Float32[np.ndarray, "subjects queries"]
) -> Float32[np.ndarray, " queries"]:
    """How near a row has a stranger's: that of oneself at other times, or of the middle one of the others."""
    if len(others) == 1:
        return own
    middle = len(others) // 2  # of two the farther: the nearer may be the copy
    usual: Float32[np.ndarray, " queries"] = np.minimum(own, np.partition(others, middle, axis=0)[middle])
    return usual


def _found_share(place: Int64[np.ndarray, " queries"], is_near: Bool[np.ndarray, " queries"]) -> float:
    """Share of pairs of neighbouring rows that are both near rows of another, neighbours there as well."""
    in_order = np.diff(place.reshape(-1, 2), axis=1)[:, 0] == 1
    return float((is_near.reshape(-1, 2).all(axis=1) & in_order).mean())


def _standardised(table: SegmentTable, code: int) -> Rows:
    """One row a segment: the mean over its tokens, each feature standardised by the subject's own rows."""
    at = np.flatnonzero(table.subject == code)[:MOST_ROWS]
    parts = []
    for name, values in table.values.items():
        valid = table.masks[name][at][:, :, None] & np.isfinite(values[at])  # rows tokens features
        total = np.where(valid, values[at], 0).sum(axis=1, dtype=np.float64)
        count = valid.sum(axis=1)
        parts.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    features = np.concatenate(parts, axis=1)
    return _projected(_z(features))


def _z(features: Float[np.ndarray, "rows features"]) -> Float[np.ndarray, "rows features"]:
    """Standardised columns; one that is constant, or missing, is 0."""
    known = np.isfinite(features)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, features, 0).sum(axis=0) / count
    centred = np.where(known, features - mean, 0)
    spread = np.sqrt((centred**2).sum(axis=0) / count)
    varies = spread > CONSTANT_SHARE * np.abs(mean)
    return centred / np.where(varies, spread, np.inf)


def _projected(features: Float[np.ndarray, "rows features"]) -> Float32[np.ndarray, "rows kept"]:
    n_features = features.shape[1]
    if n_features > MOST_FEATURES:
        # The same for everybody: seeded by the number of features alone.
        draw = np.random.default_rng(n_features).standard_normal((n_features, MOST_FEATURES))
        features = features @ draw / np.sqrt(MOST_FEATURES)
    return features.astype(np.float32)


def _queries(n_rows: int) -> Queries:
    """Numbers of rows, spread evenly, each followed by the one after it."""
    n_pairs = min(N_QUERIES, n_rows - 1)
    first = np.unique(np.linspace(0, n_rows - 2, n_pairs).round().astype(np.int64))
    return np.stack([first, first + 1], axis=1).ravel()


def _squared_distances(
    queries: Float32[np.ndarray, "queries features"], rows: Rows
) -> Float32[np.ndarray, "queries rows"]:
    squared: Float32[np.ndarray, "queries rows"] = queries @ rows.T
    squared *= -2
    squared += (queries**2).sum(axis=1)[:, None]
    squared += (rows**2).sum(axis=1)
    np.maximum(squared, 0, out=squared)  # rounding may leave a distance a little below
    return squared


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)
