"""A worker of a group: run after run together with the others, which train the same model side by side."""

import logging
import pickle
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch

from emo_ray.experiment import RunSpec
from emo_ray.orchestration.group_mailbox import NOTHING_YET, OVER
from emo_ray.orchestration.work import TestRun
from emo_ray.orchestration.worker import Shared, attempted, once_a_process
from emo_ray.results.run_result import RunResult
from emo_ray.run import execute, failed, fit
from emo_ray.store.segment_table import SegmentTable
from emo_ray.training.checkpoint import Checkpointer
from emo_ray.training.loop import Runtime
from emo_ray.training.process_team import ProcessTeam, TeamLostError, said, told

log = logging.getLogger(__name__)

LOOK_S = 0.05
WORD_EVERY_S = 10.0
"""So often the others are told that there is nothing to do yet; they wait much longer before they give up."""

LOST, TO_BE_RETRIED = "lost", "again"


@dataclass(frozen=True)
class GroupPlace:
    """Where a group works: its number, and what all groups of a study share."""

    group: int
    shared: Shared


def serve(config: dict[str, Any]) -> None:
    """Ray Train's function, on every worker of a group: do what the mailbox has until it is over.

    Errors of a run are results. Only a lost worker ends the function with an error: Ray Train then starts the
    whole group again, and its run in progress goes on from the last checkpoint.
    """
    place: GroupPlace = config["place"]
    while True:
        name, attempt = _next(place)
        if (name, attempt) == OVER:
            return
        if (name, attempt) != NOTHING_YET:
            work: TestRun = pickle.loads(ray.get(place.shared.mailbox.content.remote(name)))
            _do(work, attempt, place)


def _next(place: GroupPlace) -> tuple[str, int]:
    """What rank 0 has taken, on all ranks."""
    answer = NOTHING_YET
    until = time.monotonic() + WORD_EVERY_S
    while _rank() == 0 and answer == NOTHING_YET and time.monotonic() < until:
        # A tuple travels as one; compared as one, too.
        answer = tuple(ray.get(place.shared.mailbox.take.remote(place.group)))
        if answer == NOTHING_YET:
            time.sleep(LOOK_S)
    attempt, _, name = told(f"{answer[1]} {answer[0]}".encode()).decode().partition(" ")
    return name, int(attempt)


def _rank() -> int:
    return int(ray.train.get_context().get_world_rank())


def _do(work: TestRun, attempt: int, place: GroupPlace) -> None:
    """One run; all workers agree on how it ended before rank 0 hands it in."""
    team = ProcessTeam()
    checkpointer = TeamCheckpointer(place.shared.checkpoints, work.spec, team)
    runtime = Runtime(device=place.shared.device, checkpointer=checkpointer, team=team)
    outcome = _outcome(work, attempt, place, runtime)
    # Whoever failed alone lets the others go; whatever waits in this group's connections is void.
    team.leave()
    errors = [error for error in said(outcome if isinstance(outcome, str) else "") if error]
    told_apart = [error for error in errors if error != LOST]
    if errors and not told_apart:
        raise TeamLostError("workers have lost each other, and none of them says why")
    if team.rank > 0:
        return
    result = failed(work.spec, told_apart[0], attempt) if told_apart else outcome
    ray.get(place.shared.mailbox.hand_in.remote(place.group, pickle.dumps(result)))
    # Not before the result is safe: a group that is lost above starts again from the checkpoint.
    checkpointer.clear()


def _outcome(work: TestRun, attempt: int, place: GroupPlace, runtime: Runtime) -> RunResult | str | None:
    """The result of a run (rank 0) or nothing; or the error, in words."""

    def run() -> RunResult | str | None:
        table: SegmentTable = once_a_process(place.shared.tables[work.experiment.features])
        try:
            if runtime.team.rank == 0:
                return execute(work.spec, table, runtime, attempt, work.chosen)
            # References and test are rank 0's alone.
            fit(work.spec, table, runtime, work.chosen)
        except TeamLostError:
            log.exception("a run has lost its team")
            return LOST
        return None

    return attempted(run, lambda error: error, attempt)


class TeamCheckpointer(Checkpointer):
    """One file for a team: rank 0 writes it, all of them go on from it, or none does."""

    def __init__(self, folder: Path, spec: RunSpec, team: ProcessTeam) -> None:
        every_s = spec.experiment.training.checkpoint_every_s
        super().__init__(folder / f"{spec.fingerprint}.pt", every_s, spec.fingerprint)
        self._team = team

    def due(self) -> bool:
        """Whether this member should write now."""
        return self._team.rank == 0 and super().due()

    def load(self) -> dict[str, Any] | None:
        """The saved state, where all members see the same one."""
        state = super().load()
        # in the team of the run: of a member that has left it already, the others must hear here
        epochs = self._team.joined(torch.tensor([0 if state is None else len(state["history"])])).tolist()
        if len(set(epochs)) > 1:
            log.warning(
                "the workers see different checkpoints in %s (after %s epochs): the run starts afresh; is "
                "--root on a disk that all nodes share?",
                self.path.parent,
                ", ".join(map(str, epochs)),
            )
            return None
        return state
