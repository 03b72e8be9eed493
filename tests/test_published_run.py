"""A run of a published procedure: its flaws are there, are named, and never get into a clean run."""

import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from pydantic import ValidationError

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.corpora.recording import RejectedTrial
from emo_ray.errors import ConfigError, ProtocolError
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.models.mlp import MlpConfig
from emo_ray.orchestration.plan import make_plan
from emo_ray.orchestration.study import Study, _with_published, describe
from emo_ray.protocols.fold import MixedFold
from emo_ray.protocols.normalize import fit_scaler
from emo_ray.protocols.procedure import Procedure
from emo_ray.protocols.subject_protocols import HoldOut, LeaveOneSubjectOut, RandomRows
from emo_ray.published import _ends, published_material
from emo_ray.run import execute, segment_data
from emo_ray.store.local import load_corpus
from emo_ray.training.augmentation import AugmentationConfig
from emo_ray.training.config import TrainingConfig
from emo_ray.training.seeding import Streams

CORPUS = FakeCorpus(n_subjects=6, n_trials=12, seed=3)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return load_corpus(CORPUS, RawTokens(), tmp_path_factory.mktemp("store"))


def spec_of(table, protocol=None, **fields):
    known = {
        "corpus": CORPUS,
        "extraction": RawTokens(),
        "task": CORPUS.tasks()["label"],
        "model": MlpConfig(),
        "training": TrainingConfig(max_epochs=2),
        "procedure": Procedure(kind="published"),
    }
    config = ExperimentConfig(**{**known, "protocol": protocol or RandomRows(), **fields})
    folds = config.protocol.folds(dict(zip(table.subjects, table.subjects, strict=True)), config.seed)
    return RunSpec(config, folds[0], table.keys)


def material_of(spec, table):
    data = segment_data(spec.experiment, table, fit_scaler(table, table.subjects, "train"))
    return published_material(spec, table, data, Streams(0))


def test_rows_at_random_have_everybody_on_all_sides_and_no_row_twice(table):
    spec = spec_of(table)
    material = material_of(spec, table)
    sides = (material.split.train, material.split.validation, material.test)
    assert isinstance(spec.fold, MixedFold)
    assert_array_equal(np.sort(np.concatenate(sides)), table.rows_of(table.subjects))
    assert len(table.subjects_at(sides[0]) & table.subjects_at(sides[2])) > 2


def test_shares_of_a_random_split_hold_within_each_class(table):
    material = material_of(spec_of(table), table)
    labels = material.data.targets["label"]
    for code in np.unique(labels):
        n, n_train = (labels == code).sum(), (labels[material.split.train] == code).sum()
        assert abs(n_train - 0.7 * n) <= 1


def test_a_published_run_names_what_it_leaks_and_stands_in_a_column_of_its_own(table):
    record = execute(spec_of(table), table).record
    assert record.column == "published"
    assert set(record.leaks["weights"]) == set(table.subjects)
    assert record.leaks.keys() >= {"scaler", "weights", "epoch", "references"}


def test_a_clean_run_leaks_nothing_and_says_so(table):
    spec = spec_of(table, LeaveOneSubjectOut(), procedure=Procedure())
    assert execute(spec, table).record.leaks == {}


def test_the_test_side_validates_where_that_was_published(table):
    procedure = Procedure(kind="published", test_validates=True)
    spec = spec_of(table, HoldOut(n_test=2), procedure=procedure)
    record = execute(spec, table).record
    assert set(record.leaks["epoch"]) == set(spec.fold.test)
    assert not {"weights", "references"} & set(record.leaks)
    assert record.rows["train"] == len(table.rows_of((*spec.fold.train, *spec.fold.validation)))
    assert record.rows["validation"] == record.rows["test"]


