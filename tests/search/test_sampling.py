"""Drawing candidates: the same ones whether or not the driver dies on the way."""

import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from emo_ray.errors import ConfigError, SearchError
from emo_ray.search.config import SearchConfig
from emo_ray.search.sampling import build_sampler, distributions, encoded, suggest
from emo_ray.search.storage import open_storage
from emo_ray.space import Choice, Integer, LogUniform, SearchSpace, Uniform

LSTM = {"model.kind": ("lstm",)}
SPACE = SearchSpace(
    dimensions={
        "training.rate": LogUniform(low=1e-4, high=1e-1),
        "model.dropout": Uniform(low=0.0, high=0.6),
        "model.kind": Choice(choices=("lstm", "cnn")),
        "model.layers": Integer(low=1, high=4, when=LSTM),
        "model.widths": Choice(choices=([8], [8, 4], None), when=LSTM),
        "model.kernel": Integer(low=3, high=15, step=4, when={"model.kind": ("cnn",)}),
    }
)
PLAIN = SPACE.without(["model.kind"])
FIRST = ({"model.kind": "cnn", "model.kernel": 7, "training.rate": 1e-3},)
SAMPLERS = ["tpe", "random", "gp", "cmaes", "nsga2", "grid"]


def config_of(sampler, **changed):
    return SearchConfig(**{"space": SPACE, "sampler": sampler, "first": FIRST, **changed})


def score(params):
    return -((np.log10(params["training.rate"]) + 2) ** 2) - params["model.dropout"] + 0.1 * len(params)


class Driver:
    """Asks and tells as the desk does: a fresh sampler a candidate, a third of them stopped, one failed."""

    def __init__(self, config, folder, where="journal"):
        self.config, self.folder, self.where = config, folder, where
        self.reopen()

    def reopen(self):
        directions = ["maximize", *["minimize"] * (len(self.config.objectives) - 1)]
        self.study = optuna.create_study(
            storage=open_storage(self.where, self.folder),
            study_name="s",
            directions=directions,
            load_if_exists=True,
        )

    def ask(self, number):
        first = self.config.first[number] if number < len(self.config.first) else None
        self.study.sampler = build_sampler(self.config, 1000 + number, first)
        return self.study.ask()

    def resume(self, number):
        """The candidate that a driver which died had asked for."""
        self.reopen()
        self.study.sampler = build_sampler(self.config, 1000 + number, None)
        return optuna.trial.Trial(self.study, self.study.trials[number]._trial_id)

    def tell(self, trial, params):
        value = score(params)
        if trial.number == 5:
            self.study.tell(trial, state=TrialState.FAIL)
        elif trial.number % 3 == 2 and len(self.study.directions) == 1:
            trial.report(value - 1, step=2)
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, [value, *[float(len(params))] * (len(self.study.directions) - 1)])

    def run(self, numbers):
        drawn = []
        for number in numbers:
            trial = self.ask(number)
            drawn.append(suggest(trial, self.config.space))
            self.tell(trial, drawn[-1])
        return drawn


def half(trial, space):
    """What a driver that is killed in the middle of an ask leaves: dropout, and kind if there is one."""
    suggest(trial, space.without(["model.layers", "model.widths", "model.kernel", "training.rate"]))


def disturbed_run(config, folder, numbers, dies_at, where="journal"):
    driver, drawn = Driver(config, folder, where), []
    for number in numbers:
        trial = driver.ask(number)
        if number in dies_at:
            half(trial, config.space)
            trial = driver.resume(number)
        drawn.append(suggest(trial, config.space))
        driver.tell(trial, drawn[-1])
    return drawn


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_driver_that_dies_draws_the_same_candidates(sampler, tmp_path):
    config, numbers = config_of(sampler), range(24)
    undisturbed = Driver(config, tmp_path / "a").run(numbers)
    again = disturbed_run(config, tmp_path / "b", numbers, dies_at={2, 7, 16, 19, 20, 23})
    assert again == undisturbed
    assert len({str(params) for params in undisturbed}) > 20


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_so_it_does_in_a_space_without_conditions(sampler, tmp_path):
    config, numbers = config_of(sampler, space=PLAIN, first=()), range(18)
    undisturbed = Driver(config, tmp_path / "a").run(numbers)
    assert disturbed_run(config, tmp_path / "b", numbers, dies_at={1, 13, 17}) == undisturbed


def test_more_first_points_than_a_generation_holds_do_not_stop_nsga2(tmp_path):
    points = tuple({"training.rate": 1e-3, "model.dropout": 0.01 * place} for place in range(25))
    config = config_of("nsga2", space=PLAIN, first=points)
    assert Driver(config, tmp_path).run(range(30))[:25] == list(points)


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "nsga2"])
def test_sqlite_makes_no_difference(sampler, tmp_path):
    config, numbers = config_of(sampler), range(20)
    undisturbed = Driver(config, tmp_path / "a").run(numbers)
    assert disturbed_run(config, tmp_path / "b", numbers, {7, 17}, where="sqlite") == undisturbed


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsga2", "random"])
def test_several_objectives_are_searched_and_survive_a_kill(sampler, tmp_path):
    config = config_of(sampler, objectives=("primary", "n_parameters"))
    undisturbed = Driver(config, tmp_path / "a").run(range(16))
    assert disturbed_run(config, tmp_path / "b", range(16), {3, 13, 15}) == undisturbed


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes", "nsga2"])
def test_a_sampler_learns_where_good_candidates_lie(sampler, tmp_path):
    drawn = Driver(config_of(sampler, first=()), tmp_path).run(range(45))
    distance = [abs(np.log10(params["training.rate"]) + 2) + params["model.dropout"] for params in drawn]
    assert np.mean(distance[30:]) < 0.8 * np.mean(distance[:10])


