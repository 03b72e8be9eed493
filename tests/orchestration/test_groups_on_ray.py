"""Two workers train each run together: as one worker would, run after run, and past what fails or dies."""

import pytest
import torch
from faulty_model import FaultyMlpConfig
from safetensors.torch import load

from emo_ray.errors import ClusterError
from emo_ray.models.mlp import MlpConfig
from emo_ray.models.res_attentio_net import ResAttentioNetConfig
from emo_ray.orchestration.folds import FoldRun, run_missing
from emo_ray.orchestration.plan import make_plan
from emo_ray.orchestration.resources import Resources
from emo_ray.results.journal import Journal, weights_path
from emo_ray.run import execute
from emo_ray.training.config import TrainingConfig
from emo_ray.training.optimizer import OptimizerConfig

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("local_cluster"),
]
TWO = Resources(workers_per_run=2)
MLP = MlpConfig(hidden=(4,), dropout=0.0)
WITH_NORMS = ResAttentioNetConfig(base_width=2, drop_enc=0.0, drop_cls=0.0)
BATCH = 11


def training(**changes):
    sgd = OptimizerConfig(kind="sgd", learning_rate=1e-3)
    return TrainingConfig(**({"max_epochs": 3, "batch_size": BATCH, "optimizer": sgd} | changes))


def run(specs, table, folder):
    with Journal(folder) as journal:
        run_missing(specs, {specs[0].experiment.features: table}, FoldRun(journal, TWO, lambda record: None))
        return [journal.records[spec.fingerprint] for spec in specs]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("groups")


@pytest.fixture(scope="module")
def ended(place, table, spec_of, local_cluster):
    """Four runs in one group of workers, one after the other: specs and records."""
    faulty = FaultyMlpConfig(hidden=(4,), fault="error", at=3, diary=str(place / "error"))
    too_fast = training(optimizer=OptimizerConfig(learning_rate=1e38))
    specs = [
        spec_of(0, model=MLP, training=training()),
        spec_of(1, model=faulty, training=training()),
        spec_of(2, model=MLP, training=too_fast),
        spec_of(3, model=WITH_NORMS, training=training(score_train=True)),
    ]
    return specs, run(specs, table, place / "study")


@pytest.fixture(scope="module")
def spec_of(experiment, table):
    """The run on one fold, of the small experiment with some changes."""
    return lambda fold, **changes: make_plan([experiment.model_copy(update=changes)], table).specs[fold]


@pytest.mark.parametrize("number", [0, 3], ids=["without a norm", "with norms"])
def test_two_workers_train_what_one_trains(ended, table, place, number):
    """Batches of 11 and of 3 rows are in uneven shares."""
    spec, record = ended[0][number], ended[1][number]
    result = execute(spec, table)
    alone = result.record
    assert (record.status, record.best_epoch) == ("finished", alone.best_epoch)
    for ours, theirs in zip(record.history, alone.history, strict=True):
        for side in ("train", "validation"):
            assert ours[side]["loss"] == pytest.approx(theirs[side]["loss"], rel=1e-4)
    ours = load(weights_path(place / "study", record.fingerprint).read_bytes())
    for name, theirs in load(result.weights).items():
        torch.testing.assert_close(ours[name], theirs, rtol=1e-3, atol=1e-4)


def test_one_of_the_two_computes_references_and_tests(ended, table):
    alone, record = execute(ended[0][0], table).record, ended[1][0]
    assert (record.rows, record.lineage, record.references) == (alone.rows, alone.lineage, alone.references)
    assert record.scores == pytest.approx(alone.scores, rel=1e-3, abs=1e-4, nan_ok=True)


def test_a_run_that_fails_on_one_worker_alone_is_a_row_with_its_error(ended):
    assert (ended[1][1].status, ended[1][1].attempt) == ("failed", 1)
    assert "only rank 1 has seen this" in ended[1][1].error


def test_a_run_that_fails_on_all_workers_is_a_row_with_its_error(ended):
    assert (ended[1][2].status, ended[1][2].attempt) == ("failed", 1)
    assert "loss is nan" in ended[1][2].error


def test_nothing_is_left_of_what_was_needed_on_the_way(ended, place):
    assert list((place / "study" / "checkpoints").rglob("*")) == []


def test_more_workers_than_the_cluster_has_room_for_are_refused(spec_of, table, tmp_path):
    many, specs = Resources(workers_per_run=99), [spec_of(0, model=MLP)]
    with (
        Journal(tmp_path) as journal,
        pytest.raises(ClusterError, match=r"99 workers.* room for 2.*--workers-per-run"),
    ):
        run_missing(specs, {specs[0].experiment.features: table}, FoldRun(journal, many, print))


@pytest.mark.slow
def test_a_killed_worker_costs_what_came_after_the_last_checkpoint_and_changes_nothing(
    spec_of, table, tmp_path
):
    diary = tmp_path / "death"
    kept = training(max_epochs=10, patience=20, checkpoint_every_s=0.0)
    # another patience is another run, and trains the same
    undisturbed = kept.model_copy(update={"patience": 21})
    specs = [
        spec_of(0, model=MLP, training=undisturbed),
        spec_of(0, model=FaultyMlpConfig(**mortal(diary)), training=kept),
        spec_of(1, model=MLP, training=kept),
    ]
    whole, killed, after = run(specs, table, tmp_path / "study")
    assert [record.status for record in (whole, killed, after)] == ["finished"] * 3
    assert (whole.attempt, killed.attempt, after.attempt) == (1, 2, 1)
    assert (killed.weights_digest, killed.history) == (whole.weights_digest, whole.history)
    # killed in the second of four batches of the sixth epoch, which begins anew; the five before it do not
    assert (killed.rows["train"], len(diary.read_text().splitlines())) == (36, 10 * 4 + 2)


def mortal(diary):
    return {"hidden": (4,), "dropout": 0.0, "fault": "death", "at": 5 * 4 + 2, "diary": str(diary)}