def test_children_made_before_the_split_put_a_tested_recording_into_training(table):
    procedure = Procedure(kind="published", augment_first=True)
    training = TrainingConfig(max_epochs=1, augmentation=AugmentationConfig(ratio=2.0))
    spec = spec_of(table, procedure=procedure, training=training)
    material = material_of(spec, table)
    assert 2.8 * len(table) < len(material.origin) <= 3 * len(table)  # counts of techniques round down
    assert set(material.origin[material.test]) & set(material.origin[material.split.train])
    result = execute(spec, table)
    assert "copies made before the split" in result.record.leaks
    # Who has children by SMOTE is drawn anew, and with it the sizes of both classes.
    assert abs(len(result.predictions.columns["subject"]) - len(material.test)) <= 2


def test_visible_padding_turns_masked_tokens_into_numbers_that_differ_from_the_mean(table):
    masks = {name: mask.copy() for name, mask in table.masks.items()}
    values = {name: part.copy() + 5.0 for name, part in table.values.items()}
    (name,) = values
    masks[name][:, 2:], values[name][:, 2:] = False, np.nan
    cut = dataclasses.replace(table, masks=masks, values=values)
    procedure = Procedure(kind="published", visible_padding=True)
    spec = spec_of(cut, HoldOut(n_test=2), procedure=procedure, scaling="transductive")
    batch = material_of(spec, cut).data.batch(np.arange(4))
    assert batch.mask[name].all()
    assert (batch.x[name][:, 2:].abs() > 0.5).all()


def test_a_clean_procedure_has_no_flaw():
    with pytest.raises(ValidationError, match="only a published procedure"):
        Procedure(test_validates=True)


def test_random_rows_are_refused_of_a_clean_study_before_it_starts(table):
    spec = spec_of(table)
    clean = spec.experiment.model_copy(update={"procedure": Procedure()})
    with pytest.raises(ConfigError, match="trains and tests on the same people"):
        make_plan([clean], table)


def test_a_clean_run_on_a_mixed_fold_is_refused_whoever_made_it(table):
    spec = spec_of(table)
    clean = spec.experiment.model_copy(update={"procedure": Procedure()})
    with pytest.raises(ProtocolError, match="has seen"):
        execute(dataclasses.replace(spec, experiment=clean), table)


def test_the_same_published_run_gives_the_same_result(table):
    first, second = (execute(spec_of(table), table) for _ in range(2))
    assert first.weights == second.weights
    assert first.record.scores == second.record.scores


@pytest.mark.parametrize("n_rows", range(3, 12))
def test_three_rows_of_a_class_or_more_reach_all_sides(n_rows):
    train, validation = _ends(n_rows)
    assert 0 < train < validation < n_rows
    assert _ends(200) == (140, 170)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"model": {"kind": "res_attentio_net", "mask_padding": False}}, "model.mask_padding=false"),
        (
            {"extraction": {"kind": "stft_tokens", "mode": "published", "whole": True}},
            "extraction.whole=true",
        ),
        ({"extraction": {"kind": "amigos_published"}}, "extraction.kind=amigos_published"),
    ],
)
def test_a_clean_study_refuses_what_shows_how_long_a_clip_is(table, settings, told):
    published = spec_of(table).experiment.model_dump() | settings
    clean = published | {"procedure": Procedure(), "protocol": LeaveOneSubjectOut()}
    with pytest.raises(ConfigError, match=f"{told}: shows the network how long a clip is"):
        make_plan([ExperimentConfig.model_validate(clean)], table)
    make_plan([ExperimentConfig.model_validate(published)], table)


def test_trials_that_the_published_features_alone_reject_are_told_as_such(table, tmp_path):
    experiments = (spec_of(table, LeaveOneSubjectOut(), procedure=Procedure()).experiment,)
    plan = make_plan(experiments, table)
    known, new = (RejectedTrial("fake/S01", trial, "too short") for trial in ("t1", "t2"))
    clean, other = (
        dataclasses.replace(table, rejected=rejected, notes={"fake/S02": note})
        for rejected, note in (((known,), ("a",)), ((known, new), ("a", "b")))
    )
    described = describe(Study(experiments, {}, tmp_path), plan, clean, plan.subjects)
    told = _with_published(described, [other], plan.subjects)
    assert told.rejected == (known, dataclasses.replace(new, reason="published column alone: too short"))
    assert [note for note in told.notes if "S02" in note] == ["fake/S02: a", "fake/S02: b"]
