"""Pairs of electrodes by name, and what is compared between them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emo_ray.errors import SignalError
from emo_ray.features.asymmetry import asymmetry, asymmetry_names, front_back_pairs, left_right_pairs


def names(text: str) -> list[str]:
    return text.split()


CAP62 = names(
    "FP1 FPZ FP2 AF3 AF4 F7 F5 F3 F1 FZ F2 F4 F6 F8 FT7 FC5 FC3 FC1 FCZ FC2 FC4 FC6 FT8 T7 C5 C3 C1 CZ C2 C4 "
    "C6 T8 TP7 CP5 CP3 CP1 CPZ CP2 CP4 CP6 TP8 P7 P5 P3 P1 PZ P2 P4 P6 P8 PO7 PO5 PO3 POZ PO4 PO6 PO8 CB1 O1 "
    "OZ O2 CB2"
)
EMOTIV14 = names("AF3 F7 F3 FC5 T7 P7 O1 O2 P8 T8 FC6 F4 F8 AF4")
DEAP32 = names(
    "Fp1 AF3 F3 F7 FC5 FC1 C3 T7 CP5 CP1 P3 P7 PO3 O1 Oz Pz Fp2 AF4 Fz F4 F8 FC6 FC2 Cz C4 T8 CP6 CP2 P4 P8 "
    "PO4 O2"
)


@pytest.mark.parametrize(("cap", "n_pairs"), [(CAP62, 27), (EMOTIV14, 7), (DEAP32, 14)])
def test_every_lateral_electrode_is_in_one_pair(cap, n_pairs):
    pairs = left_right_pairs(cap)
    lateral = {name for name in cap if not name.upper().endswith("Z")}
    assert len(pairs) == n_pairs
    assert {name for pair in pairs for name in pair} == lateral
    assert ("F3", "F4") in pairs


def test_old_names_pair_and_lone_electrodes_do_not():
    assert left_right_pairs(["t5", "T3", "CZ", "T4", "T6", "F9"]) == (("t5", "T6"), ("T3", "T4"))


def test_the_cap_has_23_pairs_of_front_and_back():
    pairs = front_back_pairs(CAP62)
    assert len(pairs) == 23
    assert len({name for pair in pairs for name in pair}) == 46
    listed = {("FT7", "TP7"), ("FCZ", "CPZ"), ("F1", "P1"), ("FZ", "PZ"), ("FP1", "O1"), ("AF4", "CB2")}
    assert listed <= set(pairs)


def test_a_cap_without_the_back_has_fewer_pairs():
    assert front_back_pairs(["Fp1", "Fz", "F3", "P3", "Pz", "AF3"]) == (("Fz", "Pz"), ("F3", "P3"))


def test_differences_and_ratios_are_taken_by_name_and_band():
    features = np.array([[1.0, 10.0, 2.0, 20.0, 4.0, 50.0]])  # three channels of two bands
    pairs = (("C4", "C3"), ("C3", "CZ"))
    assert_allclose(asymmetry(features, ["C3", "CZ", "C4"], pairs), [[3.0, 40.0, -1.0, -10.0]])
    assert_allclose(asymmetry(features, ["C3", "CZ", "C4"], pairs, "ratio"), [[4.0, 5.0, 0.5, 0.5]])
    assert asymmetry_names(pairs, ["theta", "alpha"]) == (
        "C4-C3/theta",
        "C4-C3/alpha",
        "C3-CZ/theta",
        "C3-CZ/alpha",
    )
    assert asymmetry_names(pairs[:1], ["theta"], "ratio") == ("C4:C3/theta",)


def test_a_silent_channel_and_a_division_by_zero_are_nan():
    features = np.array([[np.nan, 1.0, 0.0]])
    pairs = (("C3", "C4"), ("C4", "CZ"))
    assert np.isnan(asymmetry(features, ["C3", "C4", "CZ"], pairs)).tolist() == [[True, False]]
    assert np.isnan(asymmetry(features, ["C3", "C4", "CZ"], pairs, "ratio")).all()


def test_pairs_of_other_channels_are_refused():
    with pytest.raises(SignalError, match=r"unknown names \['P3'\]"):
        asymmetry(np.zeros((1, 2)), ["C3", "C4"], (("C3", "P3"),))
