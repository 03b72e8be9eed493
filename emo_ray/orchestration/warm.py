"""Imported by worker processes when they start: the seconds that torch and scikit-learn take to load.

Torch loads its compiler when the first optimizer is made, so one is made here. Processes for work that trains
nothing say so in their environment and load nothing.
"""

import os


def load_what_training_needs() -> None:
    """Import the code of a run and all that it imports on first use."""
    import torch

    from emo_ray.orchestration import worker  # noqa: F401

    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])


if os.environ.get("EMO_RAY_WORKER") != "cold":
    load_what_training_needs()
