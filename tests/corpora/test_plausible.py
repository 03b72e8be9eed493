"""Units of EEG, by how far it moves from sample to sample."""

import numpy as np
import pytest

from emo_ray.corpora.plausible import unlike_microvolts

NOISE = np.random.default_rng(0).standard_normal((4, 1000)).astype(np.float32) * 5  # steps of about 5


@pytest.mark.parametrize("drift", [0.0, 2.0])
def test_microvolts_are_plausible_however_far_they_drift(drift):
    assert unlike_microvolts(NOISE + np.float32(drift) * np.arange(1000, dtype=np.float32)) == ""


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3])
def test_volts_millivolts_and_nanovolts_are_not(scale):
    assert "from sample to sample" in unlike_microvolts(NOISE * np.float32(scale))


def test_dead_and_missing_channels_do_not_count():
    values = NOISE.copy()
    values[:2], values[2] = 0, np.nan
    assert unlike_microvolts(values) == ""
    assert unlike_microvolts(values[:3]) == ""
