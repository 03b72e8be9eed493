"""A sweep's winner as the settings of an evaluation; whose data chose it goes along."""

from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emo_ray.cli.definition import LosoJob
from emo_ray.cli.overrides import parse_overrides
from emo_ray.cli.settings import EPOCHS, cohort_of, find_corpus, given_settings, is_layout
from emo_ray.errors import ConfigError
from emo_ray.experiment import ExperimentConfig, Selection, validated
from emo_ray.results.search_journal import load_search
from emo_ray.results.search_results import Candidate, SearchResults


def handed_on(job: LosoJob, options: Namespace, root: Path) -> tuple[ExperimentConfig, Selection, str]:
    """The experiment that a sweep has chosen, whose data chose it, and one line that says so.

    Raises
    ------
    ConfigError : the sweep has no single winner, or flags contradict what it has chosen
    JournalError : there is no such sweep
    """
    results = load_search(root / "studies" / options.from_sweep)
    best = _winner(results)
    base = results.header["bases"][0]
    problems = list(_contradictions(options, base, best))
    if problems:
        raise ConfigError(
            "\n".join([f"--from-sweep {results.study.name}:", *(f"  {one}" for one in problems)])
        )
    # A wish for other epochs holds, where the sweep did not search them.
    experiment = validated(_content(job, options, base)).changed({**best.params, **given_settings(options)})
    seen = tuple(sorted({*results.header["subjects"], *results.header["prior_subjects"]}))
    chooser = f"settings of candidate {best.number} of sweep {results.study.name}"
    score = f"{results.objectives[0]} {best.values[0]:.3f} on those that chose it"
    fate = "who are tested all the same (--as-flat)" if options.as_flat else "who are not tested"
    line = f"{chooser} ({score}), chosen on the data of {len(seen)} subjects, {fate}"
    return experiment, Selection(results.study.name, seen, options.as_flat), line


def _winner(results: SearchResults) -> Candidate:
    name = results.study.name
    if results.is_nested:
        raise ConfigError(
            f"--from-sweep {name}: a nested study chooses for every subject anew, and has tested that; its "
            "report is the result. Sweep without --nested for one winner"
        )
    best = results.best("")
    if best is None:
        raise ConfigError(
            f"--from-sweep {name}: none of its {len(results.searches[''])} candidates is complete; the same "
            "sweep command goes on with it, and its report tells why others failed"
        )
    return best


def _contradictions(options: Namespace, base: Mapping[str, Any], best: Candidate) -> Iterator[str]:
    for flag, value in (("--model", options.model), ("--training", options.training)):
        if value:
            yield f"{flag} {value}: the sweep has chosen that; leave it out, or evaluate without --from-sweep"
    if options.scaling and options.scaling != base["scaling"]:
        yield f"--scaling {options.scaling}: the sweep chose by scores with {base['scaling']}; leave it out"
    given = dict(parse_overrides(options.overrides))
    if options.epochs is not None:
        given[EPOCHS] = options.epochs
    for key in sorted(given):
        chosen = [name for name in best.params if _overlap(key, name)]
        if chosen:
            values = ", ".join(f"{name} = {best.params[name]}" for name in chosen)
            yield f"{key}: the sweep has chosen {values}; leave it out"
        elif _overlap(key, "scaling") and given[key] != base["scaling"]:
            yield f"{key}: the sweep chose by scores with {base['scaling']}; leave it out"
        elif _overlap(key, "model.kind"):
            yield f"{key}: the sweep's settings are those of {base['model']['kind']}; leave it out"


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")


def _content(job: LosoJob, options: Namespace, base: Mapping[str, Any]) -> dict[str, Any]:
    """The sweep's experiment, with the data, task and people that this command names."""
    given = find_corpus(job, options)
    if given.kind != base["corpus"]["kind"]:
        raise ConfigError(
            f"--from-sweep {options.from_sweep}: the sweep read {base['corpus']['kind']} and this command "
            f"reads {given.kind}: use the job, or the layout, that the sweep was started with"
        )
    # A layout file describes new data; a bare path is read as the sweep read its own.
    corpus: Any = given
    if not (options.data and is_layout(options.data)):
        corpus = {**base["corpus"], "path": given.path}
    content = {**base, "corpus": corpus, "protocol": _protocol(options, base)}
    if options.task:
        tasks = given.tasks()
        if options.task not in tasks:
            raise ConfigError(f"--task {options.task!r}: the corpus has {', '.join(tasks)}")
        if tasks[options.task].model_dump(mode="json") != base["task"]:
            raise ConfigError(
                f"--from-sweep {options.from_sweep}: the sweep was for another task ({base['task']['kind']}) "
                f"than --task {options.task}; leave it out, or sweep for that task"
            )
    return content


def _protocol(options: Namespace, base: Mapping[str, Any]) -> dict[str, Any]:
    """Who is tested is this command's to say: a sweep over ten people may be tested on all others."""
    fields = cohort_of(options).protocol
    if options.protocol:
        return {"kind": options.protocol, **fields}
    return {**base["protocol"], "n_subjects": None, "choice": "first", **fields}
