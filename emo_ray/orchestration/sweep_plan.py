"""Plan of a sweep: its searches, their subjects and inner folds, and every reason to refuse. Pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emo_ray.config_errors import problem_list
from emo_ray.errors import ConfigError, ProtocolError
from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.files import text_digest
from emo_ray.orchestration.plan import Plan, Targets, check_classes, check_modalities, make_plan
from emo_ray.protocols.duplicates import DuplicatePair, find_duplicates, units_of
from emo_ray.protocols.fold import Fold
from emo_ray.protocols.lineage import perhaps_among
from emo_ray.provenance import RESULT_ROOMS, SEARCH_ROOMS, code_digest
from emo_ray.results.search_results import Candidate
from emo_ray.search.config import COSTS, FlatScoring, SearchConfig
from emo_ray.search.inner_folds import inner_folds
from emo_ray.space import Choice, SearchSpace
from emo_ray.store.segment_table import SegmentTable
from emo_ray.tasks.base import Head
from emo_ray.training.config import PRIMARY

MAX_EXTRACTIONS = 16
"""More ways to make features than this in one space are more likely a slip than a wish."""


@dataclass(frozen=True)
class SearchPlan:
    """One search.

    Attributes
    ----------
    key : its name in the study
    stream : what its random draws are named by; columns that share an outer fold share their draws
    folds : inner folds, on which every candidate is trained
    outer : the run that tests what it chooses; None in a plain sweep
    """

    key: str
    stream: str
    base: ExperimentConfig
    folds: tuple[Fold, ...]
    outer: RunSpec | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whose data choose, sorted."""
        found = {name for fold in self.folds for name in (*fold.train, *fold.validation, *fold.test)}
        return tuple(sorted(found))


