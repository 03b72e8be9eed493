"""Nearest rows of the same class, which SMOTE interpolates towards."""

import numpy as np
from jaxtyping import Float, Int, Int64

from emo_ray.processes import one_thread
from emo_ray.training.data import SegmentData
from emo_ray.training.seeding import Streams

MAX_NUMBERS = 512
"""Wider rows are projected to so many numbers: distances keep within a tenth (Johnson & Lindenstrauss)."""
MAX_CANDIDATES = 5_000
"""Rows of a class among which neighbours are looked for: the search grows with the table, not its square."""


def class_codes(data: SegmentData, rows: Int[np.ndarray, " rows"]) -> Int64[np.ndarray, " rows"]:
    """One code a row for its classes in all class heads together; -1 where none is defined."""
    names = [head.name for head in data.heads if head.kind == "classes"]
    targets = np.array([data.targets[name][rows] for name in names]).reshape(len(names), len(rows))
    _, codes = np.unique(np.nan_to_num(targets, nan=-1.0), axis=1, return_inverse=True)
    return np.where(np.isfinite(targets).any(axis=0), codes.reshape(-1), -1).astype(np.int64)


def same_class_neighbours(
    data: SegmentData, rows: Int[np.ndarray, " rows"], n_neighbours: int, streams: Streams
) -> Int64[np.ndarray, "rows neighbours"]:
    """The nearest rows of each row among those of its class, as row numbers of the table.

    Rows are compared standardised and flattened, all modalities together, masked and undefined features at
    0, their training mean. Where a class has fewer others, the row itself fills up.

    Parameters
    ----------
    rows : training rows; no other row is looked at
    streams : draws the projection of wide rows and the candidates of large classes
    """
    # Late, for few runs use it.
    from sklearn.neighbors import NearestNeighbors

    found = np.repeat(np.asarray(rows, np.int64)[:, None], n_neighbours, axis=1)
    codes = class_codes(data, rows)
    with one_thread():
        points = _points(data, rows, streams)
        for code in np.unique(codes[codes >= 0]):
            own = np.flatnonzero(codes == code)
            candidates = _candidates(own, streams.generator("candidates", int(code)))
            # one more than asked: the nearest candidate may be the row itself
            n_asked = min(n_neighbours + 1, len(candidates))
            search = NearestNeighbors(n_neighbors=n_asked, algorithm="brute").fit(points[candidates])
            nearest = candidates[search.kneighbors(points[own], return_distance=False)]
            others = _without_self(nearest, own)[:, :n_neighbours]
            found[own, : others.shape[1]] = np.asarray(rows)[others]
    return found


def _points(
    data: SegmentData, rows: Int[np.ndarray, " rows"], streams: Streams
) -> Float[np.ndarray, "rows numbers"]:
    width = sum(n_tokens * n_features for n_tokens, n_features in data.shape().tokens.values())
    projection = None
    if width > MAX_NUMBERS:
        from sklearn.random_projection import GaussianRandomProjection

        seed = streams.integer("projection") % 2**32
        projection = GaussianRandomProjection(MAX_NUMBERS, random_state=seed)
        projection.fit(np.zeros((1, width), np.float32))  # learns the width alone
    parts = []
    for piece in data.pieces(rows):
        x = data.batch(piece).x
        flat = np.concatenate([part.flatten(1).numpy() for part in x.values()], axis=1)
        parts.append(projection.transform(flat) if projection else flat)
    return np.concatenate(parts)


def _candidates(own: Int64[np.ndarray, " own"], generator: np.random.Generator) -> Int64[np.ndarray, " _"]:
    if len(own) <= MAX_CANDIDATES:
        return own
    return np.sort(generator.choice(own, MAX_CANDIDATES, replace=False))


def _without_self(
    nearest: Int64[np.ndarray, "own asked"], own: Int64[np.ndarray, " own"]
) -> Int64[np.ndarray, "own _"]:
    """Each line without its own row; where it is not among the nearest, without the farthest."""
    is_self = nearest == own[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    others: np.ndarray = nearest[~is_self].reshape(len(own), -1)
    return others
