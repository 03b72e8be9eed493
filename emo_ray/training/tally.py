"""What the steps of an epoch leave behind, looked at once: earlier looks would wait for the device."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from emo_ray.errors import TrainingError
from emo_ray.training.team import Team

Parts = Mapping[str, Float[Tensor, ""]]


@dataclass
class Tally:
    """Losses and norms of gradients, step by step, on the device.

    Attributes
    ----------
    parts : this member's part of ``"loss"``, of each head as ``"head/<name>"`` and of each loss of the
        model's own as ``"aux/<name>"``
    norms : of the gradients of all members, before clipping
    n_rows : of all members
    outputs, targets : of this member's rows by head, where they are kept
    """

    parts: list[Parts] = field(default_factory=list)
    norms: list[Tensor] = field(default_factory=list)
    n_rows: list[int] = field(default_factory=list)
    outputs: list[Mapping[str, Tensor]] = field(default_factory=list)
    targets: list[Mapping[str, Tensor]] = field(default_factory=list)

    def add(self, parts: Parts, norm: Tensor, n_rows: int) -> None:
        """One step."""
        self.parts.append(parts)
        self.norms.append(norm)
        self.n_rows.append(n_rows)

    def keep(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor], n_rows: int) -> None:
        """Outputs and targets of the first rows, for scores of the train side."""
        self.outputs.append({name: outputs[name][:n_rows].detach().float() for name in targets})
        self.targets.append({name: target[:n_rows] for name, target in targets.items()})

    def seen(self, team: Team) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Outputs and targets of all rows that all members kept."""
        outputs, targets = (
            {name: team.joined(torch.cat([part[name] for part in parts])) for name in parts[0]}
            for parts in (self.outputs, self.targets)
        )
        return outputs, targets

    def summary(
        self, team: Team, epoch: int, learning_rate: float, skips: bool
    ) -> tuple[dict[str, float], int]:
        """Means over rows of the loss and of the model's own losses; and how many steps were left out.

        Parameters
        ----------
        skips : whether a step whose gradients are not finite was left out (float16), and is no fault

        Raises
        ------
        TrainingError : a loss or a gradient that is not finite; names epoch, batch, part and learning rate
        """
        names = list(self.parts[0])
        table = torch.stack([torch.stack([parts[name] for name in names]) for parts in self.parts])
        table = team.total(table).double().cpu()  # steps parts
        norms = torch.stack(self.norms).double().cpu()
        bad_loss, bad_norm = ~table.isfinite().all(dim=1), ~norms.isfinite()
        broken = (bad_loss if skips else bad_loss | bad_norm).nonzero()
        if len(broken):
            first = int(broken[0])
            steps = f"epoch {epoch}, batch {first} of {len(norms)}"
            values = dict(zip(names, table[first].tolist(), strict=True))
            raise TrainingError(_fault(steps, values, float(norms[first]), learning_rate))
        # a mean over rows: the last batch is smaller, and would count too much in a mean over batches
        sizes = torch.tensor(self.n_rows)
        means = {
            name: float((column * sizes).sum() / sizes.sum())
            for name, column in zip(names, table.T, strict=True)
        }
        shown = {name: mean for name, mean in means.items() if not name.startswith("head/")}
        return shown, int(bad_norm.sum())


def _fault(steps: str, values: Mapping[str, float], norm: float, learning_rate: float) -> str:
    """What is not finite, and what to do."""
    loss = values["loss"]
    broken = [name for name, value in values.items() if name != "loss" and not torch.tensor(value).isfinite()]
    if broken:
        shown = values[broken[0]] if "head/" not in broken[0] else loss
        what = f"the loss is {shown} in {steps} ({', '.join(broken)})"
    else:
        what = f"the norm of the gradient is {norm} in {steps}, of a loss of {loss:g}"
    return f"{what}: lower learning_rate={learning_rate:g} or look for extreme features in the store"
