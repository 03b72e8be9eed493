"""Another experiment by dotted names: checked as a whole, explained as a whole."""

import pytest

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.errors import ConfigError
from emo_ray.experiment import validated
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.extraction.stft_tokens import StftTokens
from emo_ray.models.amigos_lstm import AmigosLstmConfig

CORPUS = FakeCorpus()


@pytest.fixture
def experiment():
    return validated(
        {
            "corpus": CORPUS,
            "extraction": {"kind": "raw_tokens"},
            "task": CORPUS.tasks()["label"],
            "model": {"kind": "mlp", "hidden": (8, 4), "dropout": 0.1},
            "protocol": {"kind": "loso"},
        }
    )


def test_a_dotted_name_changes_one_field_and_nothing_else(experiment):
    other = experiment.changed({"training.optimizer.learning_rate": 0.5, "model.hidden": [16]})
    assert other.training.optimizer.learning_rate == 0.5
    assert other.model.hidden == (16,)
    assert other.model.dropout == 0.1
    assert experiment.training.optimizer.learning_rate == 1e-3
    back = other.changed({"training.optimizer.learning_rate": 1e-3, "model.hidden": (8, 4)})
    assert back.identity() == experiment.identity()


def test_nothing_changed_is_the_same_experiment(experiment):
    assert experiment.changed({}).identity() == experiment.identity()


def test_a_changed_experiment_has_another_name(experiment):
    assert experiment.candidate
    assert experiment.changed({"seed": 1}).candidate != experiment.candidate
    assert experiment.changed({"seed": 1}).features == experiment.features
    assert experiment.changed({"extraction.n_tokens": 2}).features != experiment.features


def test_all_problems_come_at_once_with_what_was_meant(experiment):
    with pytest.raises(ConfigError) as error:
        experiment.changed(
            {"training.batch_siz": 3, "trainin.batch_size": 4, "model.dropout": 2, "training.patience": "x"}
        )
    told = str(error.value)
    assert "4 problems" in told
    assert "training.batch_siz: unknown key, did you mean 'batch_size'?" in told
    assert "trainin: unknown key, did you mean 'training'?" in told
    assert "model.dropout: input should be less than 1 (it is 2)" in told
    assert "training.patience" in told


def test_another_kind_of_model_starts_from_its_own_defaults(experiment):
    other = experiment.changed({"model.l2": 0.25, "model.kind": "amigos_lstm"})
    assert other.model == AmigosLstmConfig(l2=0.25)


def test_another_kind_of_extraction_starts_from_its_own_defaults(experiment):
    other = experiment.changed({"extraction.kind": "stft_tokens", "extraction.segment_s": 4})
    assert other.extraction == StftTokens(segment_s=4)


def test_the_same_kind_of_model_keeps_its_settings(experiment):
    assert experiment.changed({"model.kind": "mlp", "model.dropout": 0.4}).model.hidden == (8, 4)


def test_a_field_of_the_model_that_was_left_is_refused(experiment):
    with pytest.raises(ConfigError, match=r"model.hidden: unknown key"):
        experiment.changed({"model.kind": "amigos_lstm", "model.hidden": (8,)})


def test_an_unknown_model_is_refused_by_name(experiment):
    with pytest.raises(ConfigError, match=r"model.kind: unknown 'amigos_lstn', did you mean 'amigos_lstm'"):
        experiment.changed({"model.kind": "amigos_lstn"})


def test_two_changes_that_are_right_only_together_are_right_in_any_order(experiment):
    with pytest.raises(ConfigError):
        experiment.changed({"protocol.n_test": 2})
    together = {"protocol.n_test": 2, "protocol.kind": "hold_out"}
    for settings in (together, dict(reversed(together.items()))):
        assert experiment.changed(settings).protocol.n_test == 2


def test_a_value_has_no_fields(experiment):
    with pytest.raises(ConfigError, match=r"training.batch_size.x: batch_size is a value and has no fields"):
        experiment.changed({"training.batch_size.x": 3})


def test_a_copy_with_another_field_has_a_name_of_its_own(experiment):
    before = experiment.candidate, experiment.features
    copy = experiment.model_copy(update={"extraction": RawTokens(n_tokens=2)})
    assert (copy.candidate, copy.features) != before


def test_a_path_through_a_value_is_told_with_all_other_problems(experiment):
    with pytest.raises(ConfigError, match=r"(?s)batch_size.*model.dropout: input should be less than 1"):
        experiment.changed({"training.batch_size.x": 3, "model.dropout": 2})
