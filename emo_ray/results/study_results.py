"""StudyResults: all that a study folder holds, read once; summary and reports are made from it alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from emo_ray.corpora.recording import RejectedTrial
from emo_ray.errors import JournalError
from emo_ray.results.journal import predictions_path
from emo_ray.results.run_result import RunRecord
from emo_ray.tasks.base import Head


@dataclass(frozen=True)
class StudyResults:
    """What a study planned and what is known of it by now.

    Attributes
    ----------
    name, folder : ``studies/<name>/``
    header : ``study.json``: job, command, task (``heads``, ``primary_metric``), protocol, data_digest,
        git (``commit``, ``dirty``), created_unix, candidates by hash (``column`` and their configuration),
        ``people`` (who is somebody else under another name)
    planned : fingerprint, candidate and test subjects of every run, in plan order
    records : newest record of each run that has one, by fingerprint
    rejected : trials that the corpus or the extraction left out
    notes : facts that a reader of the report should know
    """

    name: str
    folder: Path
    header: Mapping[str, Any]
    planned: tuple[tuple[str, str, tuple[str, ...]], ...]
    records: Mapping[str, RunRecord]
    rejected: tuple[RejectedTrial, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def heads(self) -> tuple[Head, ...]:
        """The targets of the study, in order."""
        heads = self.header["task"]["heads"]
        return tuple(Head(head["name"], head["kind"], tuple(head.get("classes", ()))) for head in heads)

    @property
    def primary_metric(self) -> str:
        """Name of the score that the verdict is about."""
        return str(self.header["task"]["primary_metric"])

    @property
    def people(self) -> Mapping[str, str]:
        """Subject to the first name of the same person, for those who are in the data under several."""
        return {str(name): str(first) for name, first in (self.header.get("people") or {}).items()}

    def predictions(self, fingerprint: str) -> dict[str, Shaped[np.ndarray, " segments"]]:
        """Columns of the predictions of one finished run, as `Predictions` documents them.

        Raises
        ------
        JournalError : the file is missing or is not Parquet
        """
        import pyarrow.parquet

        path = predictions_path(self.folder, fingerprint)
        try:
            # ParquetFile, for read_table would take "key=value" folders above as columns
            table = pyarrow.parquet.ParquetFile(path).read()
        except (OSError, pyarrow.ArrowInvalid) as error:
            raise JournalError(
                f"predictions of finished run {fingerprint} can not be read from {path} ({error}): "
                f"remove its line from the journal and run the job again"
            ) from error
        return {name: table.column(name).to_numpy() for name in table.column_names}
