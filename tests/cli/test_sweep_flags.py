"""What a sweep's flags come to, and what it tells before it starts; nothing is started here."""

import json

import pytest

from emo_ray.cli.definition import SweepJob
from emo_ray.cli.sweep_flags import sweep_parser
from emo_ray.cli.sweep_settings import sweep_of
from emo_ray.cli.sweep_space import pin
from emo_ray.cli.sweep_words import confirmed, cost_words
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.models.mlp import MlpConfig
from emo_ray.orchestration.probe import Estimate
from emo_ray.space import parse_space

JOB = SweepJob("sweep_fake", lambda data: FakeCorpus(path=data, n_subjects=5), MlpConfig())


@pytest.fixture
def settings(tmp_path):
    def read(*arguments):
        options = sweep_parser("sweep_fake", "").parse_intermixed_args(["--data", ".", *arguments])
        return sweep_of(JOB, options, tmp_path)

    return read


@pytest.fixture
def search(settings):
    return lambda *arguments: settings(*arguments).sweep.request.search


def test_without_flags_the_models_own_space_is_searched_with_tpe_and_asha(search):
    found = search()
    assert found.space == MlpConfig.search_space()
    assert (found.sampler, found.stopping.kind, found.scoring.kind) == ("tpe", "asha", "holdout")


def test_a_dimension_of_the_command_line_replaces_the_models(search):
    space = search(
        "--search", "training.batch_size=[8, 16]", "--search", "training.patience={int: [5, 9]}"
    ).space
    assert space.dimensions["training.batch_size"].choices == (8, 16)
    assert space.dimensions["training.patience"].high == 9
    assert space.dimensions["model.dropout"] == MlpConfig.search_space().dimensions["model.dropout"]


def test_a_file_replaces_the_whole_space(search, tmp_path):
    (tmp_path / "space.yaml").write_text("training.optimizer.learning_rate: {log: [1e-4, 1e-2]}")
    assert list(search("--space", str(tmp_path / "space.yaml")).space.dimensions) == [
        "training.optimizer.learning_rate"
    ]


def test_a_pinned_field_is_not_searched_and_that_is_said(settings):
    found = settings("model.dropout=0.25")
    assert "model.dropout" not in found.sweep.request.search.space.dimensions
    assert found.sweep.request.experiments[0].model.dropout == 0.25
    assert found.notes == ("model.dropout is pinned to 0.25, so it is not searched",)


def test_a_pinned_choice_settles_the_conditions_on_it():
    forms = {
        "a": ["x", "y"],
        "b": {"choice": [1, 2], "when": {"a": ["x"]}},
        "c": {"int": [1, 2], "when": {"a": ["y"]}},
        "d": {"int": [1, 2], "when": {"b": [1]}},
    }
    of_x, _ = pin(parse_space(forms, "here"), "a", "x")
    of_y, notes = pin(parse_space(forms, "here"), "a", "y")
    assert of_x == parse_space({"b": [1, 2], "d": {"int": [1, 2], "when": {"b": [1]}}}, "here")
    assert of_y == parse_space({"c": {"int": [1, 2]}}, "here")
    assert notes == ["a is pinned to y, so it is not searched (nor b, d)"]


def test_several_models_are_searched_over(search):
    space = search("--model", "mlp,amigos_lstm").space
    assert space.dimensions["model.kind"].choices == ("mlp", "amigos_lstm")


def test_what_the_task_does_not_read_is_left_out_of_the_models_space(settings):
    found = settings("--task", "score")
    assert "training.loss.label_smoothing" not in found.sweep.request.search.space.dimensions
    assert any("training.loss.label_smoothing is not searched" in note for note in found.notes)


@pytest.mark.parametrize(
    ("arguments", "budget"),
    [
        ([], (25, None)),
        (["--candidates", "7"], (7, None)),
        (["--hours", "1.5"], (None, 1.5)),
        (["--budget", "phy_fusionnet"], (25, 2.0)),
        (["--budget", "phy_fusionnet", "--candidates", "9"], (9, 2.0)),
        (["--smoke"], (3, None)),
        (["--smoke", "--nested"], (2, None)),
    ],
)
def test_the_budget_is_by_candidates_by_time_or_both(search, arguments, budget):
    found = search(*arguments).budget
    assert (found.n_candidates, found.hours) == budget


def test_a_grid_is_as_long_as_it_is(settings, tmp_path):
    (tmp_path / "space.yaml").write_text("training.batch_size: [8, 16, 32]\nmodel.hidden: [[3], [4]]")
    found = settings("--space", str(tmp_path / "space.yaml"), "--sampler", "grid", "--candidates", "9")
    assert found.sweep.request.search.budget.n_candidates == 6
    assert "the grid has 6 points, so 6 candidates are tried, not 9" in found.notes


