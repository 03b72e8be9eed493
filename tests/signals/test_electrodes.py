"""Electrode names: one spelling, a place each, and mapping by name."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from emo_ray.errors import SignalError
from emo_ray.signals.electrodes import (
    DEAP32,
    ELECTRODE_SETS,
    EMO14,
    SJTU62,
    canonical_name,
    hemisphere_pairs,
    is_electrode,
    map_electrodes,
    mirror,
    positions,
)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("FP1", "Fp1"),
        ("fp1", "Fp1"),
        ("POZ", "POz"),
        ("T3", "T7"),
        ("t6", "P8"),
        ("EEG T5", "P7"),
        ("EEG Fp1-Ref", "Fp1"),
        ("EEG FZ-LE", "Fz"),
        (" Fc5.. ", "FC5"),
        ("cb2", "CB2"),
        ("M1", "M1"),
    ],
)
def test_every_spelling_becomes_one(written, canonical):
    assert canonical_name(written) == canonical


@pytest.mark.parametrize("name", ["A2-A1", "EEG A2-A1", "ECG ECG", "HEO", "", "F3-F4", "EEG", "Fp1\nFp2"])
def test_what_is_no_electrode_is_refused_by_name(name):
    assert not is_electrode(name)
    with pytest.raises(SignalError, match="is no electrode") as error:
        canonical_name(name)
    assert repr(name) in str(error.value)


@pytest.mark.parametrize(("name", "size"), [("EMO14", 14), ("DEAP32", 32), ("SJTU62", 62)])
def test_a_set_has_its_size_once_each_in_canonical_spelling(name, size):
    electrodes = ELECTRODE_SETS[name]
    assert len(set(electrodes)) == len(electrodes) == size
    assert [canonical_name(electrode.upper()) for electrode in electrodes] == list(electrodes)


def test_sets_are_in_the_order_of_their_corpora():
    # 0-based places from the corpora's own channel lists
    assert (DEAP32[13], DEAP32[16], DEAP32[31]) == ("O1", "Fp2", "O2")
    assert (SJTU62[0], SJTU62[23], SJTU62[57], SJTU62[61]) == ("Fp1", "T7", "CB1", "CB2")
    assert (EMO14[0], EMO14[6], EMO14[13]) == ("AF3", "O1", "AF4")


def test_places_are_on_the_right_side_of_the_head():
    c3, c4, cz, fpz, oz = positions(["C3", "C4", "Cz", "Fpz", "Oz"])
    assert c3[0] < -0.05 < 0.05 < c4[0]  # metres
    assert oz[1] < -0.05 < 0.05 < fpz[1]
    assert abs(cz[0]) < 0.005
    assert cz[2] > 0.08
    assert_array_equal(positions(["T3"]), positions(["T7"]))


def test_the_cerebellar_electrodes_lie_below_po7_and_po8_and_mirror_each_other():
    cb1, cb2, po7, po8, o1 = positions(["CB1", "CB2", "PO7", "PO8", "O1"])
    assert cb1[2] < po7[2] - 0.02
    assert cb2[2] < po8[2] - 0.02
    assert_allclose(cb1[:2], po7[:2], atol=0.002)
    assert_allclose(cb1 * [-1, 1, 1], cb2, atol=0.001)
    assert 0.02 < np.linalg.norm(cb1 - o1) < 0.08


def test_no_two_electrodes_of_a_set_share_a_place():
    places = positions(SJTU62)
    distances = np.linalg.norm(places[:, None] - places, axis=-1) + np.eye(62)
    assert distances.min() > 0.01


def test_mapping_orders_by_name_and_leaves_nan_for_the_absent():
    values = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]], dtype=np.float32)
    mapped, present = map_electrodes(values, ["EEG T4", "HEO", "FP1"], to=("Fp1", "Cz", "T8"))
    assert_array_equal(mapped, np.array([[3, 30], [np.nan, np.nan], [1, 10]], dtype=np.float32))
    assert_array_equal(present, [True, False, True])
    assert mapped.dtype == np.float32


def test_mapping_keeps_all_other_axes():
    values = np.random.default_rng(0).normal(size=(14, 3, 2))
    mapped, present = map_electrodes(values, EMO14, to=SJTU62)
    assert mapped.shape == (62, 3, 2)
    assert present.sum() == 14
    assert_array_equal(mapped[SJTU62.index("P7")], values[EMO14.index("P7")])


def test_mapping_refuses_one_electrode_twice():
    with pytest.raises(SignalError, match="'T3' and 'T7' are both electrode T7"):
        map_electrodes(np.zeros((2, 4)), ["T3", "T7"], to=EMO14)


def test_mapping_refuses_a_wrong_number_of_names():
    with pytest.raises(SignalError, match="1 names for 2 channels"):
        map_electrodes(np.zeros((2, 4)), ["T7"], to=EMO14)


@pytest.mark.parametrize(
    ("name", "other"),
    [("F3", "F4"), ("af8", "AF7"), ("Cz", None), ("T3", "T8"), ("P10", "P9"), ("CB1", "CB2")],
)
def test_mirrors(name, other):
    assert mirror(name) == other


def test_mirrored_names_are_mirrored_places():
    others = [mirror(name) for name in SJTU62 if mirror(name)]
    names = [name for name in SJTU62 if mirror(name)]
    assert len(names) == 54  # 8 lie on the midline: Fpz, Fz, FCz, Cz, CPz, Pz, POz, Oz
    assert_allclose(positions(names)[:, 0], -positions(others)[:, 0], atol=0.005)


def test_pairs_are_left_then_right_and_whole():
    assert hemisphere_pairs(["F4", "F3", "Cz", "P7", "T8"]) == (("F3", "F4"),)
    assert len(hemisphere_pairs(SJTU62)) == 27
    assert hemisphere_pairs(EMO14)[0] == ("AF3", "AF4")
