"""A study of the same name that is another search: told at once, with what differs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from emo_ray.errors import ConfigError
from emo_ray.orchestration.sweep_plan import SweepRequest
from emo_ray.results.study_folder import HEADER, load_study
from emo_ray.search.checks import objective_names

MAX_SHOWN = 12


def refuse_other_search(folder: Path, request: SweepRequest) -> None:
    """Refuse a name whose study was searched otherwise, before any work; the plan looks closer later.

    Raises
    ------
    ConfigError : the folder holds another search, or an evaluation
    JournalError : its files are damaged
    """
    if not (folder / HEADER).exists():
        return
    known = load_study(folder).header.get("search")
    if known is None:
        raise ConfigError(
            f"--study {folder.name}: {folder} holds an evaluation and no sweep: give this sweep another name"
        )
    differences = list(_differences(known, _declared(request)))
    if differences:
        hidden = [f"and {len(differences) - MAX_SHOWN} more"] if len(differences) > MAX_SHOWN else []
        what = (
            f"--study {folder.name} in {folder.parent} is another search, which stays as it is: give this "
            "one another name, or none"
        )
        lines = [*differences[:MAX_SHOWN], *hidden]
        raise ConfigError("\n".join([f"{what}. What differs:", *(f"  {line}" for line in lines)]))


def _declared(request: SweepRequest) -> dict[str, Any]:
    """What the header of this sweep will say of all that decides which candidate comes after which."""
    search, base = request.search, request.experiments[0]
    n_grid = search.space.grid_size if search.sampler == "grid" else 0
    return {
        "nested": request.nested,
        "space": search.space.model_dump(mode="json")["dimensions"],
        "sampler": search.sampler,
        "stopping": search.stopping.model_dump(mode="json"),
        "scoring": search.scoring.model_dump(mode="json"),
        "objectives": list(objective_names(search, base)),
        "candidate_limit_s": search.candidate_limit_s,
        "n_first": len(search.first) + n_grid,
        "at_once": (search.at_once or 1) if request.nested else search.at_once,
        "seed": search.seed,
        "set_aside": sorted(request.set_aside),
        "prior_subjects": list(search.prior_subjects),
        "bases": [experiment.identity() for experiment in request.experiments],
        # The result of a nested study depends on it; a plain sweep may be continued with more.
        **({"candidates": search.budget.n_candidates} if request.nested else {}),
    }


def _differences(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    old = {**known, "candidates": known["budget"]["n_candidates"], "set_aside": sorted(known["set_aside"])}
    for name in (name for name in wanted if name not in ("space", "bases")):
        if old.get(name) != wanted[name]:
            yield f"{name} was {_shown(old.get(name))}, is {_shown(wanted[name])}"
    yield from _changes("searched over", old["space"], wanted["space"])
    if len(old["bases"]) != len(wanted["bases"]):
        yield f"it had {len(old['bases'])} columns (--scaling), this one has {len(wanted['bases'])}"
        return
    for before, now in zip(old["bases"], wanted["bases"], strict=True):
        yield from _changes("", _flat(before, ""), _flat(now, ""))


def _changes(verb: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    prefix = f"{verb} " if verb else ""
    for key in sorted(old.keys() | new.keys()):
        before, now = old.get(key), new.get(key)
        if before != now:
            yield (
                f"{key} was {prefix + _shown(before) if key in old else 'not there'}, is "
                f"{prefix + _shown(now) if key in new else 'not there'}"
            )


def _shown(value: Any) -> str:
    """A value, or a part of a search by its kind: ``log 0.001 to 0.1``."""
    if not isinstance(value, Mapping) or "kind" not in value:
        return repr(value) if isinstance(value, str) else str(value)
    if "choices" in value:
        return ", ".join(map(str, value["choices"]))
    if "low" in value:
        return f"{value['kind']} {value['low']:g} to {value['high']:g}"
    rest = ", ".join(f"{key}={item}" for key, item in value.items() if key != "kind")
    return f"{value['kind']} ({rest})" if rest else str(value["kind"])


def _flat(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {name: value}
    found: dict[str, Any] = {}
    for key, item in value.items():
        found.update(_flat(item, f"{name}.{key}" if name else str(key)))
    return found
