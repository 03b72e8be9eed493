"""Children: as many as asked, of training rows only, and the same whatever stands beside them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.neighbors import NearestNeighbors

from emo_ray.errors import TrainingError
from emo_ray.training import neighbours
from emo_ray.training.augmentation import (
    TECHNIQUES,
    AugmentationConfig,
    Contributions,
    published_augmentation,
)
from emo_ray.training.children import Augmenter, child_counts
from emo_ray.training.neighbours import same_class_neighbours
from emo_ray.training.seeding import Streams

ROWS = np.arange(5, 45)
NAMES = {"eeg": tuple(f"Fz/{hz}" for hz in range(4, 9)), "gsr": ("tonic", "phasic")}


def only(**contributions):
    return Contributions(**{name: contributions.get(name, 0) for name in TECHNIQUES})


def augmenter(data, rows=ROWS, seed=0, **fields):
    config = AugmentationConfig(**{"ratio": 2.0, **fields})
    return Augmenter(replace(data, features=NAMES), rows, config, Streams(seed))


def of_technique(plan, name):
    return plan.at(np.flatnonzero(plan.technique == TECHNIQUES.index(name)))


def test_counts_are_those_of_the_published_report():
    counts = child_counts(published_augmentation(), 1280, frozenset(TECHNIQUES))  # DEAP: 32 x 40 trials
    expected = {"noise": 533, "time_shift": 320, "crop": 320, "amplitude": 213, "channel_drop": 213}
    expected |= {"frequency_shift": 170, "mask": 256, "mixup": 320, "smote": 213}
    assert counts == expected
    assert sum(counts.values()) == 2558


def test_techniques_without_use_leave_their_part_to_the_others():
    config = AugmentationConfig(ratio=1.0, contributions=only(noise=1, mixup=1, frequency_shift=2))
    counts = child_counts(config, 100, frozenset({"noise", "mixup"}))
    assert (counts["noise"], counts["mixup"], counts["frequency_shift"]) == (50, 50, 0)


def test_augmentation_is_off_by_default():
    assert AugmentationConfig().ratio == 0


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"ratio": -1}, "greater than or equal to 0"),
        ({"ratio": 1, "contributions": only()}, "no technique contributes"),
        ({"crop_share": (0.9, 0.8)}, "from low to high"),
        ({"mask_share": (0.1, 1.5)}, "less than or equal to 1"),
        ({"mixup": 0.3}, "extra"),
    ],
)
def test_configurations_that_can_not_work_are_refused(fields, told):
    with pytest.raises(ValidationError, match=told):
        AugmentationConfig(**fields)


def test_config_survives_json():
    config = published_augmentation()
    assert AugmentationConfig.model_validate_json(config.model_dump_json()) == config


def test_parents_and_partners_are_training_rows(single_head):
    for epoch in range(3):
        plan = augmenter(single_head, ratio=5.0).plan(epoch)
        assert len(plan) > 190
        assert set(plan.parent) | set(plan.partner) <= set(ROWS)


def test_every_row_is_a_parent_equally_often(single_head):
    plan = augmenter(single_head, ratio=2.0, contributions=only(amplitude=1)).plan(0)
    assert np.bincount(plan.parent, minlength=60)[ROWS].tolist() == [2] * 40


def test_a_child_has_the_targets_and_the_mask_of_its_parent(three_heads):
    masks = {name: mask.copy() for name, mask in three_heads.masks.items()}
    masks["eeg"][::3, 1] = False
    rows = augmenter(replace(three_heads, masks=masks)).epoch(0)
    children = -1 - np.arange(len(rows.plan))
    made, parents = rows.batch(children), rows.data.batch(rows.plan.parent)
    for head in made.targets:
        assert torch.equal(made.targets[head], parents.targets[head])
    for name in made.mask:
        assert torch.equal(made.mask[name], parents.mask[name])
        assert not made.x[name][~made.mask[name]].any()


def test_every_technique_changes_its_children(single_head):
    rows = augmenter(single_head, ratio=6.0).epoch(0)
    made, parents = rows.batch(-1 - np.arange(len(rows.plan))).x, rows.data.batch(rows.plan.parent).x
    # frequencies are EEG's here, and only GSR has a second channel
    changed = sum((made[name] != parents[name]).flatten(1).any(dim=1).numpy() for name in made) > 0
    for code, name in enumerate(TECHNIQUES):
        # a mixup of a row with itself or of weight 1 changes nothing
        assert changed[rows.plan.technique == code].mean() > 0.8, name


def test_originals_stay_what_they_are(single_head):
    rows = augmenter(single_head).epoch(0)
    mixed = rows.batch(np.array([7, -3, 11]))
    plain = rows.data.batch(np.array([7, 11]))
    assert torch.equal(mixed.x["eeg"][[0, 2]], plain.x["eeg"])
    assert set(ROWS) < set(rows.examples)
    assert len(rows.examples) == len(ROWS) + len(rows.plan)


def test_a_child_is_the_same_in_any_batch(single_head):
    rows = augmenter(single_head).epoch(0)
    together = rows.batch(-1 - np.arange(len(rows.plan)))
    for child in range(0, len(rows.plan), 7):
        alone = rows.batch(np.array([5, -1 - child]))
        for name in alone.x:
            torch.testing.assert_close(alone.x[name][1], together.x[name][child], rtol=0, atol=0)


def test_sensors_do_not_share_their_noise(single_head):
    rows = augmenter(single_head, contributions=only(noise=1)).epoch(0)
    made, parent = rows.batch(np.array([-1])), rows.data.batch(rows.plan.parent[:1])
    eeg, gsr = ((made.x[name] - parent.x[name]).flatten() for name in ("eeg", "gsr"))
    assert not torch.allclose(eeg[: len(gsr)], gsr, atol=1e-4)


@pytest.mark.parametrize(("resample", "is_same"), [("epoch", False), ("once", True)])
def test_children_are_drawn_each_epoch_or_once(single_head, resample, is_same):
    made = augmenter(single_head, resample=resample)
    assert np.array_equal(made.plan(0).key, made.plan(1).key) == is_same
    again = augmenter(single_head, resample=resample)
    np.testing.assert_array_equal(made.plan(1).partner, again.plan(1).partner)
    assert not np.array_equal(made.plan(0).key, augmenter(single_head, seed=1).plan(0).key)


def test_mixed_rows_are_labelled_by_the_row_that_weighs_more(single_head):
    weights = [
        of_technique(augmenter(single_head, mixup_first=first, ratio=20.0).plan(0), "mixup").strength
        for first in ("dominant", "any")
    ]
    assert weights[0].min() >= 0.5
    assert weights[1].min() < 0.1


def test_smote_goes_towards_one_of_the_nearest_of_its_class(single_head):
    plan = of_technique(augmenter(single_head, smote_neighbours=3).plan(0), "smote")
    label = single_head.targets["emotion"]
    np.testing.assert_array_equal(label[plan.parent], label[plan.partner])
    flat = np.concatenate([values.reshape(60, -1) for values in single_head.values.values()], axis=1)
    for parent, partner in zip(plan.parent, plan.partner, strict=True):
        others = [row for row in ROWS if row != parent and label[row] == label[parent]]
        nearest = sorted(others, key=lambda row: np.linalg.norm(flat[row] - flat[parent]))
        assert partner in nearest[:3]


def test_smote_makes_as_many_of_a_rare_class(single_head):
    single_head.targets["emotion"][:] = np.where(np.arange(60) % 10 == 0, 2, 0)
    plan = of_technique(augmenter(single_head, ratio=50.0).plan(0), "smote")
    share = np.mean(single_head.targets["emotion"][plan.parent] == 2)
    assert share == pytest.approx(0.5, abs=0.12)  # 166 draws: three standard errors


def test_a_class_of_one_row_is_its_own_neighbour(single_head):
    single_head.targets["emotion"][:] = 0
    single_head.targets["emotion"][7] = 1
    found = same_class_neighbours(single_head, ROWS, 5, Streams(0))
    assert found[2].tolist() == [7] * 5


def test_rows_without_a_class_have_no_synthetic_children(single_head):
    single_head.targets["emotion"][5:25] = np.nan
    plan = of_technique(augmenter(single_head, ratio=10.0).plan(0), "smote")
    assert plan.parent.min() >= 25
    assert plan.partner.min() >= 25


def test_wide_rows_are_compared_by_a_projection(single_head):
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(10, 1, 600)), 6, axis=0)  # ten heaps of six rows, far apart
    values = (centres + 0.01 * rng.normal(size=(60, 1, 600))).astype(np.float32)
    wide = replace(
        single_head,
        values={"eeg": values},
        masks={"eeg": np.ones((60, 1), bool)},
        affine=type(single_head.affine).identity({"eeg": 600}),
    )
    wide.targets["emotion"][:] = 0
    found = same_class_neighbours(wide, np.arange(60), 5, Streams(0))
    assert [set(line // 6) for line in found] == [{row // 6} for row in range(60)]


def test_large_classes_are_searched_among_some_of_their_rows(single_head, monkeypatch):
    monkeypatch.setattr(neighbours, "MAX_CANDIDATES", 4)
    single_head.targets["emotion"][:] = 0
    found = same_class_neighbours(single_head, ROWS, 5, Streams(0))
    assert len(np.unique(found[:, 0])) <= 4
    assert found.shape == (40, 5)


def test_without_classes_frequencies_and_time_the_rest_goes_on(three_heads):
    flat = replace(
        three_heads,
        values={"gsr": three_heads.values["gsr"][:, :1]},
        masks={"gsr": three_heads.masks["gsr"][:, :1]},
    )
    plan = augmenter(flat).plan(0)
    made = {TECHNIQUES[code] for code in plan.technique}
    assert made == {"noise", "amplitude", "channel_drop", "mixup"}
    assert len(plan) == pytest.approx(80, abs=4)


def test_augmentation_without_any_use_is_refused(three_heads):
    with pytest.raises(TrainingError, match=r"augmentation by smote can not change these segments"):
        augmenter(three_heads, contributions=only(smote=1))


def test_neighbours_are_those_of_scikit_learn(many_segments):
    many_segments.targets["emotion"][:] = 0
    rows = np.arange(0, 300, 2)
    flat = np.concatenate([values.reshape(300, -1) for values in many_segments.values.values()], axis=1)[rows]
    expected = rows[NearestNeighbors(n_neighbors=5).fit(flat).kneighbors(return_distance=False)]
    np.testing.assert_array_equal(same_class_neighbours(many_segments, rows, 5, Streams(0)), expected)


def in_context(data, rows, trial, index):
    """Training rows with the segment before each of them."""
    return augmenter(
        replace(data, trial=trial.astype(np.int32), index=index.astype(np.int32), n_context=1),
        rows=rows,
        contributions=only(time_shift=1, noise=1, channel_drop=1, mixup=1, smote=1),
    )


def test_children_of_a_context_alter_every_segment_by_itself(single_head):
    n = len(single_head.subject)
    made = in_context(single_head, ROWS, np.arange(n) // 20, np.arange(n) % 20 + 1).epoch(0)
    plan, batch = made.plan, made.batch(-1 - np.arange(len(made.plan)))
    parents = made.data.batch(plan.parent)
    shifted = plan.technique == TECHNIQUES.index("time_shift")
    x, before = batch.x["eeg"][shifted], parents.x["eeg"][shifted]
    for segment in (slice(0, 4), slice(4, 8)):  # rotated inside the segment: the same tokens in another order
        assert torch.equal(x[:, segment].sort(dim=1).values, before[:, segment].sort(dim=1).values)
    dropped = batch.x["eeg"][plan.technique == TECHNIQUES.index("channel_drop")] == 0
    with_context = parents.mask["eeg"][plan.technique == TECHNIQUES.index("channel_drop"), 0]
    assert torch.equal(dropped[with_context, 0], dropped[with_context, 4])  # a lost channel is lost in both


def test_noise_does_not_come_twice_in_a_context(single_head):
    n = len(single_head.subject)
    made = in_context(single_head, ROWS, np.zeros(n), np.arange(n) + 1).epoch(0)
    noisy = np.flatnonzero(made.plan.technique == TECHNIQUES.index("noise"))
    noise = made.batch(-1 - noisy).x["eeg"] - made.data.batch(made.plan.parent[noisy]).x["eeg"]
    assert not torch.isclose(noise[:, :4], noise[:, 4:]).any(dim=2).all(dim=1).any()
