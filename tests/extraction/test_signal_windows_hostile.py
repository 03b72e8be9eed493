"""Whatever a recording holds, it gives rows of the declared shapes without infinities, or a reason."""

import numpy as np
import pytest

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.extraction.sample_windows import SampleWindows
from emo_ray.extraction.signal_windows import SignalWindows
from emo_ray.features.families import FAMILIES
from emo_ray.features.smoothing import LdsConfig
from emo_ray.signals.eeg_cleaning import EegCleaning

EXTRACTIONS = {
    "segments": SignalWindows(segment_s=4.0, hop_s=3.0),
    "whole": SignalWindows(segment_s=None, token_s=2.0, max_tokens=10, longer="cut"),
    "tokens": SignalWindows(
        segment_s=4.0,
        hop_s=2.0,
        token_s=1.0,
        baseline="subtract",
        smoothing=LdsConfig(kind="smooth"),
        electrodes="EMO14",
        eeg_extras=("hjorth", "ratio"),
    ),
    "cleaned": SignalWindows(cleaning=EegCleaning(low_hz=1.0, high_hz=45.0, reference="average")),
    "samples": SampleWindows(segment_s=4.0, hop_s=3.0, sfreq=50.0, electrodes="EMO14"),
    "cleaned samples": SampleWindows(segment_s=4.0, cleaning=EegCleaning(high_hz=45.0, reference="average")),
}
DAMAGE = {
    "nothing": lambda x, rng: x,
    "all missing": lambda x, rng: np.full_like(x, np.nan),
    "flat": lambda x, rng: np.full_like(x, 3.0),
    "ends in NaN": lambda x, rng: np.where(np.arange(x.shape[1]) < x.shape[1] // 2, x, np.nan),
    "infinite samples": lambda x, rng: np.where(rng.random(x.shape) < 0.3, np.inf, x),
    "goes silent": lambda x, rng: np.where(np.arange(x.shape[1]) < x.shape[1] // 3, x, 0.0),
    "near the end of float32": lambda x, rng: np.sign(x) * 3e38,
}


def any_recording(seed):
    """Some sensors of any length, rate, size and damage."""
    rng = np.random.default_rng(seed)
    signals = {}
    for name in ("eeg", *FAMILIES):
        if rng.random() < 0.5:
            continue
        channels = ("Fp1", "Fp2", "T7", "T8")[: {"eeg": 4, "acc": 3}.get(name, 1)]
        sfreq = float(rng.choice([4, 64, 700] if name in ("eda", "temp", "acc", "gaze") else [128, 200, 256]))
        n_times = round(rng.choice([0, 1, 2.99, 4, 9.99, 20]) * sfreq) + int(rng.integers(3))
        values = rng.normal(size=(len(channels), n_times)) * 10.0 ** rng.integers(-6, 9)
        values = DAMAGE[str(rng.choice(list(DAMAGE)))](values, rng).astype(np.float32)
        unit = {"temp": "degC", "eda": "uS"}.get(name, "arbitrary")
        signals[name] = Signal(values, sfreq, unit, channels, float(rng.choice([0.0, 1.5])))
    return Recording("x/1", "1", "t", "t", "x/1", signals, {"valence": 1.0}, {}, float(rng.choice([0, 3])))


@pytest.mark.parametrize("extraction", EXTRACTIONS.values(), ids=EXTRACTIONS)
def test_rows_of_the_declared_shape_without_infinities_or_a_reason(extraction):
    n_used = 0
    for seed in range(60):
        recording = any_recording(seed)
        rows = extraction.segments(recording)
        assert bool(rows.rejected) == (rows.start_s.size == 0)
        for modality in extraction.modalities(recording) if rows.start_s.size else ():
            values, mask = rows.values[modality.name], rows.masks[modality.name]
            assert values.shape == (rows.start_s.size, modality.n_tokens, modality.n_features)
            assert not np.isinf(values).any()
            assert mask.shape == values.shape[:2]
            n_used += 1
    assert n_used > 30  # not all were rejected
