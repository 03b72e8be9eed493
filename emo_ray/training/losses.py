"""Losses by kind of head, weighted by what the training targets look like."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn import functional

from emo_ray.tasks.base import Head

PublishedProcedure = Literal["lightweight", "moderate", "loso", "30-7", "loso-all"]
ValueLoss = Literal["mse", "huber", "mae"]
Sums = Mapping[str, tuple[Float[Tensor, ""], Float[Tensor, ""]]]
"""By head: the summed losses of rows, and what they are to be divided by; both may be added over workers."""

VALUE_LOSSES: Mapping[ValueLoss, Callable[..., Tensor]] = {
    "mse": functional.mse_loss,
    "huber": functional.huber_loss,
    "mae": functional.l1_loss,
}
SURE = 1e-7
"""Least 1 - p_t: float32 knows no smaller one, and a power under 1 would have no finite slope at 0."""


class LossConfig(BaseModel):
    """How the heads are weighted; the defaults are the clean ones.

    Values: squared error. Events: cross-entropy. Classes: cross-entropy, or focal loss. Heads are summed.
    Every loss is a mean over rows, so that workers can share a batch; a concordance loss is not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_weight: float = Field(1.0, ge=0, description="lambda on the loss of every event head")
    value_loss: ValueLoss = Field("mse", description="huber: squared below 1 standardised unit, else linear")
    standardise_values: bool = Field(True, description="value targets by their train mean and sd")
    balance_events: bool = Field(True, description="positives weigh (1 - p) / p, p their share in train")
    balance_classes: bool = Field(True, description="class c weighs n / (K n_c); a class absent in train 0")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="classes only")
    focal_gamma: float = Field(0.0, ge=0, description="classes only: rows weigh (1 - p_t)^gamma; 0 is off")
    event_row_weight: float = Field(1.0, gt=0, description="on all losses of a row with a positive event")


# lambda_t is recorded for each procedure; of the row weights only that 4, 5 and 8 occur, in this order
_PUBLISHED: Mapping[PublishedProcedure, tuple[float, float]] = {
    "lightweight": (12.0, 4.0),
    "moderate": (15.0, 5.0),
    "loso": (20.0, 8.0),
    "30-7": (25.0, 8.0),
    "loso-all": (30.0, 8.0),
}


def published_loss(procedure: PublishedProcedure) -> LossConfig:
    """Loss of the published AMIGOS runs, flaws included: the event weight acts on the values, too."""
    event_weight, row_weight = _PUBLISHED[procedure]
    return LossConfig(
        event_weight=event_weight,
        standardise_values=False,
        balance_events=False,
        balance_classes=False,
        event_row_weight=row_weight,
    )


@dataclass(frozen=True)
class TargetStatistics:
    """What was learnt from the targets of the train rows, and from no others.

    Attributes
    ----------
    mean, sd : of value heads; 0 and 1 where they are not standardised or nothing is defined
    positives : share of positives of event heads; NaN where nothing is defined
    class_counts : train rows of each class of class heads
    """

    mean: Mapping[str, float]
    sd: Mapping[str, float]
    positives: Mapping[str, float]
    class_counts: Mapping[str, tuple[int, ...]]


def fit_targets(
    heads: tuple[Head, ...],
    targets: Mapping[str, Float32[np.ndarray, " segments"]],
    rows: Int[np.ndarray, " rows"],
    standardise_values: bool = True,
) -> TargetStatistics:
    """Statistics of the targets over the train rows.

    A value that never varies keeps sd 1, so that its loss stays finite.
    """
    defined = {head.name: _finite(targets[head.name][rows]) for head in heads}
    values = {h.name: defined[h.name] for h in heads if h.kind == "value"}
    # float64: a float32 mean over 10,000 segments is off in the fifth digit
    fitted = {name: v for name, v in values.items() if standardise_values and len(v)}
    spreads = {name: float(v.std()) for name, v in fitted.items()}
    return TargetStatistics(
        mean={name: float(fitted[name].mean()) if name in fitted else 0.0 for name in values},
        sd={name: spreads[name] if spreads.get(name, 0.0) > 1e-6 else 1.0 for name in values},
        positives={h.name: _share(defined[h.name]) for h in heads if h.kind == "event"},
        class_counts={h.name: _counts(defined[h.name], h.n_outputs) for h in heads if h.kind == "classes"},
    )


def balanced_class_weights(counts: tuple[int, ...]) -> tuple[float, ...]:
    """``n / (K n_c)`` a class; 0 for a class that is absent."""
    total = sum(counts)
    return tuple(total / (len(counts) * count) if count else 0.0 for count in counts)


def positive_weight(share: float) -> float:
    """``(1 - p) / p``; 1 where train rows hold one of the two outcomes only, or none."""
    return (1 - share) / share if 0 < share < 1 else 1.0


def _finite(values: Float32[np.ndarray, " rows"]) -> Float[np.ndarray, " defined"]:
    defined: np.ndarray = values[np.isfinite(values)]
    return defined.astype(np.float64)


