"""A sweep from start to end: features, plan, searches, and for nested LOSO the tests of what they choose."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import optuna

from emo_ray.errors import ConfigError, SearchError
from emo_ray.files import shown_uri
from emo_ray.orchestration.duplicates import known_duplicates
from emo_ray.orchestration.engine import run_source
from emo_ray.orchestration.probe import Estimate, measure
from emo_ray.orchestration.study import Study, describe, load_features
from emo_ray.orchestration.sweep_plan import SweepPlan, SweepRequest, extractions, plan_sweep
from emo_ray.orchestration.sweep_source import Listeners, SweepSource
from emo_ray.results.journal import JOURNAL, Journal, read_records
from emo_ray.results.run_result import RunRecord
from emo_ray.results.search_journal import SearchJournal, load_search, read_candidates, search_of
from emo_ray.results.search_results import Candidate, Direction, SearchResults
from emo_ray.results.study_folder import open_folder
from emo_ray.search.board import SearchBoard
from emo_ray.search.checks import check_search
from emo_ray.search.config import COSTS, FlatScoring
from emo_ray.search.desk import Books, Clock, Desk, Rules
from emo_ray.search.storage import open_storage, storage_in_words
from emo_ray.store.segment_table import SegmentTable
from emo_ray.training.metrics import direction_of

PLAN_ATTRIBUTE, OWNER_ATTRIBUTE = "emo_ray.plan", "emo_ray.owner"
FLAT_WARNING = ": scored on the test subjects themselves, optimistic"


@runtime_checkable
class SweepObserver(Protocol):
    """Someone who follows a sweep; nothing it does or fails to do can cost a result."""

    def approved(self, estimate: Estimate) -> bool:
        """Told what it will cost; returns whether it may start."""

    def opened(self, results: SearchResults) -> None:
        """The plan stands; what an earlier start has found is in ``results``."""

    def heard(self, record: RunRecord) -> None:
        """A test of a nested study was recorded."""

    def heard_candidate(self, candidate: Candidate) -> None:
        """A candidate has ended."""


@dataclass(frozen=True)
class Sweep:
    """What to search, in which study.

    Attributes
    ----------
    study : its experiments are what the search changes; where it is kept, whose data, on which resources
    storage : Optuna's: ``"journal"``, ``"sqlite"`` or an URL
    """

    study: Study
    request: SweepRequest
    storage: str = "journal"


def run_sweep(sweep: Sweep, observer: SweepObserver) -> SearchResults:
    """Search what is missing, inside a cluster; returns all that is known of it afterwards.

    Raises
    ------
    EmoRayError : anything that stops the sweep before it starts, too large a share of failures; failed
        candidates and failed tests are rows instead
    """
    study, request = sweep.study, sweep.request
    if study.resources.workers_per_run > 1:
        raise ConfigError(
            f"--workers-per-run {study.resources.workers_per_run}: a sweep fills the cluster with many runs "
            "of one worker each; leave the flag out here, and give it to the job that evaluates what it finds"
        )
    check_search(request.search, request.experiments[0])
    tables = {name: load_features(study, one) for name, one in extractions(request).items()}
    pairs = known_duplicates(tables[request.experiments[0].features], study.root / "store")
    tables = {name: table.without_signatures() for name, table in tables.items()}
    plan = plan_sweep(request, tables, pairs)
    table = tables[request.experiments[0].features]
    described = describe(study, plan, table, plan.subjects)
    header = {**described.header, "search": _header(sweep, plan, described.name)}
    results = replace(described, header=header, records=read_records(described.folder / JOURNAL))
    # Before anything is made: who says no leaves no trace.
    if not observer.approved(measure(plan, tables, study.resources, search_of(results))):
        raise ConfigError("not started, as you said; --yes starts it without asking")
    with Journal(results.folder) as journal:
        # Under the journal's lock: two starts of one command can not both write the header.
        open_folder(results)
        _run(sweep, plan, tables, journal, observer)
    return load_search(results.folder)


def _run(
    sweep: Sweep,
    plan: SweepPlan,
    tables: Mapping[str, SegmentTable],
    journal: Journal,
    observer: SweepObserver,
) -> None:
    resources = sweep.study.resources
    before = load_search(journal.folder)
    storage = open_storage(sweep.storage, journal.folder)
    observer.opened(before)
    with SearchJournal(journal.folder) as search_journal, _board(plan, before) as board:
        desks = _desks(plan, storage, search_journal, before)
        listeners = Listeners(board, observer.heard_candidate, observer.heard)
        source = SweepSource(plan, desks, journal, listeners)
        with storage_in_words(sweep.storage, journal.folder):
            run_source(source, tables, resources, journal.folder / "checkpoints")


def _desks(
    plan: SweepPlan,
    storage: optuna.storages.BaseStorage,
    journal: SearchJournal,
    before: SearchResults,
) -> dict[str, Desk]:
    known = read_candidates(journal.path)
    elapsed = [one.elapsed_s for rows in known.values() for one in rows.values()]
    hours = plan.config.budget.hours
    clock = Clock(before_s=max(elapsed, default=0.0), limit_s=3600 * hours if hours else None)
    rules = Rules(
        config=plan.config,
        directions=before.directions,
        n_folds=len(plan.searches[0].folds),
        epochs_a_fold=plan.epochs_a_fold,
        at_once=plan.at_once,
    )
    desks = {}
    for search in plan.searches:
        study = _optuna_study(before, search.key, storage, plan)
        desk = Desk(search.key, search.stream, rules, Books(journal, study, storage), clock)
        desk.restore(known.get(search.key, {}).values())
        desks[search.key] = desk
    return desks


def _optuna_study(
    before: SearchResults, key: str, storage: optuna.storages.BaseStorage, plan: SweepPlan
) -> optuna.Study:
    """Optuna's study of one search, made or found again; nobody else's."""
    name = before.header["study_names"][key]
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        directions=["maximize" if direction == "max" else "minimize" for direction in before.directions],
        load_if_exists=True,
    )
    found, owner = study.user_attrs, str(before.study.header["created_unix"])
    if PLAN_ATTRIBUTE not in found and not study.get_trials(deepcopy=False):
        study.set_user_attr(PLAN_ATTRIBUTE, plan.digest)
        study.set_user_attr(OWNER_ATTRIBUTE, owner)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(plan.config.objectives))
        is_flat = isinstance(plan.config.scoring, FlatScoring)
        study.set_user_attr("scoring", f"{plan.config.scoring.kind}{FLAT_WARNING if is_flat else ''}")
    elif (found.get(PLAN_ATTRIBUTE), found.get(OWNER_ATTRIBUTE)) != (plan.digest, owner):
        raise SearchError(
            f"the storage holds an Optuna study {name!r} of another space, of other data, or of another "
            "study folder: give this one another --study, or another --storage"
        )
    return study


def _header(sweep: Sweep, plan: SweepPlan, name: str) -> dict[str, Any]:
    """What ``study.json`` tells of the search."""
    config = plan.config
    return {
        "nested": plan.nested,
        **config.model_dump(mode="json", exclude={"space", "first", "at_once"}),
        "space": config.space.model_dump(mode="json")["dimensions"],
        "n_first": len(config.first),
        "at_once": plan.at_once,
        "directions": [_direction(objective) for objective in config.objectives],
        "subjects": sorted({subject for search in plan.searches for subject in search.subjects}),
        "set_aside": _set_aside(sweep, plan),
        "storage": shown_uri(sweep.storage),
        "study_names": {one.key: f"{name}/{one.key}" if one.key else name for one in plan.searches},
        "epochs_a_fold": plan.epochs_a_fold,
        "n_folds": len(plan.searches[0].folds),
        "inner_folds": {
            search.key: [
                [fold.name, list(fold.train), list(fold.test or fold.validation)] for fold in search.folds
            ]
            for search in plan.searches
        },
        "bases": [experiment.identity() for experiment in sweep.request.experiments],
    }


def _set_aside(sweep: Sweep, plan: SweepPlan) -> list[str]:
    """Who could take part in a plain sweep, and does not; who has no label is among them if asked for."""
    if plan.nested:
        return []
    searched = {name for search in plan.searches for name in search.subjects}
    return sorted({*sweep.request.set_aside, *plan.groups} - searched)


def _direction(objective: str) -> Direction:
    return "min" if objective in COSTS else direction_of(objective)


def _board(plan: SweepPlan, before: SearchResults) -> SearchBoard:
    per_search = plan.config.budget.n_candidates
    board = SearchBoard(
        total_candidates=per_search * len(plan.searches) if per_search else None,
        metric=plan.config.objectives[0],
        direction=before.directions[0],
        n_searches=len(plan.searches),
    )
    told = [one for rows in before.searches.values() for one in rows]
    states = [one.state for one in told]
    if told:
        best = before.best("") if not plan.nested else None
        n_tested = sum(record.status == "finished" for record in before.study.records.values())
        counts = (states.count("complete"), states.count("pruned"), states.count("fail"))
        board.resumed(*counts, best, n_searches_done=n_tested)
    return board
