"""Children of training rows, drawn anew each epoch, with their parents' targets.

Children are made on the fly from a plan of row numbers and draws; they stand in no table. Parents and
partners are training rows, so a child belongs to its parent's subject and trial, and a fold that keeps a
subject out keeps its children out.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float64, Int, Int8, Int64
from torch import Tensor

from emo_ray.errors import TrainingError
from emo_ray.models.blocks import by_segment
from emo_ray.models.feature_grid import FeatureGrid
from emo_ray.training import techniques
from emo_ray.training.augmentation import TECHNIQUES, AugmentationConfig
from emo_ray.training.data import Batch, SegmentData
from emo_ray.training.neighbours import class_codes, same_class_neighbours
from emo_ray.training.seeding import Streams

logger = logging.getLogger(__name__)

Rows = Int[np.ndarray, " rows"]
ROUNDING = 1e-9  # 2560 * 0.3 / 2.4 is 320, and must not be 319 for a last digit of a binary fraction


@dataclass(frozen=True)
class Plan:
    """All children of an epoch, in arrays.

    Attributes
    ----------
    technique : index into `TECHNIQUES`
    parent, partner : rows of the table; a child without a partner has its parent there
    strength : drawn from the technique's own range; signed for shifts, the parent's weight for blends
    places : where a crop or a block starts, 0 to 1
    key : of the child's own random numbers
    """

    technique: Int8[np.ndarray, " children"]
    parent: Int64[np.ndarray, " children"]
    partner: Int64[np.ndarray, " children"]
    strength: Float64[np.ndarray, " children"]
    places: Float64[np.ndarray, "children 2"]
    key: Int64[np.ndarray, " children"]

    def __len__(self) -> int:
        return len(self.parent)

    def at(self, children: Int64[np.ndarray, " chosen"]) -> "Plan":
        """Some of the children."""
        return Plan(**{field.name: getattr(self, field.name)[children] for field in fields(self)})


def child_counts(config: AugmentationConfig, n_rows: int, usable: frozenset[str]) -> dict[str, int]:
    """Children of each technique for so many originals, rounded down as published.

    The share of a technique that these data offer nothing to goes to the others.
    """
    given = config.contributions.model_dump(include=set(usable))
    total = sum(given.values())
    return {
        name: int(config.ratio * n_rows * given.get(name, 0.0) / total + ROUNDING) if total else 0
        for name in TECHNIQUES
    }


def usable_techniques(
    data: SegmentData, grids: Mapping[str, FeatureGrid], has_classes: bool
) -> frozenset[str]:
    """Those that would change a segment of these data."""
    n_tokens = max(values.shape[1] for values in data.values.values())
    n_bins = max(grid.n_bins for grid in grids.values())
    unusable = {
        "time_shift": n_tokens < 2,
        "crop": n_tokens < 2,
        "channel_drop": max(grid.n_channels for grid in grids.values()) < 2,
        "frequency_shift": not any(grid.hz for grid in grids.values()),
        "mask": n_tokens < 2 and n_bins < 2,
        "smote": not has_classes,
    }
    return frozenset(name for name in TECHNIQUES if not unusable.get(name, False))


class Augmenter:
    """Draws the children of training rows, epoch by epoch, and makes batches of originals and children.

    Parameters
    ----------
    rows : training rows, the only ones that are looked at
    streams : of the run; a plan depends on them, the rows and the configuration, and on nothing before it

    Raises
    ------
    TrainingError : these data offer nothing to any of the techniques
    """

    def __init__(self, data: SegmentData, rows: Rows, config: AugmentationConfig, streams: Streams) -> None:
        self.data, self.config = data, config
        self.rows = np.asarray(rows, np.int64)
        self._streams = streams.child("augmentation")
        self._grids = {
            name: FeatureGrid.of(data.features.get(name, [str(i) for i in range(values.shape[2])]))
            for name, values in data.values.items()
        }
        codes = class_codes(data, self.rows)
        self._counts = child_counts(config, len(rows), self._usable(has_classes=bool((codes >= 0).any())))
        if self._counts["smote"]:
            self._neighbours = same_class_neighbours(data, self.rows, config.smote_neighbours, self._streams)
            self._smote_odds = _class_balancing(codes)

    def _usable(self, has_classes: bool) -> frozenset[str]:
        usable = usable_techniques(self.data, self._grids, has_classes)
        asked = {name for name, share in self.config.contributions.model_dump().items() if share}
        if not asked & usable:
            raise TrainingError(
                f"augmentation by {', '.join(sorted(asked))} can not change these segments (one token, no "
                "frequencies, or no classes): choose other training.augmentation.contributions, or ratio 0"
            )
        if asked - usable:
            logger.info("no use for augmentation by %s: the others share its part", sorted(asked - usable))
        return usable

    def epoch(self, epoch: int) -> "AugmentedRows":
        """Originals and children of one epoch."""
        return AugmentedRows(self.data, self.rows, self.plan(epoch), self._grids)

    def plan(self, epoch: int) -> Plan:
        """What the children of one epoch are."""
        names = ("plan",) if self.config.resample == "once" else ("plan", epoch)
        generator = self._streams.generator(*names)
        counts = list(self._counts.values())
        parts = [self._children(name, n, generator) for name, n in self._counts.items()]
        index, partner = (np.concatenate(part) for part in zip(*parts, strict=True))
        strengths = [self._strengths(name, n, generator) for name, n in self._counts.items()]
        return Plan(
            technique=np.repeat(np.arange(len(counts), dtype=np.int8), counts),
            parent=self.rows[index],
            partner=partner,
            strength=np.concatenate(strengths),
            places=generator.random((len(index), 2)),
            key=generator.integers(2**63 - 1, size=len(index)),
        )

    def _children(
        self, name: str, n: int, generator: np.random.Generator
    ) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
        """Parents as places in `rows`, partners as rows of the table."""
        if name == "smote" and n:
            # synthetic rows fill up the smaller classes: each class is as likely as any other
            parents = generator.choice(len(self.rows), n, p=self._smote_odds)
            column = generator.integers(self._neighbours.shape[1], size=n)
            return parents, self._neighbours[parents, column]
        # every row before any a second time: classes and subjects keep their shares
        rounds = -(-n // len(self.rows))
        orders = [generator.permutation(len(self.rows)) for _ in range(rounds)]
        parents = np.concatenate([np.empty(0, np.int64), *orders])[:n]
        if name == "mixup":
            return parents, self.rows[generator.integers(len(self.rows), size=n)]
        return parents, self.rows[parents]

    def _strengths(self, name: str, n: int, generator: np.random.Generator) -> Float64[np.ndarray, " n"]:
        config = self.config
        if name == "mixup":
            weight = generator.beta(config.mixup_alpha, config.mixup_alpha, n)
            return np.maximum(weight, 1 - weight) if config.mixup_first == "dominant" else weight
        low, high = {
            "noise": config.noise_sd,
            "time_shift": config.time_shift_share,
            "crop": config.crop_share,
            "amplitude": config.amplitude_factor,
            "channel_drop": config.channel_drop_share,
            "frequency_shift": config.frequency_shift_hz,
            "mask": config.mask_share,
            "smote": (0.0, 1.0),
        }[name]
        drawn = generator.uniform(low, high, n)
        if name in ("time_shift", "frequency_shift"):
            drawn *= generator.choice([-1.0, 1.0], n)
        return drawn


def _class_balancing(codes: Int64[np.ndarray, " rows"]) -> Float64[np.ndarray, " rows"]:
    """Odds that make every class as likely as any other; none for rows without a class."""
    odds = np.where(codes >= 0, 1.0 / np.bincount(codes[codes >= 0])[codes], 0.0)
    odds /= odds.sum()
    return odds


@dataclass(frozen=True)
class AugmentedRows:
    """A source of batches, as `SegmentData` is, over training rows and the children of a plan.

    A row number is an original; child ``i`` of the plan is ``-1 - i``.
    """

    data: SegmentData
    rows: Int64[np.ndarray, " rows"]
    plan: Plan
    grids: Mapping[str, FeatureGrid]

    @property
    def examples(self) -> Int64[np.ndarray, " examples"]:
        """All originals, then all children."""
        return np.concatenate([self.rows, -1 - np.arange(len(self.plan))])

    def batch(self, examples: Int[np.ndarray, " batch"], device: str | torch.device = "cpu") -> Batch:
        """Originals as they are, children made from their parents; targets are the parents'."""
        places = np.flatnonzero(examples < 0)
        if len(places) == 0:
            return self.data.batch(examples, device)
        children = self.plan.at(-1 - examples[places])
        rows = np.asarray(examples, np.int64).copy()
        rows[places] = children.parent
        batch = self.data.batch(rows, device)
        for code in np.unique(children.technique):
            own = np.flatnonzero(children.technique == code)
            self._alter(batch, places[own], children.at(own))
        return batch

    def _alter(self, batch: Batch, places: Int[np.ndarray, " n"], children: Plan) -> None:
        """One technique on its children, in place."""
        name = TECHNIQUES[children.technique[0]]
        on_device = torch.from_numpy(places).to(next(iter(batch.x.values())).device)
        partners = None
        if name in ("mixup", "smote"):
            partners = self.data.batch(children.partner, on_device.device)
        for number, (modality, x) in enumerate(batch.x.items()):
            parents = x[on_device], batch.mask[modality][on_device]
            if partners is not None:
                other = partners.x[modality], partners.mask[modality]
                x[on_device] = techniques.blend(*parents, *other, children.strength)
            else:
                # one draw for all sensors, which share a clock, but noise and channels are each one's own
                own = replace(children, key=children.key ^ number)
                x[on_device] = self._alone(name, own, *parents, self.grids[modality])

    def _alone(self, name: str, children: Plan, x: Tensor, mask: Tensor, grid: FeatureGrid) -> Tensor:
        """Children altered a segment at a time: nothing moves from a segment into another of its context."""
        n_segments = 1 + self.data.n_context
        each = children.at(np.repeat(np.arange(len(children)), n_segments))
        if name == "noise":
            # a lost channel is lost in all segments, but noise does not come twice
            each = replace(each, key=each.key ^ np.tile(np.arange(n_segments) << 8, len(children)))
        return ALONE[name](*by_segment(x, mask, n_segments), each, grid).view_as(x)


ALONE: Mapping[str, Callable[[Tensor, Tensor, Plan, FeatureGrid], Tensor]] = {
    "noise": lambda x, mask, plan, _: techniques.add_noise(x, mask, plan.strength, plan.key),
    "time_shift": lambda x, mask, plan, _: techniques.shift_time(x, mask, plan.strength),
    "crop": lambda x, mask, plan, _: techniques.crop_time(x, mask, plan.strength, plan.places[:, 0]),
    "amplitude": lambda x, mask, plan, _: techniques.scale_amplitude(x, mask, plan.strength),
    "channel_drop": lambda x, mask, plan, grid: techniques.drop_channels(
        x, mask, plan.strength, plan.key, grid
    ),
    "frequency_shift": lambda x, mask, plan, grid: techniques.shift_frequency(x, mask, plan.strength, grid),
    "mask": lambda x, mask, plan, grid: techniques.mask_block(x, mask, plan.strength, plan.places, grid),
}
"""Techniques that need no partner: parents, their mask, the children's draws, the grid of the features."""
