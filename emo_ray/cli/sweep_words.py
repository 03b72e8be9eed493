"""What a sweep tells before it starts: how many trainings it takes, and for how long at most."""

import math
import sys

from emo_ray.orchestration.probe import Estimate
from emo_ray.orchestration.sweep_plan import SweepRequest
from emo_ray.search.board import duration
from emo_ray.search.config import FlatScoring, KFoldScoring

RULES = {"asha": "ASHA", "hyperband": "Hyperband", "median": "the median rule", "none": "early stopping"}
UNITS = {"loso": "subject", "logo": "group", "hold_out": "split"}


def cost_words(request: SweepRequest, estimate: Estimate) -> str:
    """``nested: 15 subjects x (12 candidates x 1 inner fold + 1 test) = 195 trainings; at most 12 min``."""
    counted = _nested(request, estimate) if request.nested else _plain(request, estimate)
    left = estimate.n_trainings - estimate.n_done
    if left <= 0:
        return f"{counted}; all of them were done before"
    done = f", {estimate.n_done} of them done before" if estimate.n_done else ""
    return f"{counted}{done}; {_time(request, estimate)}"


def confirmed() -> bool:
    """Ask whether to start; only where somebody sits there."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    print("start? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _nested(request: SweepRequest, estimate: Estimate) -> str:
    search = request.search
    n_candidates = search.budget.n_candidates or 1
    n_inner = search.scoring.n_folds if isinstance(search.scoring, KFoldScoring) else 1
    n_columns = len(request.experiments)
    n_tested = estimate.n_trainings // (n_candidates * n_inner + 1) // n_columns
    columns = f"{n_columns} columns x " if n_columns > 1 else ""
    unit = UNITS[request.experiments[0].protocol.kind]
    return (
        f"nested: {columns}{_n(n_tested, unit)} x ({_n(n_candidates, 'candidate')} x "
        f"{_n(n_inner, 'inner fold')} + 1 test) = {_n(estimate.n_trainings, 'training')}"
    )


def _plain(request: SweepRequest, estimate: Estimate) -> str:
    search = request.search
    n_candidates = search.budget.n_candidates
    n_folds = estimate.n_trainings // (n_candidates or 1)
    fold = "test fold" if isinstance(search.scoring, FlatScoring) else "inner fold"
    label = "flat sweep" if isinstance(search.scoring, FlatScoring) else "sweep"
    if n_candidates is None:
        return f"{label}: as many candidates as the time allows x {_n(n_folds, fold)}"
    return (
        f"{label}: {_n(n_candidates, 'candidate')} x {_n(n_folds, fold)} = "
        f"{_n(estimate.n_trainings, 'training')}"
    )


def _time(request: SweepRequest, estimate: Estimate) -> str:
    if not math.isfinite(estimate.epoch_s):
        return "how long that takes is not known, for the settings it starts from can not be trained"
    measured = (
        f"({estimate.epoch_s:.2g} s an epoch measured, {_n(estimate.epochs_a_run, 'epoch')} a training)"
    )
    slots = f"on {_n(estimate.n_slots, 'slot')}"
    limit_s = 3600 * estimate.hours if estimate.hours else None
    rule = RULES[request.search.stopping.kind]
    if limit_s is not None and (request.search.budget.n_candidates is None or estimate.most_s > limit_s):
        return f"{duration(limit_s)} {slots}, then what runs is finished {measured}"
    most = duration(max(1.0, estimate.most_s))
    return f"at most {most} {slots} {measured}; {rule} usually needs much less"


def _n(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
