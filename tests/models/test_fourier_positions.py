"""Positions in seconds: their frequencies, and what a token at 0 s is."""

import math

import torch
from torch.testing import assert_close

from emo_ray.models.fourier_positions import FourierPositions


def test_frequencies_start_between_a_turn_a_minute_and_nyquist():
    hz = FourierPositions(8, token_s=0.5, n_frequencies=3).log_hz.exp()
    assert_close(hz, torch.tensor([1 / 64, 1 / 8, 1.0]))  # in equal ratios, of 8


def test_a_position_is_a_mix_of_sines_and_cosines_of_its_seconds():
    positions = FourierPositions(5, token_s=2.0, n_frequencies=2)
    with torch.no_grad():
        positions.log_hz.copy_(torch.tensor([0.05, 0.2]).log())
    waves = [
        math.sin(0.6 * math.pi),
        math.sin(2.4 * math.pi),
        math.cos(0.6 * math.pi),
        math.cos(2.4 * math.pi),
    ]
    by_hand = torch.tensor(waves) @ positions.mix.weight.T  # the token at index 3 begins at 6 s
    assert_close(positions(4)[3], by_hand)


def test_a_moment_has_the_same_position_on_every_grid():
    coarse, fine = FourierPositions(6, token_s=2.0), FourierPositions(6, token_s=0.5)
    fine.load_state_dict(coarse.state_dict())
    assert_close(fine(9)[::4], coarse(3))
