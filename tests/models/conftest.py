"""What the tests of models share."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small products are slower on several threads, and much slower where others use them, too."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
