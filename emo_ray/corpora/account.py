"""Account: what a reader left out of one subject's files, and what it found odd and kept."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from emo_ray.corpora.recording import Recording, RejectedTrial, SubjectRecordings

MAX_SHOWN = 3


@dataclass
class Account:
    """Collects rejections and facts while one subject is read; a fact is told once, with its trials.

    Attributes
    ----------
    subject : named as in recordings, ``"deap/s01"``
    source : what the notes begin with, for instance the name of the file
    """

    subject: str
    source: str
    rejected: list[RejectedTrial] = field(default_factory=list)
    facts: dict[str, list[str]] = field(default_factory=dict)  # what was found, to the trials it is of
    remarks: dict[str, None] = field(default_factory=dict)  # in order, each once

    def reject(self, trial: str, reason: str) -> None:
        """Report a trial as left out."""
        self.rejected.append(RejectedTrial(self.subject, trial, reason))

    def note(self, trial: str, fact: str, detail: object = "") -> None:
        """Report something about a trial that is kept."""
        self.facts.setdefault(fact, []).append(f"{trial}: {detail}" if detail != "" else trial)

    def remark(self, fact: str) -> None:
        """Report something about a file or a session as a whole."""
        self.remarks[fact] = None

    def closed(self, recordings: list[Recording]) -> SubjectRecordings:
        """What the reader returns."""
        return SubjectRecordings(tuple(recordings), tuple(self.rejected), self.notes())

    def notes(self) -> tuple[str, ...]:
        """One line a remark, and one a fact with the number of trials and the first of them."""
        lines = [f"{self.source}: {remark}" for remark in self.remarks]
        for fact, trials in self.facts.items():
            more = [f"{len(trials) - MAX_SHOWN} more"] if len(trials) > MAX_SHOWN else []
            shown = "; ".join(trials[:MAX_SHOWN] + more)
            unit = "trials" if len(trials) > 1 else "trial"
            lines.append(f"{self.source}: {fact}, in {len(trials)} {unit} ({shown})")
        return tuple(lines)

    def finite_float32(
        self, values: Shaped[np.ndarray, "channels times"], channels: tuple[str, ...], trial: str
    ) -> Float32[np.ndarray, "channels times"]:
        """Rows in single precision; NaN stays, infinite values become NaN; both and silent rows are noted.

        Parameters
        ----------
        values : numbers of any type, channel-first
        channels : names of the rows, for the notes
        trial : for the notes
        """
        # a value beyond float32 becomes infinite here, and is reported with the infinite ones
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.array(values, dtype=np.float32, order="C")
        infinite = np.isinf(found)
        if infinite.any():
            found[infinite] = np.nan
            self.note(trial, "infinite samples set to NaN", np.count_nonzero(infinite))
        missing = np.isnan(found)
        if missing.any():
            names = _names(channels, missing.any(axis=1))
            self.note(trial, "samples are NaN", f"{np.count_nonzero(missing)} of {missing.size}, {names}")
        silent = np.logical_not(found.any(axis=1))  # NaN is not 0
        if silent.any():
            self.note(trial, "channels are 0 throughout", _names(channels, silent))
        return found


def _names(channels: tuple[str, ...], flags: Any) -> str:
    names = [name for name, flag in zip(channels, flags, strict=True) if flag]
    return f"{len(names)} channels" if len(names) > MAX_SHOWN else " ".join(names)
