"""What a model puts out for rows, in eval mode: in pieces, by a team, or along recordings."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Int, Int64
from torch import Tensor

from emo_ray.models.base import SegmentModel
from emo_ray.tasks.base import Head
from emo_ray.training.data import SegmentData
from emo_ray.training.losses import TargetStatistics
from emo_ray.training.stream import evaluation_steps, recordings
from emo_ray.training.team import Alone, Team

Rows = Int[np.ndarray, " rows"]
ALONE = Alone()


@torch.no_grad()
def outputs_of(model: SegmentModel, data: SegmentData, rows: Rows) -> dict[str, Tensor]:
    """Raw outputs of all heads, float32, one a row."""
    model.eval()
    return _along_recordings(model, data, rows) if model.streams else _in_pieces(model, data, rows)


def joined_outputs(model: SegmentModel, data: SegmentData, rows: Rows, team: Team) -> dict[str, Tensor]:
    """Raw outputs of all heads for all rows, each computed by one member and known to all."""
    if team.size == 1:
        return outputs_of(model, data, rows)
    order = _order(model, data, rows)
    # a recording is computed by one member as a whole, so it is recordings that are shared
    shared = team.share(np.arange(len(order)))
    own = np.concatenate([np.empty(0, np.int64), *(order[number] for number in shared)])
    outputs = outputs_of(model, data, rows[own])
    back = torch.from_numpy(np.argsort(np.concatenate(order))).to(next(model.parameters()).device)
    return {name: team.joined(output)[back] for name, output in outputs.items()}


def _order(model: SegmentModel, data: SegmentData, rows: Rows) -> list[Int64[np.ndarray, " _"]]:
    """Places in ``rows``, in groups that one member computes."""
    return recordings(data, rows) if model.streams else list(np.arange(len(rows))[:, None])


def _in_pieces(model: SegmentModel, data: SegmentData, rows: Rows) -> dict[str, Tensor]:
    device = next(model.parameters()).device
    parts: dict[str, list[Tensor]] = {head.name: [_nothing(head, device)] for head in data.heads}
    for piece in data.pieces(rows):
        batch = data.batch(piece, device)
        outputs = model(batch.x, batch.mask, batch.facts)
        for name, found in parts.items():
            found.append(outputs[name])
    return {name: torch.cat(found).float() for name, found in parts.items()}


def _along_recordings(model: SegmentModel, data: SegmentData, rows: Rows) -> dict[str, Tensor]:
    device = next(model.parameters()).device
    parts: dict[str, list[Tensor]] = {head.name: [_nothing(head, device)] for head in data.heads}
    places = [np.empty(0, np.int64)]
    for reading, memory, step in evaluation_steps(data, rows):
        batch = data.batch(rows[reading], device)
        assert batch.facts is not None  # data without trials have no recordings
        outputs = model(batch.x, batch.mask, memory.facts(step, batch.facts))
        memory.keep(outputs)
        places.append(reading)
        for name, found in parts.items():
            found.append(outputs[name])
    back = torch.from_numpy(np.argsort(np.concatenate(places))).to(device)
    return {name: torch.cat(found).float()[back] for name, found in parts.items()}


def _nothing(head: Head, device: torch.device) -> Tensor:
    """The output of a head for no rows: a member may have none."""
    shape = (0, head.n_outputs) if head.kind == "classes" else (0,)
    return torch.empty(shape, device=device)


def natural_units(
    outputs: Mapping[str, Tensor], data: SegmentData, statistics: TargetStatistics
) -> dict[str, np.ndarray]:
    """Class probabilities, values in the units of the ratings, probabilities of events."""
    predictions = {}
    for head in data.heads:
        output = outputs[head.name]
        if head.kind == "classes":
            output = output.softmax(dim=1)  # rows classes
        elif head.kind == "event":
            output = output.sigmoid()
        else:
            output = output * statistics.sd[head.name] + statistics.mean[head.name]
        predictions[head.name] = output.cpu().numpy()
    return predictions
