"""Published numbers of weights, exactly, and what the configuration may change."""

import pytest
import torch
from torch.testing import assert_close

from emo_ray.models.amigos_lstm import VARIANTS, AmigosLstmConfig, scale_widths, widest_modality
from emo_ray.models.base import SegmentShape
from emo_ray.models.blocks import RowSafeBatchNorm, count_weights

HEADS = {"valence": 1, "arousal": 1, "transition": 1}

TORCH_RAW = {
    "lightweight": 3_403,
    "moderate": 5_169,
    "enhanced": 7_067,
    "loso": 22_907,
    "maximum": 58_427,
    "loso15847": 16_159,
    "max50123": 50_523,
}
KERAS_TOTAL = {
    "lightweight": 3_275,
    "moderate": 5_009,
    "enhanced": 6_875,
    "loso": 22_523,
    "maximum": 57_963,
    "loso15847": 15_847,
    "max50123": 50_123,
}
TORCH_TOKENS = {"lightweight": 7_563, "moderate": 10_369, "loso": 35_387, "maximum": 75_067}


def shape(eeg, ecg, gsr, n_tokens=20):
    widths = {"eeg": eeg, "ecg": ecg, "gsr": gsr}
    return SegmentShape(tokens={name: (n_tokens, n) for name, n in widths.items()}, heads=HEADS)


RAW = shape(14, 1, 1, n_tokens=1280)  # 20 s at 64 Hz


def n_running_statistics(model):
    norms = [module for module in model.modules() if isinstance(module, RowSafeBatchNorm)]
    return sum(norm.running_mean.numel() + norm.running_var.numel() for norm in norms)


@pytest.mark.parametrize(("variant", "n_weights"), TORCH_RAW.items())
def test_weights_on_raw_signals_are_the_published_number(variant, n_weights):
    assert count_weights(AmigosLstmConfig(variant=variant).build(RAW)) == n_weights


@pytest.mark.parametrize(("variant", "total"), KERAS_TOTAL.items())
def test_keras_total_is_the_published_number(variant, total):
    model = AmigosLstmConfig(variant=variant, keras_biases=True).build(RAW)
    assert count_weights(model) + n_running_statistics(model) == total


def test_maximum_trains_all_keras_weights_but_the_running_statistics():
    model = AmigosLstmConfig(variant="maximum", keras_biases=True).build(shape(14, 1, 1))
    assert (count_weights(model), n_running_statistics(model)) == (57_659, 304)


@pytest.mark.parametrize(("variant", "n_weights"), TORCH_TOKENS.items())
def test_weights_on_feature_tokens_are_the_published_number(variant, n_weights):
    assert count_weights(AmigosLstmConfig(variant=variant).build(shape(70, 12, 8))) == n_weights


def test_all_variants_are_counted():
    assert set(TORCH_RAW) == set(KERAS_TOTAL) == set(VARIANTS)


def test_second_bias_stays_zero_with_keras_biases():
    model = AmigosLstmConfig(keras_biases=True).build(shape(14, 1, 1))
    frozen = [weight for name, weight in model.named_parameters() if "bias_hh" in name]
    assert len(frozen) == 3
    assert not any(weight.any() or weight.requires_grad for weight in frozen)


def test_widest_modality_gets_the_eeg_widths_and_the_first_wins_a_tie():
    assert widest_modality(SegmentShape(tokens={"gsr": (20, 3), "fnirs": (20, 9)}, heads=HEADS)) == "fnirs"
    assert widest_modality(SegmentShape(tokens={"a": (20, 9), "b": (20, 9)}, heads=HEADS)) == "a"


def test_penalty_of_loso_is_l2_over_the_first_dense_kernels():
    model = AmigosLstmConfig(variant="loso").build(shape(14, 1, 1))
    kernels = [branch.dense[0].weight for branch in model.branches] + [model.fusion[0].weight]
    assert_close(model.penalty(), 0.01 * sum((kernel**2).sum() for kernel in kernels))


def test_penalty_of_maximum_also_holds_the_second_eeg_kernel():
    model = AmigosLstmConfig(variant="maximum").build(shape(14, 1, 1))
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(1.0)
    # kernels 32x48 + 48x24 (EEG), 16x20 (ECG), 16x20 (GSR), 48x64 (fusion of 24 + 12 + 12)
    assert_close(model.penalty(), torch.tensor(0.001 * (1536 + 1152 + 320 + 320 + 3072)))


