"""Fourier positions: the time of a token as learnt sines and cosines of its seconds."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

SLOWEST_HZ = 1 / 64
"""Lowest frequency at the start: one turn in about a minute, the length of a video or of a long segment."""


class FourierPositions(nn.Module):
    """``W [sin 2 pi f t; cos 2 pi f t]`` with learnt frequencies f in hertz; no bias.

    Frequencies start in geometric order between `SLOWEST_HZ` and the Nyquist frequency of the tokens. Time is
    in seconds and not in steps, so that what was learnt keeps its meaning where tokens have another length.

    Parameters
    ----------
    token_s : seconds from token to token

    References
    ----------
    Li, Si, Li, Hsieh & Bengio (2021), "Learnable Fourier features for multi-dimensional spatial positional
    encoding", NeurIPS 34; here each frequency is learnt, not drawn, and the mix is linear.
    """

    def __init__(self, width: int, *, token_s: float, n_frequencies: int = 16) -> None:
        super().__init__()
        self.token_s = token_s
        fastest_hz = 1 / (2 * token_s)
        self.log_hz = nn.Parameter(torch.linspace(math.log(SLOWEST_HZ), math.log(fastest_hz), n_frequencies))
        self.mix = nn.Linear(2 * n_frequencies, width, bias=False)
        nn.init.xavier_uniform_(self.mix.weight)

    def forward(self, n_tokens: int) -> Float[Tensor, "tokens width"]:
        """One vector a token; the first one begins at 0 s."""
        seconds = self.token_s * torch.arange(n_tokens, device=self.log_hz.device)
        angle = 2 * math.pi * seconds[:, None] * self.log_hz.exp()  # tokens frequencies
        return self.mix(torch.cat([angle.sin(), angle.cos()], dim=1))  # type: ignore[no-any-return]
