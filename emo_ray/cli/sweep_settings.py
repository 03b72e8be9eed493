"""From the flags of a sweep job to the sweep; everything that is wrong with them comes in one message."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from emo_ray.cli.definition import SweepJob
from emo_ray.cli.flags import parse_subjects
from emo_ray.cli.overrides import parse_overrides
from emo_ray.cli.problems import Problems
from emo_ray.cli.settings import (
    Cohort,
    cohort_of,
    columns_of,
    experiment_of,
    find_corpus,
    given_settings,
    scalings,
    study_of,
)
from emo_ray.cli.sweep_flags import SAMPLERS, SCORING, STOPPING
from emo_ray.cli.sweep_known import refuse_other_search
from emo_ray.cli.sweep_space import SpaceRequest, read_points, space_of
from emo_ray.cli.warm_start import WarmStart, warm_start
from emo_ray.config_errors import explain, suggestion
from emo_ray.errors import ConfigError, CorpusError
from emo_ray.experiment import ExperimentConfig
from emo_ray.orchestration.sweep import Sweep
from emo_ray.orchestration.sweep_plan import SweepRequest, request_problems
from emo_ray.protocols.fold import choose_subjects
from emo_ray.search.checks import check_search
from emo_ray.search.config import BUDGETS, SearchConfig
from emo_ray.search.storage import open_storage, storage_target
from emo_ray.space import SearchSpace
from emo_ray.training.seeding import Streams

SMOKE_CANDIDATES, SMOKE_NESTED_CANDIDATES = 3, 2


@dataclass(frozen=True)
class SweepSettings:
    """A sweep that can start, and what its user should know of how the flags were read."""

    sweep: Sweep
    notes: tuple[str, ...]


def sweep_of(job: SweepJob, options: Namespace, root: Path) -> SweepSettings:
    """The sweep that a command asks for; reads no recording, starts nothing.

    Raises
    ------
    EmoRayError : all that is wrong with it, in one message
    """
    problems = Problems()
    # Without data there is no task to judge anything by.
    corpus = find_corpus(job, options)
    cohort = problems.attempt(lambda: cohort_of(options)) or Cohort((), {})
    models = tuple(options.model.split(",")) if options.model else ()
    plain = problems.attempt(
        lambda: experiment_of(job, _first_model(options, models), corpus, cohort.protocol)
    )
    if plain is None:
        problems.refuse("the sweep")
    assert plain is not None, "refused above"
    base = problems.attempt(lambda: plain.changed(given_settings(options))) or _changed_where_right(
        plain, options
    )
    config, notes = _search_config(job, options, root, base, problems)
    files = problems.attempt(lambda: cohort.files(base.corpus)) or {}
    aside = problems.attempt(lambda: _set_aside(options, base, files)) or ()
    names = problems.attempt(lambda: scalings(options, base, job.scaling)) or ("train",)
    if config is not None:
        checked = config
        # Also where the names were wrong: that people are set aside at all is a problem of its own.
        wanted = aside or tuple(filter(None, [options.set_aside]))
        request = SweepRequest(columns_of(base, names), checked, options.nested, wanted)
        for problem in request_problems(request):
            problems.add(problem)
        problems.attempt(lambda: check_search(checked, base))
    problems.attempt(lambda: _check_storage(options.storage))
    study = problems.attempt(lambda: study_of(job, options, root, columns_of(base, names)))
    if problems or config is None or study is None:
        problems.refuse("the sweep")
    assert config is not None, "refused above"
    assert study is not None, "refused above"
    request = SweepRequest(study.experiments, config, options.nested, aside)
    if options.study:
        refuse_other_search(root / "studies" / options.study, request)
    return SweepSettings(Sweep(study, request, options.storage), tuple(notes))


def _first_model(options: Namespace, models: Sequence[str]) -> Namespace:
    """The options with one model: where several are searched over, the first is where it starts."""
    return Namespace(**{**vars(options), "model": models[0] if models else None})


def _changed_where_right(plain: ExperimentConfig, options: Namespace) -> ExperimentConfig:
    """The experiment with those overrides that are right, to judge the rest of the command by."""
    for override in options.overrides:
        try:
            plain = plain.changed(parse_overrides([override]))
        except ConfigError:
            continue
    return plain


def _search_config(
    job: SweepJob, options: Namespace, root: Path, base: ExperimentConfig, problems: Problems
) -> tuple[SearchConfig | None, list[str]]:
    space, notes = space_of(job, _space_request(options), base, problems)
    points = problems.attempt(lambda: read_points(options.first) if options.first else ()) or ()
    prior = WarmStart((), ())
    if options.warm_start and space is not None:
        prior = problems.attempt(lambda: warm_start(root, options.warm_start, space)) or prior
        notes.append(
            f"{len(prior.points)} candidates of {options.warm_start} come first; the data of "
            f"{len(prior.subjects)} subjects chose them"
        )
    first = (*points, *prior.points)
    known = SearchSpace(dimensions={}) if space is None else space
    content = {
        "space": known,
        "first": first,
        "prior_subjects": prior.subjects,
        "seed": base.seed,
        **_sampler(options, problems),
        "budget": _budget(options, known, len(first), problems, notes),
        **_scoring(options, problems),
        **_stopping(options, problems, notes),
        **_given(
            objectives=tuple(options.objective) or None,
            at_once=options.at_once,
            max_failed_share=options.max_failed_share,
            candidate_limit_s=options.candidate_limit_s,
        ),
    }
    config = problems.attempt(lambda: _validated_search(content))
    # The other parts are judged for their form all the same.
    return (None if space is None else config), notes


def _validated_search(content: Mapping[str, Any]) -> SearchConfig:
    try:
        return SearchConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError(explain(error, SearchConfig, "the search")) from error


def _space_request(options: Namespace) -> SpaceRequest:
    try:
        pinned = given_settings(options)
    except ConfigError:
        pinned = {}  # told of where the experiment is made
    models = tuple(options.model.split(",")) if options.model else ()
    if len(models) == 1 and ":" in models[0]:
        pinned["model.variant"] = models[0].partition(":")[2]
    return SpaceRequest(
        file=options.space or "",
        models=tuple(text.partition(":")[0] for text in models),
        added=options.search,
        # A seed is no setting, so it can not be searched and need not be pinned.
        pinned={key: value for key, value in pinned.items() if key != "seed"},
    )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _budget(
    options: Namespace, space: SearchSpace, n_first: int, problems: Problems, notes: list[str]
) -> dict[str, Any]:
    preset: dict[str, Any] = {}
    if options.budget in BUDGETS:
        preset = BUDGETS[options.budget].model_dump()
    elif options.budget:
        problems.add(f"--budget {options.budget!r}: {suggestion(options.budget, list(BUDGETS))}")
    budget = {**preset, **_given(n_candidates=options.candidates, hours=options.hours)}
    if options.sampler == "grid":
        return _grid_budget(budget, space, n_first, notes)
    if not budget and options.smoke:
        return {"n_candidates": SMOKE_NESTED_CANDIDATES if options.nested else SMOKE_CANDIDATES}
    # By time alone where a time alone was given.
    return {"n_candidates": None, **budget} if budget else {}


def _grid_budget(
    budget: dict[str, Any], space: SearchSpace, n_first: int, notes: list[str]
) -> dict[str, Any]:
    """As many candidates as the grid has points; fewer, where they are asked for, are refused later."""
    try:
        size = space.grid_size + n_first
    except ConfigError:
        return budget
    asked = str(budget.get("n_candidates") or size)
    if asked.isdigit() and int(asked) >= size:
        if int(asked) > size:
            notes.append(f"the grid has {size} points, so {size} candidates are tried, not {asked}")
        return {**budget, "n_candidates": size}
    return budget


def _sampler(options: Namespace, problems: Problems) -> dict[str, Any]:
    if options.sampler in SAMPLERS:
        return {"sampler": options.sampler}
    problems.add(f"--sampler {options.sampler!r}: {suggestion(options.sampler, SAMPLERS)}")
    return {}


def _scoring(options: Namespace, problems: Problems) -> dict[str, Any]:
    kind = options.scoring or ("kfold" if options.inner_folds else "holdout")
    if kind not in SCORING:
        problems.add(f"--scoring {kind!r}: {suggestion(kind, SCORING)}")
        return {}
    if options.inner_folds and kind != "kfold":
        problems.add(f"--inner-folds goes with --scoring kfold, not with {kind}: leave one of them out")
        return {}
    return {"scoring": {"kind": kind, **_given(n_folds=options.inner_folds)}}


def _stopping(options: Namespace, problems: Problems, notes: list[str]) -> dict[str, Any]:
    kind = options.stopping
    if kind is None and len(options.objective) > 1:
        kind = "none"
        notes.append(
            "no candidate is stopped early: with several objectives there is no one score to stop by"
        )
    kind = kind or "asha"
    if kind not in STOPPING:
        problems.add(f"--stopping {kind!r}: {suggestion(kind, STOPPING)}")
        return {}
    if kind == "none":
        if options.grace_epochs:
            problems.add("--grace-epochs is for a stopping rule, and there is none: leave it out")
        return {"stopping": {"kind": kind}}
    # Two epochs, as --smoke has, leave no room for the usual grace.
    grace = options.grace_epochs or (1 if options.smoke else None)
    return {"stopping": {"kind": kind, **_given(grace_epochs=grace)}}


def _set_aside(
    options: Namespace, base: ExperimentConfig, files: Mapping[str, tuple[Path, ...]]
) -> tuple[str, ...]:
    """Full names of the subjects that the sweep must not see."""
    if not options.set_aside:
        return ()
    try:
        names, number = parse_subjects(options.set_aside)
    except ConfigError as error:
        raise ConfigError(str(error).replace("--subjects", "--set-aside")) from error
    there = list(files)
    if base.protocol.n_subjects is not None and base.protocol.n_subjects <= len(there):
        streams = Streams(base.seed).child("protocol")
        there = list(choose_subjects(there, base.protocol.n_subjects, base.protocol.choice, streams))
    if names:
        aside = _by_name(names, there)
    else:
        n = min(number["n_subjects"], len(there))
        aside = choose_subjects(there, n, number["choice"], Streams(base.seed).child("set aside"))
    if len(there) - len(aside) < 2:
        raise ConfigError(
            f"--set-aside {options.set_aside}: leaves {len(there) - len(aside)} of {len(there)} subjects, "
            "and a sweep needs at least 2, one to train and one to score"
        )
    return aside


def _by_name(names: Sequence[str], there: Sequence[str]) -> tuple[str, ...]:
    # Full names go in last: they win over a short name that looks the same.
    by_name = {name.rpartition("/")[2]: name for name in there} | {name: name for name in there}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        known = ", ".join(name.rpartition("/")[2] for name in there)
        raise CorpusError(f"--set-aside: no {', '.join(unknown)} among the subjects, who are {known}")
    return tuple(dict.fromkeys(by_name[name] for name in names))


def _check_storage(where: str) -> None:
    """A database is asked now; the files of a study are made when the study is."""
    storage_target(where, Path())
    if "://" in where:
        open_storage(where, Path())
