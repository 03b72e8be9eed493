"""What happens when an evaluation job runs: from its flags to the results table."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack

from emo_ray.cli.console import Console
from emo_ray.cli.definition import LosoJob
from emo_ray.cli.flags import loso_parser
from emo_ray.cli.guard import guarded
from emo_ray.cli.places import find_root
from emo_ray.orchestration.cluster import cluster


def run_loso(job: LosoJob, arguments: Sequence[str] | None = None) -> None:
    """Run a job from its command line; ends the process with its exit code."""
    options = loso_parser(job.name, job.description).parse_intermixed_args(arguments)
    sys.exit(guarded(lambda: _run(job, options), options.debug))


def _run(job: LosoJob, options: Namespace) -> int:
    root = find_root(options.root)
    with Console() as console:
        with ExitStack() as early:
            # Workers take seconds to come up. Where nothing was stored, features take longer, and flags and
            # files are judged before Ray costs any time. Else they come up while this process loads torch.
            if (root / "store").is_dir():
                early.enter_context(cluster(options.address))
            from emo_ray.cli.evaluation import evaluate, judge, tell

            evaluation = judge(job, options, root, console)
            results = evaluate(evaluation)
        return tell(evaluation, results)


__all__ = ["LosoJob", "run_loso"]
