"""What a model to beat offers, and the flat features that references look at."""

from typing import Protocol

import numpy as np
from jaxtyping import Float32, Int

from emo_ray.models.blocks import by_segment, masked_mean
from emo_ray.training.data import SegmentData


class Reference(Protocol):
    """A model to beat: fitted on the train rows, asked about the test rows of the same fold."""

    def fit_predict(
        self,
        data: SegmentData,
        train_rows: Int[np.ndarray, " train"],
        test_rows: Int[np.ndarray, " test"],
        seed: int,
    ) -> dict[str, np.ndarray]:
        """Predictions by head in natural units, in the format of `training.loop.predict`."""


def token_means(data: SegmentData, rows: Int[np.ndarray, " rows"]) -> Float32[np.ndarray, "rows features"]:
    """Standardised features of all modalities side by side, each the mean over its valid tokens.

    With one token this is the token itself. What is undefined or masked is 0, the train mean. Earlier
    segments that the network is shown stand beside it, each a mean of its own.
    """
    parts = []
    for chunk in data.pieces(rows):
        batch = data.batch(chunk)
        # batch features, a modality: the same standardised values as the network is given
        segments = [by_segment(batch.x[name], batch.mask[name], 1 + data.n_context) for name in data.values]
        means = [masked_mean(x, mask).view(len(chunk), -1).numpy() for x, mask in segments]
        # chunks bound the memory: features of all tokens of all rows need not be there at once
        parts.append(np.concatenate(means, axis=1))
    return np.concatenate(parts)
