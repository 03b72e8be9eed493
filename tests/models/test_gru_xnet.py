"""GRU-XNet: counts of weights as published, electrodes that are absent, and pictures that are none."""

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from emo_ray.errors import ConfigError
from emo_ray.models.base import SegmentShape
from emo_ray.models.blocks import count_weights
from emo_ray.models.gru_xnet import BothWaysGru, GruXNetConfig, SelfAttention, averaging

SMALL = {"gru_units": 16, "cnn_mult": 0.25}
TABLE = {  # weights for two classes, pictures of 129 x 126: GAMEEMO, DEAP, SEED-IV
    "dynamic": (24_082_690, 54_070_402, 104_049_922),
    "standard": (112_359_938, 255_593_858, 494_317_058),
    "projected": (9_599_490, 20_712_834, 39_235_074),
    "freqpool": (4_094_466, 8_129_922, 14_855_682),
    "shared": (2_883_906, 5_243_202, 9_175_362),
}


def picture_shape(n_channels, n_bins=129, n_tokens=126, n_classes=2):
    names = tuple(f"E{channel}/{hz}Hz" for channel in range(n_channels) for hz in range(n_bins))
    return SegmentShape({"eeg": (n_tokens, len(names))}, {"valence": n_classes}, {"eeg": names})


def weights_of(config, shape):
    with torch.device("meta"):  # standard for 62 electrodes would take 2 GB
        return count_weights(config.build(shape))


def net(n_channels=3, n_bins=9, n_tokens=17, **options):
    torch.manual_seed(0)
    return GruXNetConfig(**{**SMALL, **options}).build(picture_shape(n_channels, n_bins, n_tokens))


def pictures(n_rows, n_channels=3, n_bins=9, n_tokens=17):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n_rows, n_tokens, n_channels * n_bins, generator=generator)
    return {"eeg": x}, {"eeg": torch.ones(n_rows, n_tokens, dtype=torch.bool)}


@pytest.mark.parametrize("variant", TABLE)
def test_weights_are_those_of_the_table(variant):
    config = GruXNetConfig.published(variant)
    assert tuple(weights_of(config, picture_shape(c)) for c in (14, 32, 62)) == TABLE[variant]


@pytest.mark.parametrize(("n_channels", "n_classes"), [(14, 4), (32, 3), (62, 4)])
def test_closed_forms_hold_for_other_numbers_of_classes(n_channels, n_classes):
    shape = picture_shape(n_channels, n_classes=n_classes)
    dynamic, standard = (weights_of(GruXNetConfig.published(name), shape) for name in ("dynamic", "standard"))
    assert dynamic == 1_665_984 * n_channels + 758_656 + 129 * n_classes
    assert standard == 7_957_440 * n_channels + 955_520 + 129 * n_classes


def test_published_seed_iv_with_four_classes():
    assert weights_of(GruXNetConfig.published(), picture_shape(62, n_classes=4)) == 104_050_180


def test_attention_has_263680_weights():
    assert count_weights(SelfAttention(256, 4, 0.5)) == 263_680


def test_published_drops_half_everywhere():
    config = GruXNetConfig.published()
    assert config.joint == "dynamic"
    assert {getattr(config, f"{part}_dropout") for part in ("cnn", "rnn", "attention", "head")} == {0.5}


