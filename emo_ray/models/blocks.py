"""Parts that several models share: masked sequences, locked dropout, a norm that survives one row."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

Norm = Literal["bn", "ln"]
Pool = Literal["last", "mean", "attention"]


def count_weights(model: nn.Module) -> int:
    """Numbers that training can change; buffers and frozen weights do not count."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad)


def masked_mean(
    x: Float[Tensor, "batch tokens features"], mask: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch features"]:
    """Mean over the valid tokens; zeros where a row has none."""
    valid = x.masked_fill(~mask[..., None], 0.0)
    return valid.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp_min(1)


def by_segment(
    x: Float[Tensor, "batch tokens features"], mask: Bool[Tensor, "batch tokens"], n_segments: int
) -> tuple[Float[Tensor, "segments _ features"], Bool[Tensor, "segments _"]]:
    """Rows that hold several segments one after the other, each segment as a row of its own."""
    n_tokens = x.shape[1] // n_segments
    return x.reshape(-1, n_tokens, x.shape[2]), mask.reshape(-1, n_tokens)


def last_valid_state(
    states: Float[Tensor, "batch tokens units"], mask: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch units"]:
    """State at the last valid token; zeros (and no gradient) where a row has none."""
    positions = torch.arange(mask.shape[1], device=mask.device)
    last = (positions * mask).argmax(dim=1)  # batch; 0 for a row without valid tokens
    chosen = states[torch.arange(last.shape[0], device=mask.device), last]  # batch units
    return chosen.masked_fill(~mask.any(dim=1, keepdim=True), 0.0)


def valid_first(
    x: Float[Tensor, "batch tokens features"], mask: Bool[Tensor, "batch tokens"]
) -> tuple[Float[Tensor, "batch tokens features"], Bool[Tensor, "batch tokens"]]:
    """The valid tokens of every row in their order, then zeros; and the mask of that."""
    order = torch.argsort((~mask).byte(), dim=1, stable=True)  # batch tokens; stable keeps time
    mask = mask.gather(1, order)
    return reordered(x, order).masked_fill(~mask[..., None], 0.0), mask


def backwards(
    x: Float[Tensor, "batch tokens features"], mask: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch tokens features"]:
    """The valid tokens in reverse; they come first in every row (`valid_first`). What follows them stays."""
    positions = torch.arange(mask.shape[1], device=mask.device)
    n_valid = mask.sum(dim=1, keepdim=True)
    return reordered(x, torch.where(mask, n_valid - 1 - positions, positions))


def reordered(
    x: Float[Tensor, "batch tokens features"], order: Int[Tensor, "batch tokens"]
) -> Float[Tensor, "batch tokens features"]:
    """The tokens of every row in another order: which of them comes first, second, and so on."""
    n_rows, n_tokens, _ = x.shape
    starts = n_tokens * torch.arange(n_rows, device=x.device)[:, None]
    # an index a token, where gather takes one a number: faster, and most so backwards through wide tokens
    return x.flatten(0, 1).index_select(0, (starts + order).flatten()).view_as(x)


def glorot_linear(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Linear layer as Keras starts one: Glorot-uniform weights, zero bias."""
    layer = nn.Linear(n_inputs, n_outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class LockedDropout(nn.Module):
    """Dropout with one mask a sequence, the same at every token.

    References
    ----------
    Gal & Ghahramani (2016), "A theoretically grounded application of dropout in recurrent neural
    networks", NeurIPS 29.
    """

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout

    def forward(self, x: Float[Tensor, "batch tokens features"]) -> Float[Tensor, "batch tokens features"]:
        """Zero the same features at all tokens of a row, in train mode only."""
        if not self.training or self.dropout == 0:
            return x
        keep = functional.dropout(torch.ones_like(x[:, :1]), self.dropout)  # batch 1 features
        return x * keep


class RowSafeBatchNorm(nn.BatchNorm1d):
    """Batch norm that takes a training batch of one row, for which it uses its running statistics."""

    def forward(self, input: Float[Tensor, "batch units"]) -> Float[Tensor, "batch units"]:  # noqa: A002
        """Normalise each unit over the batch (train mode) or by the running statistics."""
        if not self.training or len(input) > 1:
            return super().forward(input)
        return functional.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
        )


def norm_layer(norm: Norm, n_units: int) -> nn.Module:
    """Norm over the batch (Keras: momentum 0.99, which torch writes as 0.01) or over the units of a row."""
    if norm == "ln":
        return nn.LayerNorm(n_units, eps=1e-3)
    return RowSafeBatchNorm(n_units, eps=1e-3, momentum=0.01)


def dense_tower(
    n_inputs: int, widths: Sequence[int], dropouts: Sequence[float], norm: Norm | None
) -> nn.Sequential:
    """Dense layers, each with ReLU and dropout; the first one also has a norm, if any is asked for."""
    layers: list[nn.Module] = []
    for i, (width, dropout) in enumerate(zip(widths, dropouts, strict=True)):
        layers += [glorot_linear(n_inputs, width), nn.ReLU()]
        if i == 0 and norm is not None:
            layers.append(norm_layer(norm, width))
        layers.append(nn.Dropout(dropout))
        n_inputs = width
    return nn.Sequential(*layers)


class SequenceLstm(nn.Module):
    """One LSTM layer as Keras builds it: locked dropout on its inputs, Glorot, orthogonal, forget bias 1.

    Parameters
    ----------
    dropout : on the inputs, one mask a sequence
    recurrent_dropout : on the state, one mask a sequence; above 0 training leaves the fused kernel for
        a loop over tokens, several times slower
    keras_biases : one trained bias a gate; the second one of torch stays 0 and is not counted
    """

    def __init__(
        self, n_inputs: int, n_units: int, *, dropout: float, recurrent_dropout: float, keras_biases: bool
    ) -> None:
        super().__init__()
        self.input_dropout = LockedDropout(dropout)
        self.recurrent_dropout = recurrent_dropout
        self.cell = nn.LSTM(n_inputs, n_units, batch_first=True)
        w_input, w_state, b_input, b_state = self.cell.parameters()  # torch keeps them in this order
        nn.init.xavier_uniform_(w_input)
        nn.init.orthogonal_(w_state)
        nn.init.zeros_(b_input)
        nn.init.zeros_(b_state)
        nn.init.ones_(b_input.detach()[n_units : 2 * n_units])  # gates are i, f, g, o
        b_state.requires_grad_(not keras_biases)

    def forward(self, x: Float[Tensor, "batch tokens features"]) -> Float[Tensor, "batch tokens units"]:
        """States at every token."""
        x = self.input_dropout(x)
        if self.training and self.recurrent_dropout > 0:
            return self._token_by_token(x)
        states, _ = self.cell(x)
        return states  # type: ignore[no-any-return]

    def _token_by_token(
        self, x: Float[Tensor, "batch tokens features"]
    ) -> Float[Tensor, "batch tokens units"]:
        w_input, w_state, b_input, b_state = self.cell.parameters()
        inputs = functional.linear(x, w_input, b_input + b_state)  # batch tokens 4*units
        state = memory = x.new_zeros(len(x), self.cell.hidden_size)
        keep = functional.dropout(torch.ones_like(state), self.recurrent_dropout)  # batch units
        states = []
        for step in inputs.unbind(dim=1):
            gates = step + functional.linear(state * keep, w_state)
            enter, forget, content, leave = gates.chunk(4, dim=1)
            memory = forget.sigmoid() * memory + enter.sigmoid() * content.tanh()
            state = leave.sigmoid() * memory.tanh()
            states.append(state)
        return torch.stack(states, dim=1)


class BothWaysLstm(nn.Module):
    """Two LSTM layers, of which the second reads the valid tokens backwards; their states side by side."""

    def __init__(self, ahead: SequenceLstm, back: SequenceLstm) -> None:
        super().__init__()
        self.ahead, self.back = ahead, back

    def forward(
        self, x: Float[Tensor, "batch tokens features"], mask: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch tokens units"]:
        """States at every token: first those of what came before it, then those of what comes after it."""
        # nn.LSTM(bidirectional=True) would start backwards in the padding
        returned = backwards(self.back(backwards(x, mask)), mask)
        return torch.cat([self.ahead(x), returned], dim=2)


class TokenPool(nn.Module):
    """States at all valid tokens (which come first, `valid_first`) as one vector; zeros where there are none.

    ``last``: where each direction ends, that is at the last valid token, and backwards at the first one.
    ``mean``: over the valid tokens. ``attention``: their mean weighted by the softmax of a learned score.

    References
    ----------
    Raffel & Ellis (2015), "Feed-forward networks with attention can solve some long-term memory problems",
    arXiv:1512.08756; here the score is linear.
    """

    def __init__(self, pool: Pool, n_units: int, *, bidirectional: bool) -> None:
        super().__init__()
        self.pool, self.bidirectional = pool, bidirectional
        if pool == "attention":
            # no bias: the softmax would not notice it
            self.score = nn.Linear(n_units, 1, bias=False)
            nn.init.xavier_uniform_(self.score.weight)

    def forward(
        self, states: Float[Tensor, "batch tokens units"], mask: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch units"]:
        """One vector a row."""
        if self.pool == "mean":
            return masked_mean(states, mask)
        if self.pool == "attention":
            return self._attended(states, mask)
        if not self.bidirectional:
            return last_valid_state(states, mask)
        ahead, back = states.chunk(2, dim=2)
        return torch.cat([last_valid_state(ahead, mask), last_valid_state(back[:, :1], mask[:, :1])], dim=1)

    def _attended(self, states: Tensor, mask: Tensor) -> Float[Tensor, "batch units"]:
        scores = self.score(states).squeeze(2)  # batch tokens
        # the lowest number, not -inf: a row without valid tokens would become NaN, and its gradient with it
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=1)[..., None]
        pooled: Tensor = (weights * states).sum(dim=1)
        return pooled.masked_fill(~mask.any(dim=1, keepdim=True), 0.0)


class Readout(nn.Module):
    """Linear readout of all heads in one product, handed out by name."""

    def __init__(self, n_inputs: int, heads: dict[str, int]) -> None:
        super().__init__()
        self.names, self.sizes = list(heads), list(heads.values())
        self.linear = glorot_linear(n_inputs, sum(self.sizes))
        for block in torch.split(self.linear.weight.detach(), self.sizes):
            nn.init.xavier_uniform_(block)  # each head has its own fan-out

    def forward(self, emb: Float[Tensor, "batch units"]) -> dict[str, Tensor]:
        """``(batch, classes)`` a head, or ``(batch,)`` where it has one output; and ``"emb"`` itself."""
        blocks = torch.split(self.linear(emb), self.sizes, dim=1)
        outputs = {
            name: b.squeeze(1) if b.shape[1] == 1 else b for name, b in zip(self.names, blocks, strict=True)
        }
        return outputs | {"emb": emb}