def _share(values: Float[np.ndarray, " defined"]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _counts(values: Float[np.ndarray, " defined"], n_classes: int) -> tuple[int, ...]:
    return tuple(np.bincount(values.astype(np.int64), minlength=n_classes).tolist())


class TrainingLoss:
    """Sum of the losses of all heads for one batch, in float32.

    Rows without a target do not count. A head without any defined target in the batch adds a zero that
    hangs on the graph. Each head is a mean over its own defined rows; classes are divided by their summed
    weights.
    """

    def __init__(
        self, config: LossConfig, heads: tuple[Head, ...], statistics: TargetStatistics, device: torch.device
    ) -> None:
        self.config, self.heads, self.statistics = config, heads, statistics
        self._weights = {head.name: self._head_weights(head).to(device) for head in heads}

    def _head_weights(self, head: Head) -> Tensor:
        """One weight a class, one for positives, or nothing that matters."""
        if head.kind == "classes" and self.config.balance_classes:
            return torch.tensor(balanced_class_weights(self.statistics.class_counts[head.name]))
        if head.kind == "event" and self.config.balance_events:
            return torch.tensor([positive_weight(self.statistics.positives[head.name])])
        return torch.ones(head.n_outputs)

    def __call__(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """Total, and the part of each head before its weight."""
        return self.combine(self.sums(outputs, targets))

    def sums(
        self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]
    ) -> dict[str, tuple[Float[Tensor, ""], Float[Tensor, ""]]]:
        """Summed losses and divisor of each head; a worker's share of a batch, which may be empty.

        No gradient flows through the divisors: a team may put its total in their place.
        """
        row_weight = self._row_weight(targets)
        return {
            head.name: self._head_sums(head, outputs[head.name].float(), targets[head.name], row_weight)
            for head in self.heads
        }

    def divisors(self, targets: Mapping[str, Tensor]) -> dict[str, Float[Tensor, ""]]:
        """The divisors of `sums`: targets alone decide them, so they are known before any piece is."""
        return {head.name: self._divisor(head, targets[head.name]) for head in self.heads}

    def _divisor(self, head: Head, target: Tensor) -> Float[Tensor, ""]:
        defined = target.isfinite()
        if head.kind != "classes":
            return defined.sum().float()
        return (self._weights[head.name][target.nan_to_num(nan=0.0).long()] * defined).sum()

    def combine(self, sums: Sums) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """Total, and the part of each head before its weight, from sums and divisors."""
        # without any target: 0 / 1, which still hangs on the graph
        parts = {
            name: part / divisor.where(divisor > 0, torch.ones_like(divisor))
            for name, (part, divisor) in sums.items()
        }
        weights = {h.name: self.config.event_weight if h.kind == "event" else 1.0 for h in self.heads}
        # penalties of the weights are not in here: the model offers them, the loop adds them
        total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        return total, parts

    def _row_weight(self, targets: Mapping[str, Tensor]) -> Float[Tensor, " batch"] | float:
        if self.config.event_row_weight == 1:
            return 1.0
        # NaN == 1 is False: a row without a label of the event weighs 1
        events = [targets[head.name] == 1 for head in self.heads if head.kind == "event"]
        if not events:
            return 1.0
        return 1.0 + (self.config.event_row_weight - 1.0) * torch.stack(events).any(dim=0)

    def _head_sums(
        self, head: Head, output: Tensor, target: Tensor, row_weight: Tensor | float
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        defined = target.isfinite()
        target = target.nan_to_num(nan=0.0)  # any number: its row weighs 0
        if head.kind == "classes":
            rows, divisor = self._class_rows(head, output, target.long())
        elif head.kind == "value":
            mean, sd = self.statistics.mean[head.name], self.statistics.sd[head.name]
            rows = VALUE_LOSSES[self.config.value_loss](output, (target - mean) / sd, reduction="none")
            divisor = torch.ones_like(output)
        else:
            rows = functional.binary_cross_entropy_with_logits(
                output, target, pos_weight=self._weights[head.name], reduction="none"
            )
            divisor = torch.ones_like(output)
        # masks instead of selections: no look at the data, so nothing waits for the device
        return (rows * row_weight * defined).sum(), (divisor * defined).sum()

    def _class_rows(self, head: Head, logits: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        weight = self._weights[head.name]
        rows = functional.cross_entropy(
            logits, codes, weight=weight, reduction="none", label_smoothing=self.config.label_smoothing
        )
        if self.config.focal_gamma:
            rows = rows * focal_factor(logits, codes, self.config.focal_gamma)
        return rows, weight[codes]  # torch divides its weighted mean by the same


def focal_factor(
    logits: Float[Tensor, "batch classes"], codes: Int[Tensor, " batch"], gamma: float
) -> Float[Tensor, " batch"]:
    """``(1 - p_t)^gamma``, p_t the probability of the true class: rows that are right already weigh little.

    It multiplies the cross-entropy of a row, class weight and smoothing in it; it is no part of the divisor.

    References
    ----------
    Lin et al. (2017), "Focal loss for dense object detection", ICCV, 2999-3007.
    """
    log_p = -functional.cross_entropy(logits, codes, reduction="none")
    return (-torch.expm1(log_p)).clamp_min(SURE).pow(gamma)