def test_another_seed_draws_other_candidates(tmp_path):
    study = optuna.create_study()
    drawn = []
    for seed in (1, 1, 2, 2**62):
        study.sampler = build_sampler(config_of("tpe"), seed, None)
        drawn.append(suggest(study.ask(), SPACE))
    assert drawn[0] == drawn[1]
    assert len({str(params) for params in drawn}) == 3


def test_first_points_are_taken_as_given_and_what_they_leave_out_is_drawn(tmp_path):
    (drawn,) = Driver(config_of("gp"), tmp_path).run(range(1))
    assert FIRST[0].items() <= drawn.items()
    assert set(drawn) == {"training.rate", "model.dropout", "model.kind", "model.kernel"}


def test_a_grid_comes_as_first_points_in_its_order(tmp_path):
    space = SPACE.without(["training.rate", "model.dropout"])
    grid = space.grid()
    config = SearchConfig(space=space, sampler="grid", first=grid)
    study, drawn = optuna.create_study(), []
    for number in range(len(grid)):
        study.sampler = build_sampler(config, number, grid[number])
        drawn.append(suggest(study.ask(), space))
    assert drawn == list(grid)


def test_only_active_dimensions_are_drawn(tmp_path):
    for params in Driver(config_of("tpe"), tmp_path).run(range(15)):
        lstm = {"model.layers", "model.widths"}
        expected = lstm if params["model.kind"] == "lstm" else {"model.kernel"}
        assert set(params) == {"training.rate", "model.dropout", "model.kind"} | expected


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_without_conditions_the_joint_space_is_what_optuna_would_infer(sampler, tmp_path):
    space = PLAIN.merged(SearchSpace(dimensions={"a": Choice(choices=(1, 2))}))
    single = SearchSpace(dimensions={"b": Choice(choices=("one",))})
    ours = build_sampler(SearchConfig(space=space.merged(single), sampler=sampler), 0, None)
    study = optuna.create_study(sampler=ours)
    for _ in range(3):
        trial = study.ask()
        suggest(trial, space.merged(single))
        study.tell(trial, 0.0)
    inferred = ours._joint.infer_relative_search_space(study, study.trials[0])
    assert ours.infer_relative_search_space(study, study.trials[0]) == inferred
    assert bool(inferred) == (sampler not in {"random", "grid"})


def test_lists_travel_as_text_and_come_back_as_lists():
    params = {"model.kind": "lstm", "model.widths": (8, 4), "training.rate": 1}
    space = SPACE.merged(SearchSpace(dimensions={"training.rate": Uniform(low=0, high=2)}))
    stored = encoded(space, params)
    assert stored == {"model.kind": "lstm", "model.widths": "[8, 4]", "training.rate": 1.0}
    assert isinstance(stored["training.rate"], float)
    trial = optuna.trial.FixedTrial({**stored, "model.dropout": 0.5, "model.layers": 2})
    assert suggest(trial, space)["model.widths"] == [8, 4]


def test_a_text_that_looks_like_a_list_is_kept_apart_from_the_list():
    space = SearchSpace(dimensions={"x": Choice(choices=([1], "[1]"))})
    assert encoded(space, {"x": [1]}) != encoded(space, {"x": "[1]"})


def test_distributions_are_what_optuna_would_have_made():
    params = {"model.kernel": 3, "training.rate": 1e-2, "model.widths": None}
    assert distributions(SPACE, params) == {
        "training.rate": FloatDistribution(1e-4, 1e-1, log=True),
        "model.kernel": IntDistribution(3, 15, step=4),
        "model.widths": CategoricalDistribution(("[8]", "[8, 4]", "null")),
    }


def test_a_point_outside_the_space_is_refused_with_all_its_problems():
    with pytest.raises(ConfigError, match=r"rate2, model\.kernel = 4, training\.rate = 3"):
        build_sampler(config_of("tpe"), 0, {"model.kernel": 4, "training.rate": 3, "rate2": 1})


def test_tpe_hears_of_stopped_candidates(tmp_path):
    config = config_of("tpe", first=())
    drawn = []
    for name, state in (("a", TrialState.PRUNED), ("b", TrialState.FAIL)):
        driver = Driver(config, tmp_path / name)
        for number in range(12):
            trial = driver.ask(number)
            suggest(trial, SPACE)
            trial.report(0.1 * number, step=1)
            driver.study.tell(trial, state=state)
        drawn.append(suggest(driver.ask(12), SPACE))
    assert drawn[0] != drawn[1]


def cma_study_with(content, folder):
    driver = Driver(config_of("cmaes"), folder)
    driver.run(range(4))
    trial = driver.ask(4)
    suggest(trial, SPACE)
    driver.study._storage.set_trial_system_attr(trial._trial_id, "cma:optimizer:0", content)
    driver.tell(trial, {"training.rate": 1.0, "model.dropout": 0.0})
    return driver


class Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("content", ["hostile", pickle.dumps([1]).hex(), "no hex", b"\x80\x04".hex()])
def test_nothing_but_a_cma_optimizer_is_unpickled_from_the_storage(content, tmp_path):
    trap = str(tmp_path / "trap")
    driver = cma_study_with(pickle.dumps(Hostile(trap)).hex() if content == "hostile" else content, tmp_path)
    with pytest.raises(SearchError, match="does not hold a CMA-ES optimizer in candidate 4"):
        suggest(driver.ask(5), SPACE)
    assert not Path(trap).exists()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_warning_reaches_the_user(sampler):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_sampler(config_of(sampler), 0, FIRST[0])
