"""Bounded norms, pools and padding of EEGNet."""

import pytest
import torch
from torch.testing import assert_close

from emo_ray.models.base import SegmentShape
from emo_ray.models.eegnet import EegNetConfig, pooled, same_padded

SHAPE = SegmentShape(tokens={"eeg": (128, 3), "ecg": (128, 1)}, heads={"emotion": 4})


def build(config=None):
    torch.manual_seed(0)
    return (config or EegNetConfig(dropout=0.0)).build(SHAPE)


def batch(n_rows=4):
    generator = torch.Generator().manual_seed(1)
    x = {name: torch.randn(n_rows, *size, generator=generator) for name, size in SHAPE.tokens.items()}
    return x, {name: torch.ones(n_rows, size[0], dtype=torch.bool) for name, size in SHAPE.tokens.items()}


def norms(layer):
    return layer.weight.detach().flatten(1).norm(dim=1)


def test_weights_that_grew_too_long_are_cut_to_their_largest_norm():
    model = build().train()
    model.spatial.weight.data[0] *= 100
    model.readout.linear.weight.data[1] *= 100
    kept = model.spatial.weight.detach()[norms(model.spatial) < 1].clone()
    model(*batch())
    assert_close(norms(model.spatial)[0], torch.tensor(1.0))
    assert_close(norms(model.readout.linear)[1], torch.tensor(0.25))
    assert torch.equal(model.spatial.weight[norms(model.spatial) < 0.999], kept)


def test_in_use_weights_are_cut_without_being_changed():
    model = build().eval()
    model.spatial.weight.data *= 100
    before = model.spatial.weight.detach().clone()
    used = model(*batch())["emotion"]
    assert torch.equal(model.spatial.weight, before)
    model.spatial.weight.data *= 7  # still above the bound
    assert_close(model(*batch())["emotion"], used)


def test_two_passes_may_share_a_backward_pass():
    model = build().train()
    (model(*batch())["emotion"].sum() + model(*batch())["emotion"].sum()).backward()
    assert model.spatial.weight.grad.any()


def test_only_its_modality_is_read():
    model, (x, mask) = build().eval(), batch()
    before = model(x, mask)["emotion"]
    x["ecg"] += 1
    assert torch.equal(model(x, mask)["emotion"], before)


def test_a_modality_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match=r"reads 'gsr', and the data have \['ecg', 'eeg'\]"):
        EegNetConfig(modality="gsr").build(SHAPE)


def test_what_is_made_of_invalid_samples_is_zero():
    model, (x, mask) = build().eval(), batch()
    mask["eeg"][:, 64:] = False
    emb = model(x, mask)["emb"].view(4, 16, 4)  # rows filters steps of 32 samples
    assert emb[..., :2].ne(0).all()
    assert emb[..., 2:].eq(0).all()


@pytest.mark.parametrize(("kernel", "expected"), [(1, [5, 6]), (3, [0, 5, 6, 0]), (4, [0, 5, 6, 0, 0])])
def test_padding_keeps_the_length_and_its_odd_zero_is_behind(kernel, expected):
    padded = same_padded(torch.tensor([[5.0, 6.0]]), kernel)
    assert padded[0].tolist() == expected


def test_pools_are_means_of_what_is_valid_and_leave_out_the_rest():
    x = torch.tensor([[[1.0, 3.0, 5.0, 9.0, 2.0, 4.0, 7.0]]])
    valid = torch.tensor([[[True, True, True, False, False, False, True]]])
    means, left = pooled(x, valid, 2)
    assert means[0, 0].tolist() == [2.0, 5.0, 0.0]
    assert left[0, 0].tolist() == [True, True, False]
    assert pooled(x, None, 2)[0][0, 0].tolist() == [2.0, 7.0, 3.0]
