"""The published systems as presets: an experiment a corpus; as published where it was, refused where not."""

from pathlib import Path
from runpy import run_path

import pytest

from emo_ray.cli import systems
from emo_ray.cli.console import Console
from emo_ray.cli.evaluation import judge
from emo_ray.cli.flags import loso_parser
from emo_ray.cli.settings import experiment_of, given_settings, published_experiment
from emo_ray.corpora.registry import CORPORA
from emo_ray.errors import ConfigError
from emo_ray.experiment import validated
from emo_ray.extraction.registry import default_extraction
from emo_ray.models.registry import MODELS

JOBS = Path(__file__).parents[2] / "jobs"
SYSTEMS = (systems.amigos_lstm, systems.phy_fusionnet, systems.gru_xnet, systems.res_attentio_net)
PUBLISHED_ON = {
    "amigos_lstm": {"amigos"},
    "phy_fusionnet": {"cl_drive", "empatica", "feature_table", "phyfusionnet_table", "ppb_emo", "wesad"},
    "gru_xnet": {"deap", "gameemo", "seed_iv"},
    "res_attentio_net": {"seed", "seed_iv", "seed_v", "seed_vii"},
}
# Three need more than a place to be told what they hold.
KINDS = sorted(kind for kind in CORPORA if kind not in ("empatica", "feature_table", "multi"))
each_system = pytest.mark.parametrize("system", [make() for make in SYSTEMS], ids=lambda one: one.name)


def corpus_of(kind):
    return CORPORA[kind](path=Path("somewhere"))


def experiment(corpus, parts):
    usual = {
        "corpus": corpus,
        "extraction": default_extraction(corpus),
        "task": next(iter(corpus.tasks().values())),
        "model": {"kind": "mlp"},
        "protocol": {"kind": "loso"},
    }
    return validated({**usual, **parts})


@each_system
@pytest.mark.parametrize("kind", KINDS)
def test_a_system_makes_a_clean_experiment_of_every_corpus(system, kind):
    made = experiment(corpus_of(kind), system.clean(corpus_of(kind)))
    assert made.column == "flat"
    assert made.model.kind in ({"mlp"} if system.name == "amigos_lstm" and kind == "amigos" else set(MODELS))


@each_system
@pytest.mark.parametrize("kind", KINDS)
def test_a_system_is_published_on_the_corpora_of_its_authors_and_on_no_other(system, kind):
    corpus = corpus_of(kind)
    if kind not in PUBLISHED_ON[system.name]:
        with pytest.raises(ConfigError, match="was not published on"):
            systems.published_parts(system, corpus, "job")
        return
    made = experiment(corpus, systems.published_parts(system, corpus, "job"))
    assert made.column == "published"
    assert made.training.amp in ("off", "auto")


def test_a_job_without_a_system_says_which_jobs_have_one():
    with pytest.raises(ConfigError, match=r"jobs/loso_amigos.py.*reproduce"):
        systems.published_parts(None, corpus_of("deap"), "loso")


@pytest.mark.parametrize("kind", systems.SEED_FAMILY)
def test_clips_are_cut_to_one_length_unless_as_published(kind):
    corpus = corpus_of(kind)
    clean = experiment(corpus, systems.res_attentio_net().clean(corpus)).extraction
    published = experiment(corpus, systems.res_attentio_net().published(corpus)).extraction
    is_whole = {"raw_tokens": lambda one: one.whole, "signal_windows": lambda one: one.segment_s is None}
    assert not is_whole[clean.kind](clean)
    assert is_whole[published.kind](published)


@pytest.mark.parametrize(("kind", "sad"), [("seed_iv", 1.0), ("gameemo", 1.0)])
def test_the_published_label_maps_are_wrong_where_the_clean_ones_are_not(kind, sad):
    corpus = corpus_of(kind)
    clean, published = (getattr(systems.gru_xnet(), way)(corpus)["task"] for way in ("clean", "published"))
    assert [head.classes for head in clean.heads] == [head.classes for head in published.heads]
    side = {
        way: [sad in codes for _, codes in task.classes] for way, task in (("c", clean), ("p", published))
    }
    assert side["c"] != side["p"]


def published_beside(job, *arguments):
    job = run_path(str(JOBS / f"{job}.py"))["JOB"]
    options = loso_parser(job.name, "").parse_intermixed_args(["--procedure", "published", *arguments])
    corpus = job.corpus(Path("somewhere"))
    clean = experiment_of(job, options, corpus, {}).changed(given_settings(options))
    return published_experiment(job, options, corpus, clean)


def test_the_published_procedure_takes_the_people_of_the_clean_one():
    people = ("protocol.n_subjects=5", "protocol.choice=seeded", "protocol.duplicates=ignore")
    protocol = published_beside("loso_amigos", *people).protocol
    assert (protocol.kind, protocol.n_subjects, protocol.choice) == ("hold_out", 5, "seeded")
    assert protocol.duplicates == "ignore"


@pytest.mark.parametrize(("n_people", "n_test"), [(37, 7), (9, 7), (5, 3), (3, 1)])
def test_of_few_people_fewer_are_held_out(n_people, n_test):
    assert published_beside("loso_amigos", f"protocol.n_subjects={n_people}").protocol.n_test == n_test


def test_a_published_procedure_has_no_settings_of_a_sweep(tmp_path):
    job = run_path(str(JOBS / "loso_amigos.py"))["JOB"]
    arguments = ["--procedure", "published", "--from-sweep", "one", "--tracking-uri", "none"]
    options = loso_parser(job.name, "").parse_args(arguments)
    with pytest.raises(ConfigError, match="--from-sweep exclude each other"):
        judge(job, options, tmp_path, Console())
