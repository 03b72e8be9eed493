"""Tops of waves between the samples."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.signals.peaks import parabola_offset


@pytest.mark.parametrize("top", [3.0, 2.6, 3.4])
def test_the_top_of_a_parabola_is_found_exactly(top):
    signal = 5.0 - (np.arange(7) - top) ** 2
    assert_allclose(parabola_offset(signal, np.array([3])), [top - 3], atol=1e-12)


def test_a_clipped_top_and_the_ends_stay_where_they_are():
    signal = np.array([9.0, 1.0, 2.0, 2.0, 2.0, 1.0, 9.0])
    assert_array_equal(parabola_offset(signal, np.array([3, 0, 6])), [0, 0, 0])


def test_no_peaks_have_no_offsets():
    assert parabola_offset(np.zeros(5), np.zeros(0, dtype=np.int64)).shape == (0,)
