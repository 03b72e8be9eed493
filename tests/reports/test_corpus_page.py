"""The page on a corpus: what is drawn of a trial, and what stands below."""

import numpy as np
import pytest

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.reports.corpus_page import _shown, stacked, trial_figure


def signal(n_channels, seconds, sfreq, unit="uV"):
    times = np.arange(round(seconds * sfreq)) / sfreq
    values = np.tile(times, (n_channels, 1)).astype(np.float32)
    return Signal(values, sfreq, unit, tuple(f"c{number}" for number in range(n_channels)))


@pytest.mark.parametrize(
    ("name", "sfreq", "first_s", "last_s"),
    [
        ("eeg", 128.0, 295.0, 305.0),  # ten seconds around the middle of 600
        ("chest_eda", 700.0, 0.0, 600.0),
        ("temp", 128.0, 0.0, 600.0),
        ("resp", 700.0, 270.0, 330.0),
        ("bands", 8.0, 0.0, 600.0),
    ],
)
def test_fast_signals_show_ten_seconds_and_slow_ones_all_whatever_their_rate(name, sfreq, first_s, last_s):
    times, values = _shown(name, signal(1, 600.0, sfreq))
    assert (times[0], times[-1]) == pytest.approx((first_s, last_s), abs=0.2)
    assert values[0] == pytest.approx(times)
    assert times.size <= 12_000


@pytest.mark.parametrize("height", [10.0, 0.02])
def test_channels_stand_one_unit_apart_at_a_common_scale(height):
    wave = height * np.sin(np.linspace(0, 20 * np.pi, 1000))
    lines, apart = stacked(np.stack([5 * height + wave, wave]))
    assert apart == pytest.approx(2 * height, rel=0.01)  # from -height to height
    assert (lines[0].max(), lines[1].min()) == pytest.approx((0.5, -1.5), abs=0.01)


def test_channels_of_another_size_have_a_scale_of_their_own():
    wave = np.sin(np.linspace(0, 20 * np.pi, 1000))
    lines, apart = stacked(np.stack([0.1 * wave, 400 * wave, np.full(1000, np.nan)]))
    assert apart is None
    assert (lines[0].max(), lines[1].min()) == pytest.approx((0.5, -1.5), abs=0.01)


def test_nothing_but_missing_samples_is_drawn_empty():
    lines, apart = stacked(np.full((2, 10), np.nan))
    assert apart is None
    assert np.isnan(lines).all()


def test_the_caption_tells_some_ratings_and_counts_the_others():
    ratings = {f"panas_{number}": 1.0 for number in range(24)}
    recording = Recording("s/1", "1", "t", "c", "s/1", {"eeg": signal(2, 4.0, 128.0)}, ratings)
    caption = trial_figure(recording).caption
    assert "panas_9 1, 14 more." in caption
    assert "panas_10" not in caption
