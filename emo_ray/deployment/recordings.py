"""RECORDING on the command line: files in the layout of a corpus, or a request, as recordings."""

from pathlib import Path

from emo_ray.corpora.base import CorpusConfig
from emo_ray.corpora.corpus_files import choose_files
from emo_ray.corpora.feature_table import MODALITY, FeatureTable
from emo_ray.corpora.recognition import recognised
from emo_ray.corpora.recording import Recording
from emo_ray.deployment.package import PackageContent
from emo_ray.deployment.requests import read_request
from emo_ray.deployment.unlabelled_table import read_unlabelled
from emo_ray.errors import ConfigError, CorpusError


def read_recordings(
    place: Path, package: PackageContent, subject: str = ""
) -> tuple[tuple[Recording, ...], tuple[str, ...]]:
    """Recordings of one person, or of all in the files; and what a reader left out of them.

    Raises
    ------
    CorpusError, ConfigError : there is nothing, of no known layout, or no such subject
    """
    if not place.exists():
        raise ConfigError(f"{place} does not exist: name the folder or file of a recording")
    if place.suffix == ".json" and place.is_file():
        return _of_subject(read_request(place), subject, place), ()
    corpus = corpus_for(place, package)
    if isinstance(corpus, FeatureTable) and package.experiment.corpus.kind == corpus.kind:
        return _of_table(place, corpus, package, subject)
    return _of_corpus(place, corpus, subject)


def _of_table(
    place: Path, corpus: FeatureTable, package: PackageContent, subject: str
) -> tuple[tuple[Recording, ...], tuple[str, ...]]:
    """A table as a corpus where it is one; else, for a new one need not have labels, its bare rows."""
    try:
        return _of_corpus(place, corpus, subject)
    except CorpusError as error:
        facts = package.description.signals[MODALITY]
        rows = _of_subject(read_unlabelled(place, corpus, facts), subject, place)
        first_line = str(error).splitlines()[0]
        return rows, (f"rows in the order of the file, for it is no table to train on ({first_line})",)


def _of_corpus(
    place: Path, corpus: CorpusConfig, subject: str
) -> tuple[tuple[Recording, ...], tuple[str, ...]]:
    found = choose_files(corpus.find_subjects(), [subject] if subject else [], "--subject")
    read = [corpus.read_subject(name) for name in found]
    recordings = tuple(recording for one in read for recording in one.recordings)
    rejected = [f"{trial.subject} {trial.trial}: {trial.reason}" for one in read for trial in one.rejected]
    if not recordings:
        raise CorpusError(f"{place} holds no recording that can be read: {'; '.join(rejected[:5])}")
    return recordings, tuple(f"left out, {one}" for one in rejected)


def corpus_for(place: Path, package: PackageContent) -> CorpusConfig:
    """The reader of some files: the model's own kind of corpus where they look like it, else any other.

    Raises
    ------
    ConfigError : the files are of no known layout, or of several
    """
    own = package.experiment.corpus
    found = recognised(place)
    others = [corpus for corpus in found if corpus.kind != own.kind]
    if len(others) == len(found) == 1:
        return others[0]
    if others and len(others) == len(found):
        kinds = " or ".join(corpus.kind for corpus in others)
        raise ConfigError(f"{place} could be {kinds}: name the folder or file of one")
    # Read with the settings that the training recordings were read with.
    return own.model_copy(update={"path": place.resolve()})


def _of_subject(recordings: tuple[Recording, ...], subject: str, place: Path) -> tuple[Recording, ...]:
    kept = tuple(one for one in recordings if subject in ("", one.subject, one.subject.rpartition("/")[2]))
    if not kept:
        known = ", ".join(sorted({one.subject for one in recordings}))
        raise CorpusError(f"--subject: no {subject} in {place}, which has {known}")
    return kept