def test_inner_folds_imply_k_fold_scoring(search):
    assert search("--inner-folds", "4").scoring.model_dump() == {"kind": "kfold", "n_folds": 4}


def test_several_objectives_imply_that_nothing_is_stopped(search):
    assert search("--objective", "primary", "--objective", "n_parameters").stopping.kind == "none"


def test_first_points_may_have_numbers_that_yaml_takes_for_text(search, tmp_path):
    (tmp_path / "first.yaml").write_text("- {training.optimizer.learning_rate: 1e-3}")
    assert search("--first", str(tmp_path / "first.yaml")).first == (
        {"training.optimizer.learning_rate": 0.001},
    )


@pytest.mark.parametrize(("text", "names"), [("2", ["S01", "S02"]), ("S04,S02", ["S04", "S02"])])
def test_short_names_and_numbers_set_people_aside(settings, text, names):
    aside = settings("--set-aside", text).sweep.request.set_aside
    assert [name.rpartition("/")[2] for name in aside] == names


def test_a_seeded_choice_of_people_to_set_aside_depends_on_the_seed(settings):
    drawn = {
        settings("--set-aside", "seeded:2", "--seed", str(seed)).sweep.request.set_aside for seed in range(4)
    }
    assert len(drawn) > 1
    assert settings("--set-aside", "seeded:2").sweep.request.set_aside in drawn


def estimate(**changes):
    known = {"n_trainings": 195, "n_done": 0, "n_slots": 2, "epochs_a_run": 60, "epoch_s": 0.05}
    return Estimate(**{**known, "hours": None, "nested": True, **changes})


def test_the_cost_of_a_nested_sweep_is_told_in_trainings_and_time(settings):
    request = settings("--nested", "--candidates", "12").sweep.request
    # 8 s of start, and 195 trainings x (60 epochs x 0.05 s + 0.06 s) / 2 slots = 298 s
    assert cost_words(request, estimate()) == (
        "nested: 15 subjects x (12 candidates x 1 inner fold + 1 test) = 195 trainings; at most 5 min "
        "on 2 slots (0.05 s an epoch measured, 60 epochs a training); ASHA usually needs much less"
    )


def test_the_cost_of_two_columns_is_told_by_column(settings):
    request = settings(
        "--nested", "--candidates", "12", "--scaling", "both", "--inner-folds", "3"
    ).sweep.request
    told = cost_words(request, estimate(n_trainings=2 * 15 * 37))
    assert "2 columns x 15 subjects x (12 candidates x 3 inner folds + 1 test) = 1110 trainings" in told


def test_the_cost_of_a_continued_sweep_is_what_is_left(settings):
    request = settings("--candidates", "10", "--inner-folds", "3").sweep.request
    told = cost_words(request, estimate(nested=False, n_trainings=30, n_done=24, epoch_s=1.0, n_slots=1))
    assert told.startswith("sweep: 10 candidates x 3 inner folds = 30 trainings, 24 of them done before")
    assert "at most 6 min" in told  # 6 x 60 epochs of a second


def test_a_sweep_by_time_tells_its_time(settings):
    request = settings("--hours", "2").sweep.request
    told = cost_words(request, estimate(nested=False, n_trainings=1, hours=2.0))
    assert "as many candidates as the time allows" in told
    assert "2 h 00 min on 2 slots" in told


class Terminal:
    def __init__(self, answer):
        self.answer = answer

    def isatty(self):
        return self.answer is not None

    def readline(self):
        return f"{self.answer}\n"

    def write(self, text): ...

    def flush(self): ...


@pytest.mark.parametrize(("answer", "starts"), [("y", True), ("", False), ("n", False), (None, True)])
def test_only_somebody_at_a_terminal_is_asked(monkeypatch, answer, starts):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr", Terminal(answer))
    assert confirmed() is starts


@pytest.mark.parametrize("name", ["amigos", "wesad", "table"])
def test_evaluation_and_sweep_of_a_corpus_start_from_one_setting(name):
    from pathlib import Path
    from runpy import run_path

    jobs = Path(__file__).parents[2] / "jobs"
    loso, sweep = (run_path(str(jobs / f"{kind}_{name}.py"))["JOB"] for kind in ("loso", "sweep"))
    assert (loso.model, loso.training) == (sweep.model, sweep.training)
    assert json.loads(loso.corpus(Path("x")).model_dump_json()) == json.loads(
        sweep.corpus(Path("x")).model_dump_json()
    )
