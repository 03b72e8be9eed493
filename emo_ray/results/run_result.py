"""RunResult: what one run (candidate x fold x seed) leaves behind, finished or failed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Shaped

from emo_ray.experiment import Column

Status = Literal["finished", "failed"]


@dataclass(frozen=True)
class RunRecord:
    """One line of the journal: everything about a run but its arrays; plain JSON values throughout.

    Attributes
    ----------
    fingerprint : name of the run everywhere
    status : ``"failed"`` has ``error`` and no scores
    column : which column of the results it belongs to; never mixed with another
    candidate : short hash of the experiment configuration that the folds of one candidate share
    subjects : the test subjects of the fold
    spec : the run specification that was hashed (configuration, fold, seed, store key, code)
    scores : metric name to value on the test subjects; NaN where undefined
    references : reference model to its scores on the same rows
    history : one entry an epoch: ``{"epoch": 0, "train": {...}, "validation": {...}}``
    best_epoch : epoch whose weights were restored; counts from 0
    lineage : fitted thing to the sorted subjects it has seen
    thresholds : decision threshold of each event head, chosen on validation subjects
    rows : number of segments by split
    seconds : ``"train"`` in the loop, ``"total"`` in the worker
    started_unix, host, attempt : when, where, and how many starts it took
    versions : of the libraries that could change a number
    chosen : of a nested run: settings, epochs, thresholds, and whose data chose them
    leaks : of a published procedure: fitted thing to the test subjects that it has seen
    """

    fingerprint: str
    status: Status
    column: Column
    candidate: str
    subjects: tuple[str, ...]
    spec: Mapping[str, Any]
    error: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    references: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()
    best_epoch: int = -1
    n_parameters: int = 0
    weights_digest: str = ""
    lineage: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    started_unix: float = 0.0
    host: str = ""
    attempt: int = 1
    versions: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    leaks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Predictions:
    """Per-segment predictions of the test subjects, as they go to Parquet: column name to values.

    Columns: ``subject, session, trial`` (strings), ``index`` (int32), ``start_s`` (float32), then for each
    head ``target/<head>`` and ``prediction/<head>`` (value, or probability of the event), or
    ``prediction/<head>/<class>`` (probability), and the same with ``reference/<name>/`` before it
    for each reference model. All float32; targets are NaN where undefined.
    """

    columns: Mapping[str, Shaped[np.ndarray, " segments"]]


@dataclass(frozen=True)
class RunResult:
    """A record with its attachments: predictions and the best weights (safetensors bytes)."""

    record: RunRecord
    predictions: Predictions | None = None
    weights: bytes = b""
