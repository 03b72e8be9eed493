"""The graph of DGCNN: its Laplacian by hand, its filters by powers of it, and electrodes that are absent."""

import pytest
import torch
from torch.testing import assert_close

from emo_ray.models.base import SegmentShape
from emo_ray.models.feature_grid import FeatureGrid
from emo_ray.models.graph_net import DgcnnConfig, GraphConvolution, scaled_laplacian

BANDS = ("theta", "alpha")


def graph(n_nodes=4, order=3, seed=0):
    torch.manual_seed(seed)
    return GraphConvolution(FeatureGrid(n_nodes, len(BANDS)), order, n_filters=5)


def tokens(n_nodes=4):
    return torch.randn(3, 6, n_nodes * len(BANDS), generator=torch.Generator().manual_seed(1))


def test_laplacian_of_three_nodes_by_hand():
    # made symmetric: 1-2 weighs 2, 2-3 weighs 1, and the rest nothing; degrees 2, 3, 1
    connections = torch.tensor([[0.0, 4.0, -5.0], [0.0, 0.0, 2.0], [-1.0, 0.0, 0.0]])
    a, b = -2 / 6**0.5, -1 / 3**0.5
    expected = torch.tensor([[0, a, 0], [a, 0, b], [0, b, 0]])
    assert_close(scaled_laplacian(connections, torch.ones(1, 3, dtype=torch.bool))[0], expected)


def test_laplacian_without_the_third_node_is_that_of_two():
    connections = torch.tensor([[0.0, 4.0, 7.0], [0.0, 0.0, 2.0], [3.0, 0.0, 9.0]])
    found = scaled_laplacian(connections, torch.tensor([[True, True, False]]))[0]
    assert_close(found, torch.tensor([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))


@pytest.mark.parametrize("seed", range(5))
def test_eigenvalues_lie_between_minus_one_and_one(seed):
    connections = torch.randn(7, 7, generator=torch.Generator().manual_seed(seed))
    laplacian = scaled_laplacian(connections, torch.ones(1, 7, dtype=torch.bool))[0]
    assert torch.linalg.eigvalsh(laplacian).abs().max() <= 1 + 1e-6


def test_filters_see_the_chebyshev_polynomials_of_the_laplacian():
    convolution, x = graph(order=4), tokens()
    matrix = scaled_laplacian(convolution.connections, torch.ones(3, 4, dtype=torch.bool))[0]
    eye, square = torch.eye(4), matrix @ matrix
    polynomials = [eye, matrix, 2 * square - eye, 4 * square @ matrix - 3 * matrix]
    nodes = x.view(3, 6, 4, 2)
    seen = torch.cat([torch.einsum("nm,btmf->btnf", p, nodes) for p in polynomials], dim=3)
    expected = convolution.mix(convolution.filters(seen).relu()).relu().flatten(2)
    assert_close(convolution(x), expected)


def test_an_absent_electrode_is_as_if_it_had_never_been_there():
    full, three, x = graph(4), graph(3, seed=1), tokens(4)
    x[..., 2:4] = 0.0  # both bands of the second electrode
    left = torch.tensor([0, 2, 3])
    three.filters, three.mix = full.filters, full.mix
    three.connections.data = full.connections.detach()[left][:, left]
    found = full(x).view(3, 6, 4, 5)
    assert_close(found[:, :, left].flatten(2), three(x.view(3, 6, 4, 2)[:, :, left].flatten(2)))
    assert found[:, :, 1].eq(0).all()


def test_electrodes_are_read_from_the_names_of_features():
    names = tuple(f"{electrode}/{band}" for electrode in ("Fz", "Cz", "Pz") for band in BANDS)
    shape = SegmentShape(tokens={"eeg": (4, 6), "ecg": (4, 2)}, heads={"v": 1}, features={"eeg": names})
    eeg, ecg = DgcnnConfig().build(shape).graphs
    assert (eeg.n_nodes, eeg.n_bands) == (3, 2)
    assert (ecg.n_nodes, ecg.n_bands) == (2, 1)


def test_a_lone_node_has_no_connections_to_learn():
    assert {name for name, _ in graph(1).named_parameters()} == {"filters.weight", "mix.weight"}


def test_order_one_looks_at_no_neighbour():
    convolution, x = graph(order=1), tokens()
    other = x.clone()
    other[..., 2:] += 1  # all but the first node
    assert torch.equal(convolution(x)[..., :5], convolution(other)[..., :5])
    assert not torch.equal(convolution(x)[..., 5:], convolution(other)[..., 5:])