@dataclass(frozen=True)
class SweepPlan(Plan):
    """All searches of a study; ``specs`` are the outer runs of nested LOSO.

    Attributes
    ----------
    config : with objectives by their own names
    features : digest of each choice of features that a candidate may make
    keys : by features' digest, then by subject: where features lie
    """

    config: SearchConfig
    searches: tuple[SearchPlan, ...]
    nested: bool
    features: Mapping[str, ExperimentConfig]
    keys: Mapping[str, Mapping[str, str]]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody who takes part in anything, sorted."""
        searched = {name for search in self.searches for name in search.subjects}
        return tuple(sorted({*searched, *super().subjects}))

    @property
    def digest(self) -> str:
        """Names the sweep: changes with whatever could change which candidate comes after which."""
        content = {
            "outer": [spec.fingerprint for spec in self.specs],
            "search": self.config.identity(),
            # the last ones of a window are drawn with less knowledge: a larger budget is another study
            "n_candidates": self.config.budget.n_candidates if (self.config.at_once or 1) > 1 else None,
            "searches": [
                [one.key, one.base.identity(), [_sides(fold) for fold in one.folds]] for one in self.searches
            ],
            "features": {name: [keys[one] for one in self.subjects] for name, keys in self.keys.items()},
            "code": code_digest((*RESULT_ROOMS, *SEARCH_ROOMS)),
        }
        return text_digest(json.dumps(content, sort_keys=True))

    @property
    def epochs_a_fold(self) -> int:
        """Most epochs of an inner run; steps are counted by it."""
        return self.searches[0].base.training.max_epochs

    @property
    def at_once(self) -> int | None:
        """Candidates of one search at a time; None: as many as there is room for."""
        # A nested result must not depend on how large a cluster was.
        return (self.config.at_once or 1) if self.nested else self.config.at_once

    def inner_specs(self, search: SearchPlan, candidate: Candidate) -> tuple[RunSpec, ...]:
        """The runs of a candidate."""
        experiment = search.base.changed(candidate.params)
        return tuple(RunSpec(experiment, fold, self.keys[experiment.features]) for fold in search.folds)


@dataclass(frozen=True)
class SweepRequest:
    """What is to be planned: experiments (several only where nested, one a column) and their search."""

    experiments: tuple[ExperimentConfig, ...]
    search: SearchConfig
    nested: bool = False
    set_aside: tuple[str, ...] = ()


def extractions(request: SweepRequest) -> dict[str, ExperimentConfig]:
    """Every choice of features that a candidate may make, by digest; each is computed once.

    Raises
    ------
    ConfigError : there are too many
    """
    base, space = request.experiments[0], request.search.space
    keys = [key for key in space.dimensions if key.startswith("extraction.")]
    # with the keys that they depend on, of which only those of features make a difference here
    names = {key for one in keys for key in (one, *space.conditions(one))}
    part = SearchSpace(dimensions={key: space.dimensions[key] for key in space.dimensions if key in names})
    points = [{key: point[key] for key in keys if key in point} for point in part.grid()] if keys else []
    found = {experiment.features: experiment for experiment in (base, *map(base.changed, points))}
    if len(found) > MAX_EXTRACTIONS:
        raise ConfigError(
            f"the space offers {len(found)} ways to make features ({', '.join(keys)}), and each is "
            f"computed for every subject: keep it to {MAX_EXTRACTIONS}"
        )
    return found


def plan_sweep(
    request: SweepRequest,
    tables: Mapping[str, SegmentTable],
    duplicates: Sequence[DuplicatePair] | None = None,
) -> SweepPlan:
    """The searches of a study and their folds; ``tables`` are by features' digest.

    ``duplicates`` are the near copies in the tables, where that is known already.

    Raises
    ------
    ConfigError, ProtocolError : everything that would fail later
    """
    config = _resolved(request)
    first = request.experiments[0]
    table = tables[first.features]
    pairs = find_duplicates(table) if duplicates is None else tuple(duplicates)
    outer = make_plan(request.experiments, table, duplicates=pairs)
    for other in tables.values():
        _check_alike(table, other)
    problems = list(request_problems(request))
    if problems:
        raise ConfigError(problem_list("the sweep", problems))
    _check_sensors(request, table)
    # Only who is to be tested as one person; the others were refused, or are told of.
    joined = pairs if first.protocol.duplicates == "group" else ()
    searches = (
        _nested(request, config, outer)
        if request.nested
        else (_plain(request, config, outer, table, joined),)
    )
    targets = first.task.targets(table.columns)
    for search in searches:
        for fold in search.folds:
            check_classes(first.task.heads, targets, table, fold)
            _check_scorers(first.task.heads, targets, table, fold)
    plan = SweepPlan(
        specs=tuple(search.outer for search in searches if search.outer is not None),
        notes=(*outer.notes, *_notes(request, config)),
        groups=outer.groups,
        people=outer.people,
        config=config,
        searches=searches,
        nested=request.nested,
        features=extractions(request),
        keys={name: one.keys for name, one in tables.items()},
    )
    _check_prior(plan)
    return plan


def _resolved(request: SweepRequest) -> SearchConfig:
    """The search with objectives by their own names; a grid is its points, tried in order."""
    search, primary = request.search, request.experiments[0].task.primary_metric
    objectives = tuple(primary if name == PRIMARY else name for name in search.objectives)
    grid = search.space.grid() if search.sampler == "grid" else ()
    return search.model_copy(update={"objectives": objectives, "first": (*search.first, *grid)})


def request_problems(request: SweepRequest) -> Iterator[str]:
    """What excludes each other; known before any feature is computed."""
    search, columns = request.search, [experiment.column for experiment in request.experiments]
    if "published" in columns:
        yield "procedure.kind=published: what was published has settings of its own and searches none"
    if not request.nested:
        if len(columns) > 1:
            yield "a plain sweep searches one column: give --scaling train or transductive, or --nested"
        known = perhaps_among(request.set_aside, search.prior_subjects)
        if known:
            yield (
                f"--set-aside {', '.join(known)}: the sweep of --warm-start has seen them, so they are no "
                "more unseen; set others aside, or leave out --warm-start"
            )
        return
    if len(set(columns)) < len(columns):
        yield f"nested experiments of one column ({', '.join(columns)}) can not be told apart"
    if isinstance(search.scoring, FlatScoring):
        yield "--nested and --scoring flat exclude each other: flat chooses by the subjects that are tested"
    if search.budget.hours is not None or search.budget.n_candidates is None:
        yield (
            "--nested and a budget of hours exclude each other: what a search finds in a given time depends "
            "on the machine, and so would the result; give --candidates alone"
        )
    if request.set_aside:
        yield "--nested and --set-aside exclude each other: nested LOSO sets every subject aside in turn"
    if "latency_ms" in search.objectives:
        yield "--nested and --objective latency_ms exclude each other: latency differs between machines"


def _nested(request: SweepRequest, config: SearchConfig, outer: Plan) -> tuple[SearchPlan, ...]:
    identity = {
        **config.identity(),
        "n_candidates": config.budget.n_candidates,
        "at_once": config.at_once or 1,
    }
    several = len(request.experiments) > 1
    searches = []
    for spec in outer.specs:
        fold = spec.fold
        others = tuple(sorted((*fold.train, *fold.validation)))
        # Nobody validates: what the search has chosen says when to stop.
        whole = replace(spec, fold=Fold(fold.name, others, (), fold.test), search=identity)
        groups = {name: outer.groups[name] for name in others}
        searches.append(
            SearchPlan(
                key=f"{whole.column}/{fold.name}" if several else fold.name,
                stream=fold.name,
                base=spec.experiment,
                folds=inner_folds(fold.name, groups, config.scoring, spec.experiment),
                outer=whole,
            )
        )
    return tuple(searches)


def _plain(
    request: SweepRequest,
    config: SearchConfig,
    outer: Plan,
    table: SegmentTable,
    joined: Sequence[DuplicatePair],
) -> SearchPlan:
    base = request.experiments[0]
    # Who is not in the folds anyway (no label, beyond n_subjects) needs no setting aside.
    unknown = sorted(set(request.set_aside) - set(table.subjects))
    if unknown:
        raise ProtocolError(f"--set-aside: {', '.join(unknown)} not among the subjects of this study")
    aside = {*request.set_aside}
    if base.protocol.kind == "hold_out" and not isinstance(config.scoring, FlatScoring):
        # Whom the protocol tests stays unseen, as it would with --set-aside.
        aside |= {name for spec in outer.specs for name in spec.fold.test}
    units = units_of({name: name for name in outer.groups}, joined)
    # Nobody is unseen whose copy is searched on.
    unseen = {units.get(name, name) for name in aside}
    groups = {name: group for name, group in outer.groups.items() if units[name] not in unseen}
    return SearchPlan("", "", base, inner_folds("", groups, config.scoring, base, joined))


def _check_alike(table: SegmentTable, other: SegmentTable) -> None:
    if set(table.subjects) != set(other.subjects):
        raise ConfigError(
            "the choices of features in the space have different subjects: "
            f"{', '.join(sorted(set(table.subjects) ^ set(other.subjects)))} are not in all of them"
        )


def _check_sensors(request: SweepRequest, table: SegmentTable) -> None:
    """Every choice of sensors in the space; all problems at once."""
    sensors = request.search.space.dimensions.get("modalities")
    problems: dict[str, None] = {}
    for value in sensors.choices if isinstance(sensors, Choice) else ():
        try:
            check_modalities(request.experiments[0].changed({"modalities": value}), table)
        except ConfigError as error:
            problems[str(error)] = None
    if problems:
        raise ConfigError("\n".join(problems))


def _check_scorers(heads: Sequence[Head], targets: Targets, table: SegmentTable, fold: Fold) -> None:
    """Of one class alone no score of classes is defined, so every candidate would fail."""
    rows = table.rows_of(fold.validation)
    for head in heads:
        found = targets[head.name][rows]
        if head.kind == "classes" and fold.validation and len(np.unique(found[np.isfinite(found)])) < 2:
            raise ProtocolError(
                f"inner fold {fold.name!r}: those who score candidates ({', '.join(fold.validation)}) have "
                f"one class of {head.name} only, of which no score is defined: use more subjects, fewer "
                "--inner-folds, or another --seed"
            )


def _check_prior(plan: SweepPlan) -> None:
    """Points that somebody's data have chosen may not steer a search whose outcome is tested on them."""
    tested = perhaps_among(
        (name for spec in plan.specs for name in spec.fold.test), plan.config.prior_subjects
    )
    if tested:
        raise ProtocolError(
            f"the points to try first were chosen on {', '.join(tested)}, whom this nested study "
            "tests: take them from a study that has not seen these people, or leave out --warm-start"
        )


def _notes(request: SweepRequest, config: SearchConfig) -> Iterator[str]:
    if isinstance(config.scoring, FlatScoring):
        yield (
            "FLAT: candidates are scored on the test subjects of the folds, so the best score is optimistic; "
            "it is no estimate for a new person"
        )
    if request.nested and config.candidate_limit_s is not None:
        yield "runs have a time limit: on a slower machine other candidates may fail, and others be chosen"
    if any(name in COSTS for name in config.objectives):
        yield "the candidate that is handed on is the best by the first objective; the front shows the others"


def _sides(fold: Fold) -> Sequence[Any]:
    return [fold.name, list(fold.train), list(fold.validation), list(fold.test)]
