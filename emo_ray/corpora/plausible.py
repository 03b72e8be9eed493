"""Whether EEG can be in the unit that it is said to be in, where few sources or none say so."""

import numpy as np
from jaxtyping import Float32

# From one sample to the next EEG moves by a few uV at 100 to 1000 Hz, however far the electrode drifts.
LEAST_STEP_UV, GREATEST_STEP_UV = 0.03, 300.0  # wide: in mV steps are 1000 times less, in nV 1000 times more


def unlike_microvolts(values: Float32[np.ndarray, "channels times"]) -> str:
    """The usual step from sample to sample where that is not one of EEG in uV; empty where it is.

    The median over time, then over the channels that move at all: no artefact and no dead channel counts.

    Parameters
    ----------
    values : said to be in uV; NaN where missing
    """
    steps = np.abs(np.diff(values, axis=1))
    known = np.isfinite(steps)
    medians = [float(np.median(row[there])) for row, there in zip(steps, known, strict=True) if there.any()]
    moving = [step for step in medians if step > 0]
    if not moving:
        return ""
    step = float(np.median(moving))
    return "" if LEAST_STEP_UV <= step <= GREATEST_STEP_UV else f"{step:.3g} from sample to sample"
