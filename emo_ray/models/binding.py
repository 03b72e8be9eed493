"""Binding: what the modalities of a segment have in common, and what each of them alone has to say."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from emo_ray.models.attention import attend, by_head
from emo_ray.models.blocks import glorot_linear, masked_mean

SCORE_UNITS = 64
"""Hidden units of the score that weighs the modalities."""
TEMPERATURE = 0.1
"""Of the contrast between segments; cosines are divided by it."""


@dataclass(frozen=True)
class Bound:
    """What binding makes of the encoded modalities; a modality that is absent is to be left out.

    Attributes
    ----------
    shared : mean of the views, weighted by a score of each; zeros where all modalities are absent
    specific : summary tokens of each modality alone
    views : the shared view of each modality, drawn together by `contrast_loss`
    """

    shared: Float[Tensor, "batch width"]
    specific: Float[Tensor, "batch modalities summaries width"]
    views: Float[Tensor, "batch modalities width"]


class Binding(nn.Module):
    """One shared view and ``n_summaries`` specific tokens a modality, all modalities by the same weights."""

    def __init__(self, width: int, *, n_heads: int, n_summaries: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.questions = nn.Parameter(0.02 * torch.randn(n_summaries, width))
        self.query = glorot_linear(width, width)
        self.key_value = glorot_linear(width, 2 * width)
        self.out = glorot_linear(width, width)
        self.shared_view = glorot_linear(width, width)
        self.specific_view = glorot_linear(width, width)
        self.hidden = glorot_linear(width, SCORE_UNITS)
        # no bias: the softmax would not notice it
        self.score = nn.Linear(SCORE_UNITS, 1, bias=False)
        nn.init.xavier_uniform_(self.score.weight)

    def forward(
        self,
        encoded: Float[Tensor, "batch modalities tokens width"],
        mask: Bool[Tensor, "batch modalities tokens"],
    ) -> Bound:
        """Views, their weighted mean, and the specific tokens."""
        n_rows, n_modalities, _, width = encoded.shape
        flat, flat_mask = encoded.flatten(0, 1), mask.flatten(0, 1)
        views = self.shared_view(masked_mean(flat, flat_mask)).view(n_rows, n_modalities, width)
        specific = self.specific_view(self._summaries(flat, flat_mask))
        present = mask.any(dim=2)
        scores = self.score(self.hidden(views).tanh()).squeeze(2).float()  # batch modalities
        weights = scores.masked_fill(~present, torch.finfo(scores.dtype).min).softmax(dim=1)
        weights = weights.masked_fill(~present, 0.0)
        shared = (weights[..., None] * views).sum(dim=1)
        return Bound(shared, specific.unflatten(0, (n_rows, n_modalities)), views)

    def _summaries(self, x: Tensor, mask: Tensor) -> Float[Tensor, "rows summaries width"]:
        """Answers of the valid tokens to the learnt questions; of zeros where there are none."""
        query = by_head(self.query(self.questions), self.n_heads)  # the same for all rows
        key, value = (by_head(part, self.n_heads) for part in self.key_value(x).chunk(2, dim=-1))
        return self.out(attend(query, key, value, mask).flatten(2))  # type: ignore[no-any-return]


def contrast_loss(
    views: Float[Tensor, "batch modalities width"],
    present: Bool[Tensor, "batch modalities"],
    trial: Int[Tensor, " batch"] | None = None,
) -> Float[Tensor, ""]:
    """Symmetric InfoNCE, mean over the pairs of modalities: views of one segment belong together.

    The other segments of the batch are the contrast, those of the same trial excepted. A pair of modalities
    that fewer than two rows have both gives 0.

    Parameters
    ----------
    trial : code of each row's trial; None: all rows are of different trials

    References
    ----------
    van den Oord, Li & Vinyals (2018), "Representation learning with contrastive predictive coding",
    arXiv:1807.03748.
    """
    n_modalities = views.shape[1]
    if n_modalities < 2:
        return 0.0 * views.float().sum()
    first, second = torch.triu_indices(n_modalities, n_modalities, offset=1, device=views.device)  # all pairs
    with torch.autocast(views.device.type, enabled=False):
        unit = functional.normalize(views.float(), dim=2).transpose(0, 1)  # modalities batch width
        cosines = unit[first] @ unit[second].transpose(1, 2)  # pairs batch batch
    both = (present[:, first] & present[:, second]).T  # pairs batch
    allowed = _contrasts(both, trial)
    logits = (cosines / TEMPERATURE).masked_fill(~allowed, torch.finfo(cosines.dtype).min)
    own = logits.diagonal(dim1=1, dim2=2)
    by_row = (logits.logsumexp(dim=2) + logits.logsumexp(dim=1)) / 2 - own  # pairs batch
    # a row alone is held against itself only, which gives 0
    return ((by_row * both).sum(dim=1) / both.sum(dim=1).clamp_min(1)).mean()


def _contrasts(
    both: Bool[Tensor, "pairs batch"], trial: Int[Tensor, " batch"] | None
) -> Bool[Tensor, "pairs batch batch"]:
    """Which rows each row is held against; always itself, so that no sum is empty."""
    n_rows = both.shape[1]
    itself = torch.eye(n_rows, dtype=torch.bool, device=both.device)
    others = ~itself if trial is None else trial[:, None] != trial
    return (others & both[:, :, None] & both[:, None]) | itself


def overlap_loss(bound: Bound, present: Bool[Tensor, "batch modalities"]) -> Float[Tensor, ""]:
    """Mean squared cosine between the shared view of a modality and the mean of its specific tokens."""
    cosines = functional.cosine_similarity(bound.views.float(), bound.specific.float().mean(dim=2), dim=2)
    return (cosines.square() * present).sum() / present.sum().clamp_min(1)
