"""CNNs of electrodes: the ways to run them agree, with one another and with networks that stand apart."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

from emo_ray.models.blocks import count_weights
from emo_ray.models.channel_cnns import ChannelCnns, CnnOptions, ElectrodeNorm, pooled

SMALL = CnnOptions(widths=(4, 6, 8), impl="loop", chunk=2)
N_ELECTRODES = 5  # no multiple of a chunk


def cnns(options, n_electrodes=N_ELECTRODES, seed=0):
    torch.manual_seed(seed)
    return ChannelCnns(n_electrodes, options)


def pictures(n_rows=7, n_electrodes=N_ELECTRODES, size=(9, 17)):
    return torch.randn(n_rows, n_electrodes, *size, generator=torch.Generator().manual_seed(1))


def montages():
    """Rows with all five electrodes, with three, and with one."""
    present = torch.zeros(7, N_ELECTRODES, dtype=torch.bool)
    present[:4] = True
    present[4:6, [0, 2, 3]] = True
    present[6, 2] = True
    return present


def separate(model, electrode):
    """The network of one electrode, from torch's own layers and the weights of its place."""
    layers = []
    for block in model.blocks:
        own = slice(electrode * block.width, (electrode + 1) * block.width)
        conv = nn.Conv2d(block.conv.weight.shape[1], block.width, 3, padding=1)
        norm = nn.BatchNorm2d(block.width)
        conv.weight.data, conv.bias.data = block.conv.weight.data[own], block.conv.bias.data[own]
        norm.weight.data, norm.bias.data = block.norm.weight.data[own], block.norm.bias.data[own]
        layers += [conv, norm, nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


@pytest.mark.parametrize("impl", ["loop", "grouped", "chunked"])
def test_each_electrode_has_a_network_of_its_own(impl):
    model, x = cnns(replace(SMALL, impl=impl)), pictures()
    alone = [separate(model, i) for i in range(N_ELECTRODES)]
    present = torch.ones(7, N_ELECTRODES, dtype=torch.bool)
    for train in (True, False):
        expected = torch.stack([net.train(train)(x[:, i : i + 1]) for i, net in enumerate(alone)], dim=1)
        assert_close(model.train(train)(x, present), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("norm", ["bn", "gn"])
@pytest.mark.parametrize("impl", ["grouped", "chunked"])
def test_ways_agree_on_outputs_gradients_and_statistics(impl, norm):
    loop, other = cnns(replace(SMALL, norm=norm)), cnns(replace(SMALL, norm=norm, impl=impl), seed=1)
    other.load_state_dict(loop.state_dict())
    x, present = pictures(), montages()
    for model in (loop, other):
        model.train()(x, present).square().mean().backward()
    assert_close(other.eval()(x, present), loop.eval()(x, present), atol=1e-5, rtol=0)
    assert_close(other.state_dict(), loop.state_dict(), atol=1e-5, rtol=0)
    assert_close([w.grad for w in other.parameters()], [w.grad for w in loop.parameters()], atol=1e-5, rtol=0)


@pytest.mark.parametrize("impl", ["loop", "grouped", "chunked"])
def test_rows_without_an_electrode_have_no_say_in_its_norm(impl):
    model, x, present = cnns(replace(SMALL, impl=impl)), pictures(), montages()
    features = model.train()(x, present)
    for i in range(N_ELECTRODES):
        have, alone = present[:, i], separate(cnns(SMALL), i)
        assert_close(features[have, i], alone(x[have, i : i + 1]), atol=1e-5, rtol=0)
        assert not features[~have, i].any()
        own = slice(i * 8, (i + 1) * 8)
        norm = model.blocks[2].norm
        assert_close(norm.running_mean[own], alone[9].running_mean, atol=1e-6, rtol=0)
        assert_close(norm.running_var[own], alone[9].running_var, atol=1e-6, rtol=0)


def test_an_electrode_that_no_row_has_keeps_its_statistics():
    model, present = cnns(SMALL), montages()
    present[:, 4] = False
    features = model.train()(pictures(), present)
    assert not features[:, 4].any()
    assert not model.blocks[0].norm.running_mean[-4:].any()
    assert model.blocks[0].norm.running_mean[:-4].all()


def test_a_shared_network_takes_any_number_of_electrodes():
    model, x = cnns(replace(SMALL, shared=True)), pictures()
    few = model.eval()(x[:, :2], montages()[:, :2])
    assert_close(few, model(x, montages())[:, :2])
    assert count_weights(model) == count_weights(cnns(SMALL, n_electrodes=1))


def test_a_shared_network_counts_pictures_not_rows():
    model, x, present = cnns(replace(SMALL, shared=True)), pictures(), montages()
    features = model.train()(x, present)
    alone = separate(cnns(replace(SMALL, shared=True)), 0)
    assert_close(features[present], alone(x[present][:, None]), atol=1e-5, rtol=0)


def test_one_published_network_has_93120_weights():
    with torch.device("meta"):
        assert count_weights(ChannelCnns(1, CnnOptions())) == 93_120
        assert count_weights(ChannelCnns(62, CnnOptions())) == 5_773_440


def test_weights_start_by_the_fan_in_of_one_network():
    conv = cnns(CnnOptions(), n_electrodes=8).blocks[1].conv
    bound = 1 / (32 * 9) ** 0.5  # torch: uniform within the root of inputs times kernel
    assert 0.99 * bound < conv.weight.abs().max() <= bound


def test_pooling_on_a_gpu_is_that_of_a_cpu():
    x = pictures(size=(9, 17))

    class OnGpu(torch.Tensor):
        is_cuda = True

    assert torch.equal(pooled(x.as_subclass(OnGpu)).as_subclass(torch.Tensor), functional.max_pool2d(x, 2))


def test_workers_that_join_their_moments_have_the_norm_of_the_whole_batch():
    norm, alone = (ElectrodeNorm(2, 3, "bn").train() for _ in range(2))
    x = torch.randn(7, 6, 4, 4, generator=torch.Generator().manual_seed(1))
    present, heard = montages()[:, [0, 2]], []
    expected = alone(x, present, slice(0, 6))

    def join(n, mean, squares):  # Chan et al.: the pooled mean, and the squares around it
        n_other, mean_other, squares_other = heard[0]
        total = n + n_other
        return (
            total,
            (n * mean + n_other * mean_other) / total,
            squares + squares_other + ((mean - mean_other).square() * n * n_other / total),
        )

    norm.joined_moments = lambda *own: heard.append(own) or own
    norm(x[4:], present[4:], slice(0, 6))
    norm.joined_moments = join
    norm.running_mean.zero_()
    norm.running_var.fill_(1)
    assert_close(norm(x[:4], None, slice(0, 6)), expected[:4], atol=1e-5, rtol=0)
    assert_close(norm.state_dict(), alone.state_dict(), atol=1e-5, rtol=0)
