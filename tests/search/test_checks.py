"""What a search is refused for, before anything starts: all of it at once, in words."""

import numpy as np
import pytest
import yaml

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.errors import ConfigError
from emo_ray.experiment import ExperimentConfig
from emo_ray.extraction.amigos_tokens import AmigosTokens
from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.models.mlp import MlpConfig
from emo_ray.models.registry import MODELS
from emo_ray.models.search_space import space_over
from emo_ray.protocols.subject_protocols import LeaveOneSubjectOut
from emo_ray.search.checks import REFUSED, check_search, idle_keys, objective_names
from emo_ray.search.config import SearchConfig
from emo_ray.space import parse_space
from emo_ray.tasks.base import Head
from emo_ray.training.config import TrainingConfig
from emo_ray.training.metrics import metric_names, score

CORPUS = FakeCorpus(n_subjects=5, n_trials=4)
DROPOUT = "{model.dropout: {uniform: [0, 0.6]}}"


@pytest.fixture
def base():
    return ExperimentConfig(
        corpus=CORPUS,
        extraction=AmigosTokens(),
        task=CORPUS.tasks()["label"],
        model=AmigosLstmConfig(),
        training=TrainingConfig(max_epochs=20),
        protocol=LeaveOneSubjectOut(),
    )


def search(text=DROPOUT, **settings):
    known = {"space": parse_space(yaml.safe_load(text), "x.yaml"), "stopping": {"kind": "none"}}
    return SearchConfig.model_validate({**known, **settings})


def told(base, text=DROPOUT, **settings):
    """Problems, one a line, without the heading."""
    with pytest.raises(ConfigError) as error:
        check_search(search(text, **settings), base)
    heading, *lines = str(error.value).split("\n")
    assert heading == f"the search: {len(lines)} problem{'s' * (len(lines) > 1)}"
    return [line.removeprefix("  ") for line in lines]


@pytest.mark.parametrize("kind", MODELS)
def test_the_space_of_every_model_is_fine(base, kind):
    model = MODELS[kind]()
    space = model.search_space()
    check_search(SearchConfig(space=space), base.model_copy(update={"model": model}))


def test_a_space_over_all_models_is_fine_whatever_the_experiment_has(base):
    space = space_over([config() for config in MODELS.values()])
    for config in MODELS.values():
        check_search(SearchConfig(space=space), base.model_copy(update={"model": config()}))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{model.dropot: {uniform: [0, 0.5]}}", "model.dropot: unknown key, did you mean 'dropout'?"),
        ("{modle.dropout: {uniform: [0, 0.5]}}", "modle.dropout: modle: unknown key, did you mean 'model'?"),
        (
            "{training.batch_size.x: [1, 2]}",
            "training.batch_size.x: batch_size is a value and has no fields",
        ),
        ("{model.dropout: {uniform: [0, 1.2]}}", "model.dropout: input should be less than 1 (it is 1.2)"),
        (
            "{model.pool: [last, max]}",
            "model.pool: input should be 'last', 'mean' or 'attention' (it is 'max')",
        ),
        (
            "{training.monitor: [loss, f1]}",
            "training.monitor: the task has no 'f1', known are: loss, accuracy, balanced_accuracy, macro_f1, "
            "weighted_f1, macro_precision, kappa, auroc, pr_auc",
        ),
        (
            "{training.max_epochs: {int: [5, 60]}}",
            "training.max_epochs: may go up to 60, but the experiment has 20, by which the steps of all "
            "candidates are counted: set training.max_epochs to 60 there, or search below",
        ),
    ],
)
def test_a_key_or_value_that_the_experiment_refuses_is_explained(base, text, line):
    assert told(base, text) == [line]


def test_a_range_for_a_whole_number_is_found_between_its_ends(base):
    (line,) = told(base, "{training.batch_size: {uniform: [16, 128]}}")
    assert line.startswith("training.batch_size: input should be a valid integer")


def test_both_ends_of_a_range_are_tried(base):
    assert told(base, "{training.patience: {int: [-1, 5]}, model.width_mult: {uniform: [1, 99]}}") == [
        "model.width_mult: input should be less than or equal to 16 (it is 99.0)",
        "training.patience: input should be greater than or equal to 1 (it is -1)",
    ]


def test_epochs_may_be_searched_up_to_those_of_the_experiment(base):
    check_search(search("{training.max_epochs: {int: [5, 20], step: 5}}"), base)


def test_a_key_of_one_model_is_tried_in_that_model(base):
    text = "{model.kind: [amigos_lstm, mlp], model.hidden: {choice: [[8], [-1.5]], when: {model.kind: mlp}}}"
    (line,) = told(base, text)
    assert line.startswith("model.hidden.0: input should be a valid integer")
    assert line.endswith(", where model.kind is mlp")


