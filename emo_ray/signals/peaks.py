"""Peaks between the samples: where the top of a wave lies that was sampled too coarsely for its timing."""

import numpy as np
from jaxtyping import Float, Int


def parabola_offset(
    signal: Float[np.ndarray, " times"], peaks: Int[np.ndarray, " peaks"]
) -> Float[np.ndarray, " peaks"]:
    """Samples from each peak to the top of the parabola through it and its two neighbours.

    Within -0.5 and 0.5 where the peak is higher than both neighbours; 0 where the three do not bend downwards
    (a clipped top) and at the first and last sample.

    Parameters
    ----------
    signal : any unit, three samples or more, without NaN
    peaks : samples, in any order
    """
    inner = np.clip(peaks, 1, signal.size - 2)
    before, top, after = signal[inner - 1], signal[inner], signal[inner + 1]
    bend = before - 2.0 * top + after
    bent = (bend < 0) & (inner == peaks)
    return np.where(bent, 0.5 * (before - after) / np.where(bent, bend, 1.0), 0.0)  # 1: any number but 0
