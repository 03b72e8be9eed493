"""Predictor: a package brought to life; recordings in, predictions in natural units out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from safetensors import SafetensorError
from safetensors.torch import load

from emo_ray.corpora.recording import Recording
from emo_ray.deployment.fitting import fitted_recordings
from emo_ray.deployment.package import HeadFacts, PackageContent
from emo_ray.deployment.segments import empty_table, table_of
from emo_ray.errors import ConfigError
from emo_ray.models.base import SegmentModel, SegmentShape
from emo_ray.protocols.normalize import Scaler, fit_scaler
from emo_ray.provenance import FEATURE_ROOMS, code_digest, library_versions
from emo_ray.run import segment_data
from emo_ray.store.segment_table import SegmentTable
from emo_ray.training.checkpoint import weights_from_bytes
from emo_ray.training.data import Affine, SegmentData
from emo_ray.training.loop import FittedModel, predict
from emo_ray.training.losses import TargetStatistics

Columns = Mapping[str, Shaped[np.ndarray, " _"]]

FEW_SEGMENTS = 10
"""Below so many segments a person's own mean and spread say little: a rule of thumb, ours."""

LARGEST_SETTING = 10_000
"""A setting up to this is taken as it is: it need not be a number of weights."""

WHO = ("subject", "session", "trial")


@dataclass(frozen=True)
class Answer:
    """Predictions for recordings.

    Attributes
    ----------
    segments : ``subject, session, trial, start_s``, then for a class head its name (the class) and
        ``<head>/<class>`` (probabilities); for a value head its name, in the unit of the labels; for an event
        head ``<head>/probability`` and its name (whether it is called)
    trials : the same, with means over the segments of each trial and ``n_segments`` in place of ``start_s``
    notes : what a reader should know
    """

    segments: Columns
    trials: Columns
    notes: tuple[str, ...]


class Predictor:
    """A model with all that stands around it; made once, asked often.

    Raises
    ------
    ConfigError : the weights do not belong to the settings
    """

    def __init__(self, package: PackageContent) -> None:
        self.package = package
        self._modalities = tuple(item.modality for item in package.description.modalities)
        affine = package.affine or Affine.identity({m.name: m.n_features for m in self._modalities})
        shape = self._data(empty_table(self._modalities), affine).shape()
        description = package.description
        self._fitted = FittedModel(
            model=_revived(package, shape),
            best_epoch=package.lineage.n_epochs - 1,
            history=(),
            statistics=TargetStatistics(description.target_mean, description.target_sd, {}, {}),
            seconds=0.0,
        )

    def answer(self, recordings: Sequence[Recording]) -> Answer:
        """Predictions for every segment of the recordings, and their means by trial.

        The recordings of a person belong together where the model standardises people by themselves.

        Raises
        ------
        CorpusError : they do not fit the model, or give no segment
        """
        package = self.package
        kept, notes = fitted_recordings(recordings, package)
        table = table_of(kept, package.experiment.extraction, self._modalities)
        affine = package.affine or fit_scaler(table, (), "transductive").affine
        data = self._data(table, affine)
        found = predict(self._fitted, data, np.arange(len(table), dtype=np.int64))
        measured = np.any([mask.any(axis=1) for mask in data.masks.values()], axis=0)
        outputs = {name: _only_where(measured, values) for name, values in found.items()}
        rejected = tuple(f"{one.subject} {one.trial} left out: {one.reason}" for one in table.rejected)
        return Answer(
            segments=_segment_columns(package, table, outputs),
            trials=_trial_columns(package, table, outputs),
            notes=(
                *notes,
                *rejected,
                *_blank_notes(table, measured),
                *_scaling_notes(package, table),
                *_code_notes(package),
            ),
        )

    def _data(self, table: SegmentTable, affine: Affine) -> SegmentData:
        experiment = self.package.experiment
        unknown = {head.name: np.full(len(table), np.nan, np.float32) for head in experiment.task.heads}
        # Whom the scaler has seen is told by the lineage; nobody is scored here.
        return segment_data(experiment, table, Scaler(affine, experiment.scaling, frozenset()), unknown)


def _revived(package: PackageContent, shape: SegmentShape) -> SegmentModel:
    """The network with its weights.

    A file's settings could ask for any amount of memory; so the network is drawn without any first, and made
    only where its weights lie in the file, whose size is limited.
    """
    config = package.experiment.model
    try:
        found = {name: tuple(tensor.shape) for name, tensor in load(package.weights).items()}
        _check_sizes(config.model_dump(), found)
        with torch.device("meta"):
            plan = {name: tuple(tensor.shape) for name, tensor in config.build(shape).state_dict().items()}
        if plan != found:
            differing = sorted(
                name for name in plan.keys() | found.keys() if plan.get(name) != found.get(name)
            )
            raise ValueError(f"{', '.join(differing[:4])} are not what the settings need")
        with torch.random.fork_rng(devices=[]):  # first weights are drawn, and thrown away
            model = config.build(shape)
        weights_from_bytes(model, package.weights)
    except (SafetensorError, ValueError, RuntimeError, KeyError) as error:
        raise ConfigError(
            f"model {package.name}: its weights do not belong to its settings ({error}): the package is "
            "damaged, or was written by another version of emo_ray"
        ) from error
    return model.eval()


