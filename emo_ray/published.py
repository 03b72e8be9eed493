"""What a published procedure trains, validates and tests on, its leaks named; see `Procedure`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from emo_ray.errors import TrainingError
from emo_ray.experiment import RunSpec
from emo_ray.protocols.normalize import affine_of
from emo_ray.store.moments import measure
from emo_ray.store.segment_table import SegmentTable
from emo_ray.training.augmentation import AugmentationConfig
from emo_ray.training.children import Augmenter
from emo_ray.training.data import Affine, SegmentData
from emo_ray.training.loop import Split
from emo_ray.training.neighbours import class_codes
from emo_ray.training.seeding import Streams

Rows = Int64[np.ndarray, " _"]
TRAIN_SHARE, VALIDATION_SHARE = 0.70, 0.15  # of rows split at random: what all published splits are


@dataclass(frozen=True)
class Material:
    """Rows as the published script feeds them to a network.

    Attributes
    ----------
    data : what batches are drawn from; may hold children that the table does not have
    origin : row of the table behind each row of ``data``
    lineage : whom the scaler, the children and the padding tell about
    """

    data: SegmentData
    split: Split
    test: Rows
    origin: Rows
    lineage: Mapping[str, frozenset[str]]


def published_material(spec: RunSpec, table: SegmentTable, data: SegmentData, streams: Streams) -> Material:
    """The three sides of a published run, and its data, standardised as published.

    ``data`` are the segments of the table; their own standardisation is not used.

    Raises
    ------
    TrainingError : a side has no row with a target
    """
    procedure, everybody = spec.experiment.procedure, data.defined(table.rows_of(spec.subjects))
    lineage: dict[str, frozenset[str]] = {}
    if procedure.visible_padding:
        data = _padding_shown(data)
        lineage["padding, which tells the length of a clip"] = table.subjects_at(everybody)
    origin = np.arange(len(table))
    if procedure.augment_first:
        data, origin = _augmented(data, everybody, spec.experiment.training.augmentation, streams)
        everybody = np.arange(len(origin))
        lineage["copies made before the split"] = table.subjects_at(origin)
    train, validation, test = _sides(spec, table, data, everybody, streams)
    if procedure.test_validates:
        train, validation = np.sort(np.concatenate([train, validation])), test
    scaled, seen = _standardised(spec, table, data, train)
    material = Material(scaled, Split(train, validation), test, origin, lineage | {"scaler": seen})
    for side, rows in (("training", train), ("validation", validation), ("test", test)):
        if not len(rows):
            raise TrainingError(
                f"the published split of {len(everybody)} labelled rows leaves the {side} side without any: "
                "use more people, or longer recordings"
            )
    return material


def _sides(
    spec: RunSpec, table: SegmentTable, data: SegmentData, rows: Rows, streams: Streams
) -> tuple[Rows, Rows, Rows]:
    """Train, validation and test rows: by subject, or at random within each class, whoever they belong to."""
    if spec.experiment.protocol.kind != "random_rows":
        fold = spec.fold
        sides = (fold.train, fold.validation, fold.test)
        train, validation, test = (data.defined(table.rows_of(side)) for side in sides)
        return train, validation, test
    generator = streams.generator("published split")
    codes = class_codes(data, rows)  # -1 where the task has no classes
    shares: tuple[list[Rows], list[Rows], list[Rows]] = ([], [], [])
    for code in np.unique(codes):
        own = generator.permutation(rows[codes == code])
        for share, part in zip(shares, np.split(own, _ends(len(own))), strict=True):
            share.append(part)
    train, validation, test = (np.sort(np.concatenate(share)) for share in shares)
    return train, validation, test


def _ends(n_rows: int) -> tuple[int, int]:
    """Where training and validation end in a class; three rows or more reach all sides."""
    train, validation = round(TRAIN_SHARE * n_rows), round((TRAIN_SHARE + VALIDATION_SHARE) * n_rows)
    if n_rows < len(("train", "validation", "test")):
        return train, validation
    train = min(train, n_rows - 2)
    return train, min(max(validation, train + 1), n_rows - 1)


def _standardised(
    spec: RunSpec, table: SegmentTable, data: SegmentData, train: Rows
) -> tuple[SegmentData, frozenset[str]]:
    """The data with the published scaler, and whom it has seen."""
    procedure, experiment = spec.experiment.procedure, spec.experiment
    if procedure.augment_first:  # standardised before the children were made
        return data, frozenset(spec.subjects)
    if experiment.scaling == "transductive":
        return replace(data, affine=_by_subject(table, data)), frozenset(spec.subjects)
    parts = {name: [measure(data.values[name][train], data.masks[name][train])] for name in data.values}
    return replace(data, affine=affine_of(parts)), table.subjects_at(train)


def _by_subject(table: SegmentTable, data: SegmentData) -> Affine:
    """Every subject by all of its own rows, with padded tokens where these are shown."""
    rows = [np.flatnonzero(table.subject == code) for code in range(len(table.subjects))]
    return affine_of(
        {
            name: [measure(values[own], data.masks[name][own]) for own in rows]
            for name, values in data.values.items()
        }
    )


def _padding_shown(data: SegmentData) -> SegmentData:
    """Zeros for what is missing, and nothing masked: the network sees where a clip ends."""
    return replace(
        data,
        values={
            name: np.nan_to_num(part, nan=0.0, posinf=0.0, neginf=0.0) for name, part in data.values.items()
        },
        masks={name: np.ones_like(mask) for name, mask in data.masks.items()},
    )


def _augmented(
    data: SegmentData, rows: Rows, config: AugmentationConfig, streams: Streams
) -> tuple[SegmentData, Rows]:
    """All rows, standardised together, then their children; and the row of the table behind each."""
    moments = {name: [measure(data.values[name][rows], data.masks[name][rows])] for name in data.values}
    source = Augmenter(replace(data, affine=affine_of(moments)), rows, config, streams).epoch(0)
    origin = np.concatenate([source.rows, source.plan.parent])
    # Filled piece by piece: pictures with their children are gigabytes, and must not be there twice.
    values = {
        name: np.empty((len(origin), *part.shape[1:]), np.float32) for name, part in data.values.items()
    }
    masks = {name: np.empty((len(origin), part.shape[1]), bool) for name, part in data.values.items()}
    done = 0
    for examples in data.pieces(source.examples):
        batch = source.batch(examples)
        for name in data.values:
            values[name][done : done + len(examples)] = batch.x[name].numpy()
            masks[name][done : done + len(examples)] = batch.mask[name].numpy()
        done += len(examples)
    made = SegmentData(
        values=values,
        masks=masks,
        subject=data.subject[origin],
        targets={name: target[origin] for name, target in data.targets.items()},
        heads=data.heads,
        affine=Affine.identity({name: part.shape[2] for name, part in values.items()}),
        nuisance=None if data.nuisance is None else data.nuisance[origin],
        features=data.features,
        dataset=data.dataset[origin],
    )
    return made, origin
