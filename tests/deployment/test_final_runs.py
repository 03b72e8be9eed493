import numpy as np
import pytest

from emo_ray.errors import ProtocolError
from emo_ray.protocols.fold import FinalFold


@pytest.mark.parametrize(
    "sides",
    [((), (), ()), (("a",), ("b",), ()), (("a",), (), ("b",)), (("b", "a"), (), ()), (("a", "a"), (), ())],
    ids=str,
)
def test_a_final_fold_trains_everybody_and_nothing_else(sides):
    with pytest.raises(ProtocolError, match="is to train everybody"):
        FinalFold("everybody", *sides)


def test_a_final_model_has_seen_everybody_and_claims_no_score(package, table):
    lineage = package.lineage
    assert lineage.subjects == table.subjects
    assert lineage.n_segments == len(table)
    assert lineage.scores == ()
    assert "is not known" in lineage.meaning


def test_a_final_model_is_trained_for_all_its_epochs(package):
    assert package.lineage.n_epochs == 2


def test_equal_trainings_have_one_fingerprint_and_other_settings_another(package, make_package):
    assert make_package().fingerprint == package.fingerprint
    assert make_package().weights == package.weights
    assert make_package(seed=1).fingerprint != package.fingerprint


def test_each_feature_is_standardised_over_all_people(package, table):
    values = table.values["features"][table.masks["features"]]
    assert package.affine.shift["features"][0] == pytest.approx(values.mean(axis=0), abs=1e-5)
    assert 1 / package.affine.scale["features"][0] == pytest.approx(values.std(axis=0), rel=1e-5)


def test_the_example_is_nobodys_recording(package, table):
    rows = package.example["dataframe_records"]
    assert {row["subject"] for row in rows} == {"example/person"}
    assert [row["channel"] for row in rows] == [f"f{number}" for number in range(5)]
    made = np.array([row["values"] for row in rows]).T  # tokens features
    nearest = np.abs(table.values["features"] - made[: table.values["features"].shape[1]]).max(axis=(1, 2))
    assert nearest.min() > 0.1