def test_a_key_that_one_of_the_searched_models_lacks_is_refused(base):
    text = "{model.kind: [amigos_lstm, mlp], model.pool: [last, mean], model.dropout: {uniform: [0, 0.5]}}"
    assert told(base, text) == [
        "model.pool: unknown key, known are: kind, hidden, dropout, where model.kind is mlp"
    ]


def test_a_model_that_does_not_exist_is_one_problem(base):
    text = "{model.kind: [mlp, mlq], model.dropout: {uniform: [0, 0.5]}}"
    assert told(base, text) == ["model.kind: unknown 'mlq', did you mean 'mlp'?"]


@pytest.mark.parametrize(
    "key",
    ["corpus.seed", "task.kind", "protocol.n_subjects", "seed", "scaling", "references", "extraction.kind"],
)
def test_what_would_change_the_question_can_not_be_searched(base, key):
    (line,) = told(base, f"{{{key}: [1, 2]}}")
    reason = REFUSED[key if key in REFUSED else key.split(".")[0]]
    assert line == f"{key}: can not be searched, {reason}"


def test_feature_settings_and_sensors_are_choices(base):
    check_search(search("{extraction.token_s: [1, 2], modalities: [[eeg], [eeg, ecg]]}"), base)
    lines = told(base, "{extraction.token_s: {uniform: [1, 2]}, modalities: {int: [1, 2]}}")
    assert [line.split(", for")[0] for line in lines] == [
        "extraction.token_s: must be a choice and not uniform",
        "modalities: must be a choice and not int",
    ]


def test_feature_settings_that_are_right_only_together_are_tried_together(base):
    # 20 s are no whole number of tokens of 3 s, but 21 s are
    assert told(base, "{extraction.token_s: [3]}")
    check_search(search("{extraction.token_s: [3], extraction.segment_s: [21]}"), base)
    (line,) = told(base, "{extraction.token_s: [1, 3], extraction.segment_s: [20, 21]}")
    assert "a segment of 20 s is no whole number of tokens of 3 s" in line


def test_too_many_extractions_are_refused(base):
    many = list(range(1, 33))
    text = f"{{extraction.token_s: {many}, extraction.segment_s: {many}}}"
    assert told(base, text)[0].startswith("extraction.token_s, extraction.segment_s: 1024 combinations")


@pytest.mark.parametrize(
    ("point", "problem"),
    [
        ({"model.poool": "last"}, "model.poool: is not searched, did you mean 'model.pool'?"),
        (
            {"model.pool": "max", "model.kind": "amigos_lstm"},
            "model.pool: 'max' is outside the choices last, mean",
        ),
        ({"training.patience": 4}, "training.patience: 4 is outside the whole numbers 1 to 9 in steps of 2"),
        (
            {"training.optimizer.learning_rate": 0.5},
            "training.optimizer.learning_rate: 0.5 is outside 0.001 to 0.1",
        ),
        (
            {"model.pool": "mean", "model.kind": "mlp"},
            "model.pool: counts only where model.kind is amigos_lstm, and here it is mlp: leave it out",
        ),
        ({"model.pool": "mean"}, "model.pool: counts only where model.kind is amigos_lstm: name that, too"),
    ],
)
def test_a_first_point_outside_the_space_is_refused(base, point, problem):
    text = """
    model.kind: [amigos_lstm, mlp]
    model.pool: {choice: [last, mean], when: {model.kind: amigos_lstm}}
    training.optimizer.learning_rate: {log: [1e-3, 1e-1]}
    training.patience: {int: [1, 9], step: 2}
    """
    assert told(base, text, first=({"training.patience": 3}, point)) == [f"first point 2: {problem}"]


def test_an_unknown_objective_names_those_of_the_task(base):
    assert told(base, objectives=("f2",)) == [
        "objectives: the task has no score 'f2': it has accuracy, balanced_accuracy, macro_f1, "
        "weighted_f1, macro_precision, kappa, auroc, pr_auc; beside a score n_parameters "
        "and latency_ms can be objectives"
    ]


def test_the_loss_is_no_objective(base):
    assert told(base, objectives=("loss",)) == [
        "objectives: the loss changes with training.loss, so it compares nothing: take a score"
    ]


def test_a_cost_is_an_objective_beside_a_score_only(base):
    check_search(search(objectives=("primary", "n_parameters", "latency_ms")), base)
    (line,) = told(base, objectives=("n_parameters", "primary"))
    assert line.startswith("objectives: n_parameters can not be the first")


