"""How many epochs ASHA needs for the best validation score of a search that stops nobody.

    python benchmarks/asha_epochs.py [--seeds 5] [--candidates 25]

The light AMIGOS network and its published search space, on generated AMIGOS recordings, hold-out scoring.
For every seed the same search runs twice: with ASHA as it is by default, and without any stopping rule.
Prints, by seed, the epochs of both, their ratio, both best scores, and whether ASHA's lies within the
bootstrap interval (over the scoring subjects) of the full search's best; and the median ratio over seeds.
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


def compared(full: SearchResults, stopped: SearchResults) -> tuple[float, bool, str]:
    """Share of the epochs, whether the best score was reached, and both in words."""
    epochs = [sum(one.n_epochs for one in results.searches[""]) for results in (full, stopped)]
    best, other = full.best(""), stopped.best("")
    assert best is not None, "a search of sound candidates has a best one"
    assert other is not None, "a search of sound candidates has a best one"
    interval = over_subjects(list(best.folds[0].subject_scores.values()))
    # The interval is of the mean over subjects, the score of all their segments: shifted onto each other.
    low = best.values[0] - ((interval.mean or 0.0) - (interval.low or 0.0))
    reached = other.values[0] >= low
    words = (
        f"{epochs[1]:5d} of {epochs[0]:5d} epochs ({epochs[1] / epochs[0]:.2f}), best {other.values[0]:.3f} "
        f"against {best.values[0]:.3f} (interval from {low:.3f}): {'reached' if reached else 'NOT reached'}"
    )
    return epochs[1] / epochs[0], reached, words


def main() -> None:
    """Print one line a seed, then the median."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--candidates", type=int, default=25)
    options = parser.parse_args()
    ratios, hits = [], 0
    with tempfile.TemporaryDirectory() as root, cluster():
        for seed in range(options.seeds):
            base = experiment(recordings(), seed)
            full = search(base, NoStopping(), options.candidates, Path(root))
            stopped = search(base, Asha(), options.candidates, Path(root))
            ratio, reached, words = compared(full, stopped)
            ratios.append(ratio)
            hits += reached
            print(f"seed {seed}: {words}", flush=True)
    print(
        f"median share of epochs {statistics.median(ratios):.2f}; best reached in {hits} of {options.seeds}"
    )


if __name__ == "__main__":
    main()
