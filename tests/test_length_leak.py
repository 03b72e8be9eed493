"""Recordings without any signal, whose clips are as unequal as films: the length of a clip tells its label.

All people see the same clips, so the leak works across people; a published procedure shows it to the network.
"""

import dataclasses

import numpy as np
import pytest
from numpy.random import default_rng

from emo_ray.cli.systems import res_attentio_net
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.corpora.seed_iv import SeedIV
from emo_ray.experiment import validated
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.orchestration.plan import make_plan
from emo_ray.run import execute
from emo_ray.store.local import load_corpus
from emo_ray.testing.seed_iv_files import SeedIVFiles

N_CLIPS, LONGEST, CROP = 24, 60, 12
CHANCE = 0.5
PUBLISHED = {
    "model": {"kind": "res_attentio_net", "base_width": 8, "mask_padding": False},
    "protocol": {"kind": "hold_out", "n_test": 3},
    "scaling": "transductive",
    "procedure": {"kind": "published", "visible_padding": True},
}
CLEAN = {
    "model": {"kind": "res_attentio_net", "base_width": 8, "total_stride": 8},
    "protocol": {"kind": "loso"},
}


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Noise as whole clips and as crops of one length; four clips of like length are of one class."""
    corpus = FakeCorpus(n_subjects=9, n_trials=N_CLIPS, n_tokens=LONGEST, n_features=20, seed=5)
    table = load_corpus(corpus, RawTokens(n_tokens=LONGEST), tmp_path_factory.mktemp("store"))
    clip = np.arange(len(table)) % N_CLIPS
    length = np.linspace(CROP, LONGEST, N_CLIPS).astype(int)[clip]
    rng = default_rng(0)
    values = rng.standard_normal((len(table), LONGEST, 20)).astype(np.float32) + 3.0
    mask = np.arange(LONGEST) < length[:, None]
    values[~mask] = np.nan
    ratings = {"label": (clip // 4 % 2).astype(np.float32)}
    (name,) = table.values
    moments = measured(table, name, values, mask)
    whole = dataclasses.replace(
        table, values={name: values}, masks={name: mask}, ratings=ratings, moments=moments
    )
    crops = dataclasses.replace(whole, values={name: values[:, :CROP]}, masks={name: mask[:, :CROP]})
    return corpus, whole, crops


def measured(table, name, values, mask):
    from emo_ray.store.moments import measure

    codes = {subject: table.subject == code for code, subject in enumerate(table.subjects)}
    return {subject: {name: measure(values[own], mask[own])} for subject, own in codes.items()}


def records_of(corpus, table, parts, n_epochs, n_folds=None):
    training = {"max_epochs": n_epochs, "batch_size": 16, "optimizer": {"learning_rate": 0.003}}
    content = {
        "corpus": corpus,
        "extraction": RawTokens(),
        "task": corpus.tasks()["label"],
        "training": training,
        "references": ("majority", "probe_length"),
    }
    experiment = validated({**content, **parts})
    specs = make_plan([experiment], table, duplicates=()).specs
    return [execute(spec, table).record for spec in specs[:n_folds]]


def test_the_published_procedure_recognises_noise_by_the_length_of_its_clips(noise):
    corpus, whole, _ = noise
    (record,) = records_of(corpus, whole, PUBLISHED, n_epochs=20)
    n_tested = record.rows["test"]
    error = np.sqrt(CHANCE * (1 - CHANCE) / n_tested)
    assert record.scores["balanced_accuracy"] > CHANCE + 3 * error
    assert record.references["probe_length"]["balanced_accuracy"] > CHANCE + 3 * error
    assert any("padding" in thing for thing in record.leaks)


def test_the_clean_procedure_finds_nothing_in_noise(noise):
    corpus, _, crops = noise
    scores = [record.scores["balanced_accuracy"] for record in records_of(corpus, crops, CLEAN, 6, 5)]
    assert abs(np.mean(scores) - CHANCE) < 3 * np.std(scores, ddof=1) / np.sqrt(len(scores))


@pytest.mark.slow
def test_the_leak_of_seed_iv_is_exposed_on_files_of_its_layout(tmp_path):
    files = SeedIVFiles(n_subjects=12, contents=("features",), sessions=("1",), strength=0.0, seed=1)
    files.write(tmp_path / "files")
    corpus = SeedIV(path=tmp_path / "files", content="de_LDS", sessions=("1",))
    base = {"corpus": corpus, "task": corpus.tasks()["emotion"], "references": ("majority", "probe_length")}
    system, found = res_attentio_net(), {}
    for name, parts in (("published", system.published(corpus)), ("clean", system.clean(corpus))):
        experiment = validated({"protocol": {"kind": "loso"}, **base, **parts})
        experiment = experiment.changed({"training.max_epochs": 30})
        table = load_corpus(corpus, experiment.extraction, tmp_path / "store")
        specs = make_plan([experiment], table, duplicates=()).specs
        found[name] = [execute(spec, table).record for spec in specs]
    (published,) = found["published"]
    clean = [record.scores["balanced_accuracy"] for record in found["clean"]]
    error = np.sqrt(0.25 * 0.75 / published.rows["test"])
    assert published.scores["balanced_accuracy"] > 0.25 + 3 * error
    assert published.references["probe_length"]["balanced_accuracy"] > 0.25 + 3 * error
    assert abs(np.mean(clean) - 0.25) < 3 * np.std(clean, ddof=1) / np.sqrt(len(clean))