def test_an_objective_given_twice_is_seen_under_its_other_name(base):
    config = search(objectives=("primary", "balanced_accuracy"))
    assert objective_names(config, base) == ("balanced_accuracy", "balanced_accuracy")
    assert told(base, objectives=config.objectives) == [
        "objectives: balanced_accuracy stands there twice (primary is balanced_accuracy)"
    ]


@pytest.mark.parametrize("kind", ["asha", "hyperband", "median"])
def test_several_objectives_can_not_be_stopped(base, kind):
    (line,) = told(base, objectives=("primary", "n_parameters"), stopping={"kind": kind})
    assert "Optuna takes no intermediate values of several" in line
    assert line.startswith(f"stopping: {kind} can not be used with 2 objectives")


def test_cmaes_wants_one_objective_and_numbers(base):
    check_search(search(sampler="cmaes"), base)
    lines = told(base, "{model.pool: [last, mean]}", sampler="cmaes", objectives=("primary", "n_parameters"))
    assert [line.split(",")[0] for line in lines] == [
        "sampler: cmaes knows one objective and there are 2: take nsga2 or tpe",
        "sampler: cmaes draws choices at random",
    ]


def test_cmaes_wants_its_numbers_in_every_candidate(base):
    text = "{model.kind: [amigos_lstm, mlp], model.l2: {log: [1e-6, 1], when: {model.kind: amigos_lstm}}}"
    (line,) = told(base, text, sampler="cmaes")
    assert line.startswith(
        "sampler: cmaes needs its dimensions in every candidate, and model.l2 has a condition"
    )


def test_a_grid_has_no_place_for_a_range(base):
    text = "{model.dropout: {uniform: [0, 0.5]}, model.l2: {log: [1e-3, 1]}, model.pool: [last]}"
    (line,) = told(base, text, sampler="grid")
    assert "a grid has no place for model.dropout, model.l2, which are ranges without steps" in line


def test_a_grid_larger_than_the_budget_is_refused_with_both_numbers(base):
    text = "{model.pool: [last, mean, attention], training.patience: {int: [1, 3]}}"
    (line,) = told(base, text, sampler="grid", budget={"n_candidates": 8})
    assert "the grid has 9 points and the budget is 8 candidates" in line
    check_search(search(text, sampler="grid", budget={"n_candidates": 9}), base)
    check_search(search(text, sampler="grid", budget={"n_candidates": None, "hours": 1}), base)


@pytest.mark.parametrize("kind", ["asha", "hyperband", "median"])
def test_a_grace_longer_than_a_candidate_is_refused(base, kind):
    stopping = {"kind": kind, "grace_epochs": 21}
    (line,) = told(base, stopping=stopping)
    assert "grace_epochs 21 is more than the 20 epochs that a candidate can have" in line
    # three folds of 20 epochs
    check_search(search(stopping=stopping, scoring={"kind": "kfold", "n_folds": 3}), base)
    assert (
        "60 epochs that a candidate can have over 3 folds"
        in told(base, stopping={"kind": kind, "grace_epochs": 61}, scoring={"kind": "kfold", "n_folds": 3})[0]
    )


def test_an_empty_space_is_refused(base):
    assert told(base, "{}") == ["space: it is empty, there is nothing to search"]


def test_all_problems_come_at_once(base):
    lines = told(
        base,
        "{model.dropot: [0.1], seed: [1, 2]}",
        sampler="cmaes",
        objectives=("f2",),
        stopping={"kind": "asha", "grace_epochs": 99},
        first=({"a": 1},),
    )
    starts = ["model.dropot", "seed", "first point 1", "objectives", "sampler", "stopping"]
    assert [line.split(":")[0] for line in lines] == starts


def test_settings_that_the_task_does_not_read_are_named(base):
    # the task of the fake corpus has classes and no events
    assert set(idle_keys(AmigosLstmConfig.search_space(), base)) == {"training.loss.event_weight"}
    assert not idle_keys(MlpConfig.search_space(), base)


@pytest.mark.parametrize(
    "heads",
    [
        (Head("emotion", "classes", ("calm", "glad")),),
        (Head("change", "event"),),
        (Head("valence", "value"), Head("arousal", "value"), Head("change", "event")),
        (Head("emotion", "classes", ("calm", "glad")), Head("change", "event")),
    ],
    ids=["classes", "event", "values-and-event", "no-values"],
)
def test_names_of_scores_are_those_that_score_gives(heads):
    guesses = {head.name: np.full((2, 2) if head.classes else 2, 0.5, np.float32) for head in heads}
    targets = {head.name: np.zeros(2, np.float32) for head in heads}
    assert metric_names(heads) == tuple(score(heads, guesses, targets))
