"""How many epochs ASHA needs for the best validation score of a search that stops nobody.

    python benchmarks/asha_epochs.py [--seeds 5] [--candidates 25]

The light AMIGOS network and its published search space, on generated AMIGOS recordings, hold-out scoring.
For every seed the same search runs twice: with ASHA as it is by default, and without any stopping rule.
Prints, by seed, after which share of the full search's epochs ASHA had a score within the bootstrap
interval (over the scoring subjects) of the full search's best, which share it took in all, and both
best scores; and the medians over seeds.
"""

import argparse
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from emo_ray.corpora.amigos import Amigos
from emo_ray.experiment import ExperimentConfig, validated
from emo_ray.extraction.registry import default_extraction
from emo_ray.models.amigos_lstm import AmigosLstmConfig
from emo_ray.orchestration.cluster import cluster
from emo_ray.orchestration.probe import Estimate
from emo_ray.orchestration.study import Study
from emo_ray.orchestration.sweep import Sweep, run_sweep
from emo_ray.orchestration.sweep_plan import SweepRequest
from emo_ray.results.run_result import RunRecord
from emo_ray.results.search_results import Candidate, SearchResults
from emo_ray.results.statistics import over_subjects
from emo_ray.search.config import Asha, Budget, HoldOutScoring, NoStopping, SearchConfig, Stopping
from emo_ray.testing.amigos_files import AmigosFiles, write_subject

FILES = AmigosFiles(n_subjects=8, long_videos=False, seed=7)
MAX_EPOCHS = 40


@dataclass
class Silent:
    """Follows a sweep and says nothing."""

    def approved(self, estimate: Estimate) -> bool:
        """Always."""
        return True

    def opened(self, results: SearchResults) -> None:
        """Nothing to do."""

    def heard(self, record: RunRecord) -> None:
        """Nothing to do."""

    def heard_candidate(self, candidate: Candidate) -> None:
        """Nothing to do."""


def recordings() -> Path:
    """Generated once into the user's cache."""
    folder = platformdirs.user_cache_path("emo_ray") / "benchmark-asha"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(FILES.n_subjects):
            write_subject(FILES, index, folder)
        (folder / "complete").touch()
    return folder


def experiment(folder: Path, seed: int) -> ExperimentConfig:
    """The base that the search changes."""
    corpus = Amigos(path=folder)
    return validated(
        {
            "corpus": corpus,
            "extraction": default_extraction(corpus),
            "task": next(iter(corpus.tasks().values())),
            "model": AmigosLstmConfig(variant="lightweight"),
            "training": {"max_epochs": MAX_EPOCHS, "monitor": "primary"},
            "protocol": {"kind": "loso"},
            "seed": seed,
        }
    )


def search(base: ExperimentConfig, stopping: Stopping, n_candidates: int, root: Path) -> SearchResults:
    """One search, by itself."""
    config = SearchConfig(
        space=AmigosLstmConfig.search_space().without(["model.variant", "model.width_mult"]),
        stopping=stopping,
        scoring=HoldOutScoring(share=0.5),
        budget=Budget(n_candidates=n_candidates),
        seed=base.seed,
    )
    name = f"{stopping.kind}-{base.seed}"
    study = Study((base,), base.corpus.find_subjects(), root, name=name, job="asha_epochs")
    return run_sweep(Sweep(study, SweepRequest((base,), config)), Silent())


@dataclass(frozen=True)
class Comparison:
    """Of two searches: shares of the full one's epochs until its best was reached (inf: never) and in all."""

    until_reached: float
    in_all: float
    best: float
    full_best: float
    low: float


def compared(full: SearchResults, stopped: SearchResults) -> Comparison:
    """The search with ASHA against the one without."""
    n_full = sum(one.n_epochs for one in full.searches[""])
    best, other = full.best(""), stopped.best("")
    assert best is not None, "a search of sound candidates has a best one"
    assert other is not None, "a search of sound candidates has a best one"
    interval = over_subjects(list(best.folds[0].subject_scores.values()))
    # The interval is of the mean over subjects, the score of all their segments: shifted onto each other.
    low = best.values[0] - ((interval.mean or 0.0) - (interval.low or 0.0))
    spent, until = 0, float("inf")
    for one in sorted(stopped.searches[""], key=lambda one: one.elapsed_s):
        spent += one.n_epochs
        if one.state == "complete" and one.values[0] >= low:
            until = min(until, spent)
    return Comparison(until / n_full, spent / n_full, other.values[0], best.values[0], low)


def main() -> None:
    """Print one line a seed, then the median."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--candidates", type=int, default=25)
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as root, cluster():
        for seed in range(options.seeds):
            base = experiment(recordings(), seed)
            full = search(base, NoStopping(), options.candidates, Path(root))
            one = compared(full, search(base, Asha(), options.candidates, Path(root)))
            found.append(one)
            print(
                f"seed {seed}: reached after {one.until_reached:.2f} of the epochs, {one.in_all:.2f} in all; "
                f"best {one.best:.3f} against {one.full_best:.3f} (interval from {one.low:.3f})",
                flush=True,
            )
    until = statistics.median(one.until_reached for one in found)
    in_all = statistics.median(one.in_all for one in found)
    print(f"median over seeds: reached after {until:.2f} of the epochs, {in_all:.2f} in all")


if __name__ == "__main__":
    main()