def test_moderate_has_no_penalty_until_asked():
    assert AmigosLstmConfig().build(shape(14, 1, 1)).penalty() is None
    assert AmigosLstmConfig(l2=0.1).build(shape(14, 1, 1)).penalty() > 0


def test_widths_are_scaled_and_stay_at_least_one():
    assert scale_widths((20, 10, 1), 0.25) == (5, 2, 1)
    assert scale_widths((16,), 2.0) == (32,)


def test_changes_reach_the_variant():
    changed = AmigosLstmConfig(input_dropout=0.1, dropout=0.2, l2=0.5).resolved_variant()
    assert (changed.input_dropout, changed.dense_dropouts, changed.fusion_dropouts, changed.l2) == (
        0.1,
        (0.2, 0.2),
        (0.2, 0.2),
        0.5,
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_pooling_by_mean_has_the_published_number_of_weights(variant):
    assert (
        count_weights(AmigosLstmConfig(variant=variant, pool="mean").build(shape(14, 1, 1)))
        == TORCH_RAW[variant]
    )


def test_weights_both_ways_are_those_counted_by_hand():
    # an LSTM of h units on i inputs: 4 h (i + h + 2); here twice, so the dense layers see 2 h
    eeg = 2 * 80 * (70 + 22) + (40 * 15 + 15) + (15 * 10 + 10)
    ecg = 2 * 40 * (12 + 12) + (20 * 8 + 8) + (8 * 5 + 5)
    gsr = 2 * 40 * (8 + 12) + (20 * 8 + 8) + (8 * 5 + 5)
    fused = (20 * 15 + 15) + (15 * 10 + 10) + (10 * 3 + 3)
    both = AmigosLstmConfig(bidirectional=True).build(shape(70, 12, 8))
    attended = AmigosLstmConfig(bidirectional=True, pool="attention").build(shape(70, 12, 8))
    assert count_weights(both) == eeg + ecg + gsr + fused
    assert count_weights(attended) - count_weights(both) == 40 + 20 + 20


each_reading = pytest.mark.parametrize(
    "config",
    [
        AmigosLstmConfig(variant=variant, bidirectional=both, pool=pool)
        for variant in ("moderate", "maximum")
        for both in (False, True)
        for pool in ("last", "mean", "attention")
    ],
    ids=lambda config: f"{config.variant}-{config.bidirectional}-{config.pool}",
)


@each_reading
def test_an_invalid_token_is_as_if_it_was_not_there(config):
    torch.manual_seed(0)
    model = config.build(shape(14, 1, 1)).eval()
    for weight in model.parameters():
        weight.data += 0.1 * torch.randn_like(weight)  # a fresh LSTM, its biases 0, would not notice zeros
    valid = torch.tensor([0, 0, 1, 1, 0, 1, 0, 1, 0, 0], dtype=torch.bool)  # before, between and after
    x = {"eeg": torch.randn(3, 10, 14), "ecg": torch.randn(3, 10, 1), "gsr": torch.randn(3, 10, 1)}
    only_valid = {name: values[:, valid] for name, values in x.items()}
    mask = {name: valid.expand(3, 10) for name in x}
    full = {name: torch.ones(3, 4, dtype=torch.bool) for name in x}
    assert_close(model(x, mask)["emb"], model(only_valid, full)["emb"])


@each_reading
def test_rows_of_different_lengths_do_not_meet(config):
    torch.manual_seed(0)
    model = config.build(shape(14, 1, 1)).eval()
    x = {"eeg": torch.randn(4, 6, 14), "ecg": torch.randn(4, 6, 1), "gsr": torch.randn(4, 6, 1)}
    lengths = torch.tensor([6, 1, 0, 3])
    mask = {name: torch.arange(6) < lengths[:, None] for name in x}
    whole = model(x, mask)["emb"]
    for row in range(4):
        part = slice(row, row + 1)
        alone = model({m: v[part] for m, v in x.items()}, {m: v[part] for m, v in mask.items()})
        assert_close(alone["emb"], whole[part], atol=1e-6, rtol=0)


@pytest.mark.parametrize(("both", "pool", "notices"), [
    (False, "last", False), (True, "last", True), (False, "mean", True), (False, "attention", True)
])  # fmt: skip
def test_what_the_pool_keeps_of_the_order_of_a_long_sequence(both, pool, notices):
    """A forward LSTM that forgets at once knows the last token only; the others also know the first."""
    model = AmigosLstmConfig(bidirectional=both, pool=pool).build(shape(14, 1, 1)).eval()
    for name, weight in model.named_parameters():
        n_units = len(weight) // 4
        if "bias_ih" in name:
            weight.data[n_units : 2 * n_units] = -100.0  # the forget gate stays shut
        if "weight_hh" in name:
            weight.data.zero_()
    x = {"eeg": torch.randn(8, 5, 14), "ecg": torch.randn(8, 5, 1), "gsr": torch.randn(8, 5, 1)}
    mask = {name: torch.ones(8, 5, dtype=torch.bool) for name in x}
    other = {name: torch.cat([-values[:, :1], values[:, 1:]], dim=1) for name, values in x.items()}
    assert torch.equal(model(x, mask)["emb"], model(other, mask)["emb"]) != notices


def test_state_is_read_at_the_last_valid_token_not_after_the_padding():
    model = AmigosLstmConfig().build(shape(14, 1, 1)).eval()
    short = {"eeg": torch.randn(2, 5, 14), "ecg": torch.randn(2, 5, 1), "gsr": torch.randn(2, 5, 1)}
    padded = {name: torch.cat([x, torch.zeros(2, 15, x.shape[2])], dim=1) for name, x in short.items()}
    mask = {name: torch.arange(20).expand(2, 20) < 5 for name in short}
    full = {name: torch.ones(2, 5, dtype=torch.bool) for name in short}
    assert_close(model(padded, mask)["emb"], model(short, full)["emb"])


def context_inputs(context, n_rows=4, seed=0):
    """A model, and tokens of ``1 + context`` segments of three tokens each."""
    torch.manual_seed(seed)
    n_tokens = 3 * (1 + context)
    model = AmigosLstmConfig(context=context).build(shape(14, 1, 1, n_tokens)).eval()
    x = {"eeg": torch.randn(n_rows, n_tokens, 14), "ecg": torch.randn(n_rows, n_tokens, 1)}
    x["gsr"] = torch.randn(n_rows, n_tokens, 1)
    return model, x, {name: torch.ones(n_rows, n_tokens, dtype=torch.bool) for name in x}


def read_alone(branch, x, mask, segment):
    """What the branch makes of one segment as if there was no other."""
    one = slice(3 * segment, 3 * segment + 3)
    return branch._read(x[:, one], mask[:, one])


def test_a_context_adds_the_earlier_embeddings_and_the_differences_to_the_fusion():
    # 20 branch units become 60 with one earlier segment, 100 with two; the fusion has 15
    for context, more in ((1, 40 * 15), (2, 80 * 15)):
        config = AmigosLstmConfig(context=context)
        assert count_weights(config.build(shape(70, 12, 8, n_tokens=60))) == TORCH_TOKENS["moderate"] + more
        assert config.n_context == context


def test_the_fusion_sees_the_segment_then_the_latest_earlier_one_then_the_changes():
    model, x, mask = context_inputs(2)
    branch = model.branches[0]
    first, second, own = (read_alone(branch, x["eeg"], mask["eeg"], segment) for segment in range(3))
    expected = torch.cat([own, second, first, own - second, own - first], dim=1)
    assert_close(branch(x["eeg"], mask["eeg"]), expected)


def test_a_missing_earlier_segment_gives_zeros_and_no_change():
    model, x, mask = context_inputs(1)
    mask["ecg"][:2, :3] = False
    x["ecg"][:2, :3] = float("nan")
    branch = model.branches[1]
    own = read_alone(branch, x["ecg"], mask["ecg"], 1)
    found = branch(x["ecg"], mask["ecg"])
    assert_close(found[:2], torch.cat([own[:2], torch.zeros(2, 10)], dim=1))
    assert found[2:, 5:].any()


def test_a_segment_without_a_sensor_does_not_change_against_the_one_before():
    model, x, mask = context_inputs(1)
    mask["gsr"][:, 3:] = False
    earlier = read_alone(model.branches[2], x["gsr"], mask["gsr"], 0)
    found = model.branches[2](x["gsr"], mask["gsr"])
    assert_close(found[:, 5:], torch.cat([earlier, torch.zeros(4, 5)], dim=1))


def test_tokens_that_are_not_those_of_so_many_segments_are_refused():
    with pytest.raises(ValueError, match="'eeg' arrives with 20 tokens, which are not those of 3 segments"):
        AmigosLstmConfig(context=2).build(shape(14, 1, 1))
