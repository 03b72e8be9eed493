"""Published parts and counts of ResAttentioNet, its strides, and padding that has no say."""

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from emo_ray.models.base import SegmentShape
from emo_ray.models.blocks import count_weights
from emo_ray.models.res_attentio_net import PUBLISHED, ResAttentioNetConfig, halved, halved_maximum
from emo_ray.space import Choice, Integer, LogUniform, Uniform

UNDROPPED = {"drop_enc": 0.0, "drop_cls": 0.0}


def build(config=PUBLISHED, n_tokens=60, n_features=310, n_classes=4):
    torch.manual_seed(0)
    shape = SegmentShape(tokens={"eeg": (n_tokens, n_features)}, heads={"emotion": n_classes})
    return config.build(shape)


def batch(n_rows, n_tokens, n_features=310, seed=1):
    x = torch.randn(n_rows, n_tokens, n_features, generator=torch.Generator().manual_seed(seed))
    return {"eeg": x}, {"eeg": torch.ones(n_rows, n_tokens, dtype=torch.bool)}


def attended(model, x, mask):
    """Tokens and mask that the pool is given."""
    seen = []
    model.pool.register_forward_pre_hook(lambda _, given: seen.append(given))
    model(x, mask)
    return seen[0]


@pytest.mark.parametrize("n_features", [1, 70, 160, 310])
@pytest.mark.parametrize("n_classes", [2, 7])
def test_weights_follow_the_closed_form(n_features, n_classes):
    model = build(n_features=n_features, n_classes=n_classes)
    assert count_weights(model) == 324_704 + 112 * n_features + 129 * n_classes


def test_parts_have_the_published_numbers_of_weights():
    model = build()
    stages = [count_weights(model.stages[i]) + count_weights(model.stages[i + 1]) for i in (0, 2, 4, 6)]
    assert stages == [3_200, 11_584, 45_696, 181_504]
    assert count_weights(model.stem.conv) == 34_720
    assert count_weights(model.stem.norm) == 32
    assert count_weights(model.pool.attention) == 66_048
    assert model.pool.query.numel() == 128
    assert count_weights(model.dense) + count_weights(model.readout) == 17_028


def test_buffers_have_the_published_number_of_elements():
    assert sum(buffer.numel() for buffer in build().buffers()) == 2_420


@pytest.mark.parametrize(
    ("total_stride", "n_tokens", "n_left"),
    [(32, 30, 1), (32, 32, 1), (32, 33, 2), (32, 60, 2), (32, 120, 4), (16, 60, 4), (8, 60, 8), (8, 1, 1)],
)
def test_tokens_left_to_attend_to(total_stride, n_tokens, n_left):
    model = build(ResAttentioNetConfig(total_stride=total_stride), n_tokens, n_features=3).eval()
    tokens, valid = attended(model, *batch(2, n_tokens, 3))
    assert tokens.shape == (2, n_left, 128)
    assert valid.shape == (2, n_left)


@pytest.mark.parametrize(("n_valid", "expected"), [(0, [0, 0]), (1, [1, 0]), (32, [1, 0]), (33, [1, 1])])
def test_a_token_is_valid_where_any_step_in_its_cell_is(n_valid, expected):
    x, mask = batch(1, 60, 3)
    mask["eeg"][:, n_valid:] = False
    _, valid = attended(build(ResAttentioNetConfig(), n_features=3).eval(), x, mask)
    assert valid[0].tolist() == expected


def test_half_the_steps_are_valid_where_one_of_two_is():
    valid = torch.tensor([[[True, False, False, False, True]], [[False, True, True, True, False]]])
    assert halved(valid)[:, 0].tolist() == [[True, False, True], [True, True, False]]
    assert halved(None) is None


@pytest.mark.parametrize("n_steps", range(1, 8))
def test_the_largest_of_three_is_the_max_pool_of_torch(n_steps):
    states = torch.randn(2, 3, n_steps, generator=torch.Generator().manual_seed(4)).relu()
    assert torch.equal(halved_maximum(states), functional.max_pool1d(states, 3, stride=2, padding=1))