def _check_sizes(settings: Mapping[str, Any], found: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a billion layers before they are drawn: no size of a network is above its number of weights."""
    limit = max(LARGEST_SETTING, sum(math.prod(shape) for shape in found.values()))
    for name, value in settings.items():
        if isinstance(value, int) and value > limit:
            raise ValueError(f"{name} is {value}, and the file has weights for {limit} at most")


def _segment_columns(package: PackageContent, table: SegmentTable, outputs: Mapping[str, Any]) -> Columns:
    who = {
        "subject": np.asarray(table.subjects, dtype=object)[table.subject],
        "session": np.asarray(table.sessions, dtype=object)[table.session],
        "trial": np.asarray(table.trials, dtype=object)[table.trial],
    }
    columns: dict[str, np.ndarray] = {**who, "start_s": table.start_s}
    for head in package.description.heads:
        columns |= _head_columns(head, outputs[head.name], package)
    return columns


def _trial_columns(package: PackageContent, table: SegmentTable, outputs: Mapping[str, Any]) -> Columns:
    """Means of probabilities and values, a row a recording."""
    n_trials = len(table.trials)
    first = np.searchsorted(table.trial, np.arange(n_trials))  # sorted by trial
    segments = _segment_columns(package, table, outputs)
    columns: dict[str, np.ndarray] = {name: segments[name][first] for name in WHO}
    for head in package.description.heads:
        found = outputs[head.name].astype(np.float64)
        there = _is_there(found)
        counts = np.bincount(table.trial[there], minlength=n_trials)
        columns.setdefault("n_segments", counts.astype(np.int64))  # equal for all heads
        totals = np.zeros((n_trials, *found.shape[1:]))
        np.add.at(totals, table.trial[there], found[there])
        means = totals.T / np.where(counts, counts, np.nan)
        columns |= _head_columns(head, means.T.astype(np.float32), package)
    return columns


def _only_where(
    measured: Shaped[np.ndarray, " rows"], found: Shaped[np.ndarray, "rows ..."]
) -> Shaped[np.ndarray, "rows ..."]:
    """NaN where nothing was measured: what a network says of nothing looks like any other answer."""
    kept = found.copy()
    kept[~measured] = np.nan
    return kept


def _is_there(found: Shaped[np.ndarray, "rows ..."]) -> Shaped[np.ndarray, " rows"]:
    there: Shaped[np.ndarray, " rows"] = np.isfinite(found.reshape(len(found), -1)).all(axis=1)
    return there


def _head_columns(
    head: HeadFacts, found: Shaped[np.ndarray, "rows ..."], package: PackageContent
) -> dict[str, np.ndarray]:
    there = _is_there(found)
    if head.kind == "classes":
        called = np.asarray(head.classes, dtype=object)[found.argmax(axis=1)]
        return {
            head.name: _none_but(there, called),
            **{f"{head.name}/{name}": found[:, code] for code, name in enumerate(head.classes)},
        }
    if head.kind == "event":
        threshold = package.description.thresholds.get(head.name, 0.5)
        is_called = found >= threshold
        # Booleans stay such where none is missing.
        shown = is_called if there.all() else _none_but(there, is_called)
        return {head.name: shown, f"{head.name}/probability": found}
    return {head.name: found}


def _blank_notes(table: SegmentTable, measured: Shaped[np.ndarray, " segments"]) -> list[str]:
    n_blank = int((~measured).sum())
    if not n_blank:
        return []
    trials = [table.trials[code] for code in np.unique(table.trial[~measured])]
    shown = ", ".join(trials[:5]) + (", ..." if len(trials) > 5 else "")
    return [
        f"WARNING: {n_blank} of {len(measured)} segments hold no valid value of any sensor ({shown}): no "
        "prediction for them"
    ]


def _none_but(there: Shaped[np.ndarray, " rows"], values: Shaped[np.ndarray, " rows"]) -> np.ndarray:
    shown = values.astype(object)
    shown[~there] = None
    return shown


def _scaling_notes(package: PackageContent, table: SegmentTable) -> list[str]:
    if not package.is_transductive:
        return []
    notes = []
    for code, name in enumerate(table.subjects):
        own = table.subject == code
        n_segments, n_trials = int(own.sum()), len(np.unique(table.trial[own]))
        notes.append(
            f"{name} is standardised by the mean and spread of its own {n_segments} segments in {n_trials} "
            "recordings, all that were given"
        )
        if n_trials == 1 or n_segments < FEW_SEGMENTS:
            notes.append(
                f"WARNING: {n_segments} segments in {n_trials} recordings of {name} are too few for that: "
                "what they have in common is taken off, the emotion included; give more recordings of this "
                "person, or a model with scaling 'train'"
            )
    return notes


def _code_notes(package: PackageContent) -> list[str]:
    """Features may be computed otherwise than those that the model was trained on."""
    notes = []
    if package.lineage.feature_code != code_digest(FEATURE_ROOMS):
        notes.append(
            "the code that makes features has changed since the model was trained: its numbers may differ; "
            f"it was trained with commit {str(package.lineage.git.get('commit', 'unknown'))[:12]}"
        )
    here = library_versions()
    other = [
        f"{name} {told} (here {here.get(name, 'none')})"
        for name, told in package.lineage.versions.items()
        if name in ("numpy", "scipy", "torch", "mne", "neurokit2") and here.get(name) != told
    ]
    return [*notes, f"trained with other libraries: {', '.join(other)}"] if other else notes
