"""One step of training: batches forward, their losses backward, the weights down the gradient."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from emo_ray.models.base import RowFacts
from emo_ray.training.data import Batch
from emo_ray.training.feed import Piece, Step
from emo_ray.training.state import RunState
from emo_ray.training.tally import Tally
from emo_ray.training.team_norm import uncounted

Scalar = Float[Tensor, ""]
OWN = "aux/"
"""Begins the names of a model's own losses."""


def train_step(run: RunState, step: Step, given: Sequence[Batch], tally: Tally) -> None:
    """One step down the gradient.

    Its gradient is that of the whole batch, in however many pieces and by however many members it is
    computed: each part of the loss is divided by what the whole batch has, and a model's own losses count
    by rows. The tally gets this member's parts of the losses, penalty left out.
    """
    run.check_time()
    batches = [_counted(piece, batch) for piece, batch in zip(step.pieces, given, strict=True)]
    divisors = _divisors(run, batches)
    parts: dict[str, Scalar] = {}
    for piece, batch in zip(step.pieces, batches, strict=True):
        # a piece without rows: the recordings of its lanes have ended
        if len(piece.examples):
            outputs, found = _backward(run, step, piece, batch, divisors)
            for name, part in found.items():
                parts[name] = parts[name] + part if name in parts else part
            if run.config.score_train:
                tally.keep(outputs, batch.targets, piece.n_counted)
    tally.add(parts, run.descend(), step.n_rows)


def _counted(piece: Piece, batch: Batch) -> Batch:
    if not piece.stands_in:
        return batch
    # rows without a target count in no loss
    return replace(batch, targets={name: torch.full_like(t, torch.nan) for name, t in batch.targets.items()})


def _divisors(run: RunState, batches: Sequence[Batch]) -> dict[str, Scalar]:
    """What the summed loss of each head is divided by; empty where a batch is computed in one piece."""
    if run.team.size == 1 and len(batches) == 1:
        return {}
    by_batch = [run.loss.divisors(batch.targets) for batch in batches]
    names = list(by_batch[0])
    own = torch.stack([torch.stack([divisors[name] for name in names]) for divisors in by_batch]).sum(dim=0)
    return dict(zip(names, run.team.total(own).unbind(), strict=True))


def _backward(
    run: RunState, step: Step, piece: Piece, batch: Batch, divisors: Mapping[str, Scalar]
) -> tuple[Mapping[str, Tensor], dict[str, Scalar]]:
    """Add the gradients of one piece; returns its outputs, and its parts of the losses."""
    outputs = _forward(run, step, piece, batch)
    sums = run.loss.sums(outputs, batch.targets)  # outside autocast, in float32
    if divisors:
        sums = {name: (part, divisors[name]) for name, (part, _) in sums.items()}
    loss, heads = run.loss.combine(sums)
    share = piece.n_counted / step.n_rows
    own = _own_losses(outputs, share) if run.model.aux_weights else {}
    total = loss
    for name, part in own.items():
        total = total + run.model.aux_weights[name.removeprefix(OWN)] * part
    penalty = run.model.penalty()
    if penalty is not None:
        total = total + (penalty if share == 1 else share * penalty)
    run.precision.backward(total)
    parts = {"loss": loss, **{f"head/{name}": part for name, part in heads.items()}, **own}
    return outputs, {name: part.detach() for name, part in parts.items()}


def _forward(run: RunState, step: Step, piece: Piece, batch: Batch) -> Mapping[str, Tensor]:
    if not (run.precision.is_half or piece.stands_in or piece.memory):
        return run.forward(batch.x, batch.mask, batch.facts)  # contexts that do nothing take time, too
    with run.precision.autocast(), uncounted(run.model) if piece.stands_in else nullcontext():
        outputs = run.forward(batch.x, batch.mask, facts_of(piece, step.number, batch))
    if piece.memory is not None:
        piece.memory.keep(outputs)
    return outputs


def facts_of(piece: Piece, number: int, batch: Batch) -> RowFacts | None:
    """What a model is told about the rows, with the memory that belongs to them."""
    if piece.memory is None or batch.facts is None:
        return batch.facts
    return piece.memory.facts(number, batch.facts)


def _own_losses(outputs: Mapping[str, Tensor], share: float) -> dict[str, Scalar]:
    """A model's own losses, each as so much of a mean over the rows of the step."""
    own = {name: value.float() for name, value in outputs.items() if name.startswith(OWN)}
    if share == 1:
        return own
    # of no rows such a loss may be 0 / 0, and no gradient must come from there
    return {name: share * value if share else torch.zeros_like(value) for name, value in own.items()}