@pytest.mark.parametrize("variant", ["dynamic", "shared"])
@pytest.mark.parametrize("train", [True, False], ids=["train", "eval"])
def test_ways_to_run_the_cnns_give_the_same(variant, train):
    (x, mask), reference = pictures(6), net(joint=variant, impl="loop")
    x["eeg"][3:, :, 9:18] = 0  # one electrode of three is absent
    outputs = []
    for impl in ("loop", "grouped", "chunked"):
        model = net(joint=variant, impl=impl, chunk=2)
        model.load_state_dict(reference.state_dict())
        torch.manual_seed(5)  # dropout
        outputs.append(model.train(train)(x, mask))
    for other in outputs[1:]:
        assert_close(other, outputs[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("fusion", ["concat", "mean"])
def test_rows_of_mixed_montages_do_not_see_each_other(fusion):
    model, (x, mask) = net(fusion=fusion), pictures(6)
    model.train()(x, mask)
    x["eeg"][2:4, :, :9], x["eeg"][4:, :, 9:] = 0, 0
    mask["eeg"][5, 8:] = False
    whole = model.eval()(x, mask)["valence"]
    for row in range(6):
        alone = model({"eeg": x["eeg"][row : row + 1]}, {"eeg": mask["eeg"][row : row + 1]})["valence"]
        assert_close(alone, whole[row : row + 1], atol=1e-6, rtol=0)


def test_one_network_serves_montages_of_any_size_by_the_mean():
    small, large = net(3, joint="shared", fusion="mean"), net(5, joint="shared", fusion="mean")
    large.load_state_dict(small.state_dict())
    x, mask = pictures(4)
    wide = {"eeg": functional.pad(x["eeg"], (0, 2 * 9))}  # two electrodes more, absent
    assert_close(large.eval()(wide, mask), small.eval()(x, mask), atol=1e-6, rtol=0)


def test_absent_electrodes_change_nothing_in_training():
    one, other = net(joint="freqpool", cnn_dropout=0.0), net(joint="freqpool", cnn_dropout=0.0)
    x, mask = pictures(6)
    x["eeg"][3:, :, 9:18] = 0
    one.train()(x, mask)
    # electrode 1 was only seen in the first three rows, which alone leave the same statistics behind
    other.train()({"eeg": x["eeg"][:3]}, {"eeg": mask["eeg"][:3]})
    for mine, theirs in zip(one.cnns.blocks, other.cnns.blocks, strict=True):
        own = slice(mine.width, 2 * mine.width)
        assert_close(mine.norm.running_mean[own], theirs.norm.running_mean[own], atol=1e-6, rtol=0)
        assert_close(mine.norm.running_var[own], theirs.norm.running_var[own], atol=1e-6, rtol=0)


def test_both_ways_is_torchs_own_where_all_tokens_are_valid():
    ours, theirs = BothWaysGru(3, 4, 2, 0.0), torch.nn.GRU(3, 4, 2, batch_first=True, bidirectional=True)
    for layer in range(2):
        for part, suffix in ((ours.ahead[layer], ""), (ours.back[layer], "_reverse")):
            for name, weight in part.named_parameters():
                weight.data = getattr(theirs, name.replace("l0", f"l{layer}") + suffix).data
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(1))
    assert_close(ours(x, torch.ones(2, 5, dtype=torch.bool)), theirs(x)[0])
    # and backwards it starts at the last valid token
    half = ours(x, torch.arange(5).expand(2, 5) < 3)[:, :3]
    assert_close(half, theirs(x[:, :3])[0])


def test_attention_is_torchs_own():
    ours, theirs = SelfAttention(8, 2, 0.0), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    layers = (ours.query, ours.key, ours.value)
    theirs.in_proj_weight.data = torch.cat([layer.weight.data for layer in layers])
    theirs.in_proj_bias.data = torch.cat([layer.bias.data for layer in layers])
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.out.weight.data, ours.out.bias.data
    x, mask = torch.randn(2, 5, 8), torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    found, _ = theirs(x, x, x, key_padding_mask=~mask)
    assert_close(ours(x, mask)[mask], ours.norm(x + found)[mask])


@pytest.mark.parametrize(("n_bins", "n_pooled"), [(16, 4), (5, 4), (3, 4), (7, 2)])
def test_bins_are_averaged_as_adaptive_pooling_does(n_bins, n_pooled):
    x = torch.randn(2, n_bins, generator=torch.Generator().manual_seed(1))
    assert_close(x @ averaging(n_bins, n_pooled), functional.adaptive_avg_pool1d(x, n_pooled))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (SegmentShape({"ecg": (20, 4)}, {"valence": 2}), "hold ecg: name one"),
        (SegmentShape({"eeg": (20, 45)}, {"valence": 2}), "1 bins a channel.*stft_tokens"),
        (picture_shape(2, n_bins=7, n_tokens=20), "7 bins a channel"),
        (picture_shape(2, n_bins=45, n_tokens=7), "7 tokens.*cut longer segments"),
    ],
    ids=["no-such-modality", "names-without-frequencies", "few-bins", "few-tokens"],
)
def test_segments_that_are_no_pictures_are_refused_with_the_next_step(shape, message):
    with pytest.raises(ConfigError, match=message):
        GruXNetConfig().build(shape)


def test_heads_that_do_not_share_the_units_are_refused():
    with pytest.raises(ValueError, match="take a number of heads that divides"):
        GruXNetConfig(gru_units=10, attention_heads=8)


def test_autocast_trains_with_absent_electrodes():
    model, (x, mask) = net(), pictures(6)
    x["eeg"][3:, :, 9:18] = 0
    with torch.autocast("cpu", torch.bfloat16):
        outputs = model.train()(x, mask)
    outputs["valence"].float().square().sum().backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
