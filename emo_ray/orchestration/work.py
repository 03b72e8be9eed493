"""Work: what one Tune trial does, as plain data that travels to a worker."""

from dataclasses import dataclass

from emo_ray.experiment import ExperimentConfig, RunSpec
from emo_ray.results.run_result import RunResult
from emo_ray.results.search_results import Chosen, InnerRecord

Item = RunResult | InnerRecord
"""What a worker hands in: a run's result, or an inner run that has ended, or come so far (``stopped``)."""


@dataclass(frozen=True)
class TestRun:
    """One planned run: train, then test once; with the settings that a search chose, where it has one."""

    __test__ = False  # pytest takes every Test... for tests

    spec: RunSpec
    chosen: Chosen | None = None

    @property
    def name(self) -> str:
        """Of the work, unique in a study."""
        return self.spec.fingerprint

    @property
    def experiment(self) -> ExperimentConfig:
        """What is trained: the spec's experiment, with what was chosen in it."""
        base = self.spec.experiment
        return base.changed(self.chosen.params) if self.chosen else base


@dataclass(frozen=True)
class CandidateRun:
    """One candidate on all its inner folds, one after the other.

    Attributes
    ----------
    done : runs on inner folds that an earlier start has finished
    milestones : steps at which the stopping rule wants to hear how the candidate stands
    epochs_a_fold : steps between the starts of two folds
    limit_s : an inner run that takes longer fails
    """

    search: str
    number: int
    specs: tuple[RunSpec, ...]
    objectives: tuple[str, ...]
    done: tuple[InnerRecord, ...]
    milestones: tuple[int, ...]
    epochs_a_fold: int
    limit_s: float | None = None

    @property
    def name(self) -> str:
        """Of the work, unique in a study."""
        return f"{self.search}#{self.number}"


Work = TestRun | CandidateRun
