"""Predictions of many runs as one set of rows, and the scores over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from emo_ray.references.probes import PROBES
from emo_ray.results.study_results import StudyResults
from emo_ray.tasks.base import Head
from emo_ray.training.metrics import decided_names, score

NETWORK = "network"
"""Name of the model under study, beside the names of the references."""

FAMILIAR_REFERENCES = ("majority", "prior", "linear", "svm", "forest", "nuisance")


def in_reference_order(names: set[str]) -> tuple[str, ...]:
    """The trivial references first, then what sees features, then all others by name, the probes last."""
    others = sorted(names - {*FAMILIAR_REFERENCES, *PROBES})
    return tuple(name for name in (*FAMILIAR_REFERENCES, *others, *PROBES) if name in names)


@dataclass(frozen=True)
class PooledPredictions:
    """Rows of one or many runs, one entry a segment.

    Attributes
    ----------
    subject : name of the subject of each row
    targets : head to class code, value or 0/1; NaN where undefined
    models : ``"network"`` and each reference, to head, to ``(segments, classes)`` probabilities, or
        ``(segments,)`` values or probabilities of the event; a reference that a run lacks is NaN there
    thresholds : event head to the threshold that was chosen for the run of each row
    """

    subject: Shaped[np.ndarray, " segments"]
    targets: Mapping[str, Float[np.ndarray, " segments"]]
    models: Mapping[str, Mapping[str, Float[np.ndarray, "segments ..."]]]
    thresholds: Mapping[str, Float[np.ndarray, " segments"]]

    def rows(self, kept: Bool[np.ndarray, " segments"]) -> "PooledPredictions":
        """Only the rows where ``kept`` is True."""
        return PooledPredictions(
            subject=self.subject[kept],
            targets={name: values[kept] for name, values in self.targets.items()},
            models={
                model: {name: values[kept] for name, values in heads.items()}
                for model, heads in self.models.items()
            },
            thresholds={name: values[kept] for name, values in self.thresholds.items()},
        )

    def scores(self, model: str, heads: tuple[Head, ...]) -> dict[str, float]:
        """Every metric of one model over all rows; events are decided at the threshold of their own run."""
        if model != NETWORK:
            # A reference that some runs lack is scored on the rows that it has.
            known = self._rows_of(model)
            found, targets = (
                {name: values[known] for name, values in part.items()}
                for part in (self.models[model], self.targets)
            )
            return score(heads, found, targets) if known.any() else {}
        predictions = dict(self.models[NETWORK])
        scores = score(heads, predictions, self.targets)
        # folds differ in their threshold, so decide first; a ranking would be lost by that
        for name, thresholds in self.thresholds.items():
            predictions[name] = (predictions[name] >= thresholds).astype(np.float32)
        if self.thresholds:
            decided = score(heads, predictions, self.targets, dict.fromkeys(self.thresholds, 0.5))
            names = decided_names(heads)
            scores |= {name: value for name, value in decided.items() if name in names}
        return scores

    def _rows_of(self, model: str) -> Bool[np.ndarray, " segments"]:
        # (segments,) and (segments, classes) alike
        columns = [np.isfinite(v).reshape(len(v), -1).all(axis=1) for v in self.models[model].values()]
        return np.asarray(np.logical_and.reduce(columns))


def read_run(results: StudyResults, fingerprint: str) -> PooledPredictions:
    """Predictions of one finished run.

    Raises
    ------
    JournalError : the file is missing or broken
    """
    columns, record = results.predictions(fingerprint), results.records[fingerprint]
    prefixes = {NETWORK: "prediction"} | {
        name: f"reference/{name}/prediction" for name in in_reference_order(set(record.references))
    }
    n_rows = len(columns["subject"])
    return PooledPredictions(
        subject=columns["subject"].astype(str),
        targets={head.name: columns[f"target/{head.name}"] for head in results.heads},
        models={
            model: {head.name: _head_columns(columns, prefix, head) for head in results.heads}
            for model, prefix in prefixes.items()
        },
        thresholds={
            head.name: np.full(n_rows, record.thresholds.get(head.name, 0.5))
            for head in results.heads
            if head.kind == "event"
        },
    )


def concatenate(runs: Sequence[PooledPredictions]) -> PooledPredictions:
    """Put the rows of at least one run under each other, in the order given."""
    # The union: a run that lacks one of them is NaN there.
    models = (NETWORK, *in_reference_order({name for run in runs for name in run.models} - {NETWORK}))
    targets, thresholds = list(runs[0].targets), list(runs[0].thresholds)
    return PooledPredictions(
        subject=np.concatenate([run.subject for run in runs]),
        targets={head: np.concatenate([run.targets[head] for run in runs]) for head in targets},
        models={
            model: {head: np.concatenate([_head_of(run, model, head) for run in runs]) for head in targets}
            for model in models
        },
        thresholds={head: np.concatenate([run.thresholds[head] for run in runs]) for head in thresholds},
    )


def _head_of(run: PooledPredictions, model: str, head: str) -> Float[np.ndarray, "segments ..."]:
    if model in run.models:
        return run.models[model][head]
    return np.full_like(run.models[NETWORK][head], np.nan)


def _head_columns(
    columns: Mapping[str, Shaped[np.ndarray, " segments"]], prefix: str, head: Head
) -> Float[np.ndarray, "segments ..."]:
    if head.kind == "classes":
        # (segments, classes)
        return np.stack([columns[f"{prefix}/{head.name}/{name}"] for name in head.classes], axis=1)
    return columns[f"{prefix}/{head.name}"]