def test_without_gaps_the_masked_network_is_the_published_one():
    masked = build(ResAttentioNetConfig(mask_padding=True), n_features=3).eval()
    x, mask = batch(4, 60, 3)
    assert_close(masked(x, mask), build(PUBLISHED, n_features=3).eval()(x, mask))


@pytest.mark.parametrize("train", [True, False])
def test_padding_has_no_say(train):
    model = build(ResAttentioNetConfig(**UNDROPPED), n_tokens=64, n_features=3).train(train)
    x, mask = batch(4, 64, 3)
    mask["eeg"][:, 32:] = False
    padded = model(x, mask)
    short = build(ResAttentioNetConfig(**UNDROPPED), n_tokens=32, n_features=3).train(train)
    alone = short({"eeg": x["eeg"][:, :32]}, {"eeg": mask["eeg"][:, :32]})
    assert_close(padded, alone, atol=1e-5, rtol=1e-4)
    assert_close(dict(model.named_buffers()), dict(short.named_buffers()))


def test_the_published_network_reads_its_padding_as_zeros():
    model, (x, mask) = build(n_features=3).eval(), batch(4, 60, 3)
    mask["eeg"][:, 40:] = False
    gone = {"eeg": x["eeg"].masked_fill(~mask["eeg"][..., None], 0.0)}
    whole = {"eeg": torch.ones_like(mask["eeg"])}
    assert torch.equal(model(x, mask)["emotion"], model(gone, whole)["emotion"])
    masked = build(ResAttentioNetConfig(), n_features=3).eval()
    assert not torch.allclose(masked(x, mask)["emotion"], model(x, mask)["emotion"], atol=1e-4)


def test_modalities_are_read_side_by_side():
    shape = SegmentShape(tokens={"eeg": (60, 3), "ecg": (40, 2)}, heads={"emotion": 4})
    torch.manual_seed(0)
    pair, joined = PUBLISHED.build(shape).eval(), build(n_features=5).eval()
    (x, mask), (ecg, ecg_mask) = batch(2, 60, 3), batch(2, 40, 2, seed=2)
    padded = functional.pad(ecg["eeg"], (0, 0, 0, 20))
    one = {"eeg": torch.cat([x["eeg"], padded], dim=2)}
    two = pair(x | {"ecg": ecg["eeg"]}, mask | {"ecg": ecg_mask["eeg"]})
    assert_close(two["emotion"], joined(one, mask)["emotion"])


def test_a_train_batch_of_one_is_fine_where_one_step_is_left():
    model = build(PUBLISHED, n_tokens=32, n_features=3).train()
    assert model(*batch(1, 32, 3))["emotion"].isfinite().all()


def test_it_is_searched_over_the_row_of_its_reference():
    # crop length, smoothing and scaling are settings of features and protocol
    assert ResAttentioNetConfig.search_space().dimensions == {
        "training.optimizer.learning_rate": LogUniform(low=1e-5, high=3e-3),
        "training.optimizer.weight_decay": LogUniform(low=1e-6, high=1e-2),
        "model.base_width": Choice(choices=(8, 16, 32)),
        "model.attention_heads": Choice(choices=(1, 2, 4, 8)),
        "model.drop_enc": Uniform(low=0.2, high=0.7),
        "model.drop_cls": Uniform(low=0.2, high=0.7),
        "training.loss.label_smoothing": Uniform(low=0.0, high=0.2),
        "training.batch_size": Choice(choices=(16, 32, 64)),
        "model.total_stride": Choice(choices=(32, 16, 8)),
        "training.loss.balance_classes": Choice(choices=(False, True)),
        "training.plateau.factor": Uniform(low=0.2, high=0.7),
        "training.plateau.patience": Integer(low=3, high=10),
    }
