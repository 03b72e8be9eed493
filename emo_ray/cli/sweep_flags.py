"""The flags of a sweep job beside those of every job."""

import argparse
from typing import get_args

from emo_ray.cli.flags import shared_parser
from emo_ray.search.config import BUDGETS, COSTS, SamplerName

SAMPLERS = get_args(SamplerName)
STOPPING = ("asha", "hyperband", "median", "none")
SCORING = ("holdout", "kfold", "flat")


def sweep_parser(name: str, description: str) -> argparse.ArgumentParser:
    """The parser of a job that searches.

    Numbers and names of its own flags stay text: they are judged together with everything else.
    """
    parser = shared_parser(name, description)
    _what(parser.add_argument_group("what is searched"))
    _how(parser.add_argument_group("how it is searched"))
    _for_whom(parser.add_argument_group("for whom"))
    return parser


def _what(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--space", metavar="FILE.yaml", help="search space, for that of --model (mlp,amigos_lstm: of both)")
    add(
        "--search",
        action="append",
        default=[],
        metavar="KEY=SPEC",
        help="add or replace one dimension: 'training.batch_size=[16, 32]', 'model.dropout={uniform: [0, "
        "0.5]}', {log: [1e-4, 1e-2]}, {int: [1, 8]}; FIELD=VALUE takes a field out of the space",
    )
    add("--first", metavar="FILE.yaml", help="a list of points to try before all others")
    add("--warm-start", metavar="STUDY", help="try the best five of an earlier sweep of this root first")


def _how(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--candidates", metavar="N", help="settings to try, in each search (25)")
    add("--hours", metavar="H", help="start no new candidate after so many hours, over all starts")
    add("--budget", metavar="NAME", help=f"a published budget: {', '.join(BUDGETS)} (25 candidates or 2 h)")
    add("--sampler", default="tpe", help=f"one of {', '.join(SAMPLERS)} (tpe)")
    add("--stopping", help=f"one of {', '.join(STOPPING)} (asha; with several objectives none)")
    add("--grace-epochs", metavar="N", help="epochs that a candidate gets before it can be stopped")
    add("--scoring", help=f"one of {', '.join(SCORING)}: whose score candidates get (holdout)")
    add("--inner-folds", metavar="K", help="score candidates by K folds of the training subjects")
    add(
        "--objective",
        action="append",
        default=[],
        metavar="NAME",
        help=f"a score, then others or {', '.join(COSTS)}; repeat it for several (the task's main score)",
    )
    add("--at-once", metavar="N", help="candidates of a search at a time; fixes their order")
    add("--storage", default="journal", help="Optuna's: journal, sqlite, or an URL (journal)")
    add("--max-failed-share", metavar="X", help="end it when more than this share of candidates fail (0.5)")
    add("--candidate-limit-s", metavar="S", help="a training that takes longer fails")
    add("--yes", action="store_true", help="start without asking")


def _for_whom(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--nested", action="store_true", help="a search inside every fold: an unbiased result")
    add("--set-aside", metavar="WHO", help="subjects that the sweep must not see: N, seeded:N, or names")
