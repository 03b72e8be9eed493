"""The smoother takes its tokens for equally spaced, so settings that leave holes between them are refused."""

import pytest
from pydantic import ValidationError

from emo_ray.extraction.signal_windows import SignalWindows
from emo_ray.features.smoothing import LdsConfig

CAUSAL = LdsConfig(kind="causal")


def test_segments_with_holes_between_them_can_not_be_smoothed():
    # tokens at 0, 1, 2, 3, then 6, 7, ...
    with pytest.raises(ValidationError, match="no longer than a segment"):
        SignalWindows(segment_s=4.0, token_s=1.0, hop_s=6.0, smoothing=CAUSAL)


@pytest.mark.parametrize("hop_s", [2.0, 4.0])
def test_segments_that_touch_or_overlap_can(hop_s):
    assert SignalWindows(segment_s=4.0, token_s=1.0, hop_s=hop_s, smoothing=CAUSAL).smoothing == CAUSAL


def test_single_tokens_may_lie_apart():
    assert SignalWindows(segment_s=4.0, hop_s=6.0, smoothing=CAUSAL).hop_s == 6.0
