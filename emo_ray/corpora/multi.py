"""Multi: DEAP, GAMEEMO and SEED-IV as one corpus of EEG, with one question: negative or positive."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.deap import Deap
from emo_ray.corpora.declared import Declaration, DeclaredRating, disagreements
from emo_ray.corpora.gameemo import Gameemo
from emo_ray.corpora.recording import Recording, SubjectRecordings
from emo_ray.corpora.seed_iv import EMOTIONS, SeedIV
from emo_ray.errors import CorpusError
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask

MemberName = Literal["deap", "gameemo", "seed_iv"]
MEMBERS: Mapping[MemberName, type[CorpusConfig]] = {"deap": Deap, "gameemo": Gameemo, "seed_iv": SeedIV}
LEAST_MEMBERS = 2

SAM_TABLE = "gameemo_ratings.csv"
POSITIVE = "positive"
MIDDLE = 5.0  # of the scales of DEAP and GAMEEMO, both 1 to 9: neither high nor low
UNDEFINED = float("nan")
OF_EMOTION = {"neutral": UNDEFINED, "sad": 0.0, "fear": 0.0, "happy": 1.0}


class Multi(CorpusConfig):
    """Folders ``deap``, ``gameemo`` and ``seed_iv`` side by side, two of them or all three; EEG alone.

    Every trial has one rating, ``positive``: 1 or 0 for valence above or below 5 as felt (DEAP; GAMEEMO, from
    its scanned forms, never from the game), for happy against sad or fear (SEED-IV, as meant by its clips).
    A valence of exactly 5 and neutral clips have none. Subjects keep their names, ``"deap/s01"``: what stands
    before the slash is the data set. Electrodes stay as recorded; the extraction maps them by name.
    """

    kind: Literal["multi"] = "multi"
    path: Path = Field(description="folder that holds deap, gameemo, seed_iv")
    members: tuple[MemberName, ...] = Field((), description="which are read; none named: all that are there")
    folders: Mapping[MemberName, Path] = Field({}, description="where a member lies, if not in its folder")
    ratings: Path | None = Field(
        None, description=f"self-assessment of GAMEEMO; {SAM_TABLE} in the folder, where that is there"
    )

    @property
    def card(self) -> CorpusCard:
        """Of the members, whose terms all hold."""
        cards = [member.model_construct(kind=name, path=self.path).card for name, member in MEMBERS.items()]
        return CorpusCard(
            title="DEAP, GAMEEMO and SEED-IV together",
            licence="; ".join(f"{name}: {card.licence}" for name, card in zip(MEMBERS, cards, strict=True)),
            citation="; ".join(card.citation for card in cards),
            doi="; ".join(card.doi for card in cards),
            access="; ".join(f"{name}: {card.access}" for name, card in zip(MEMBERS, cards, strict=True)),
        )

    @property
    def declaration(self) -> Declaration:
        """The one rating; what the members have is compared with their own declarations while reading."""
        return Declaration(ratings={POSITIVE: DeclaredRating(0.0, 1.0, "negative, positive")})

    @classmethod
    def recognise(cls, folder: Path) -> "Multi | None":
        """By two folders or more that are called as members and hold them."""
        found = {name for name, place in _folders_of(folder).items() if MEMBERS[name].recognise(place)}
        if len(found) < LEAST_MEMBERS:
            return None
        return cls(path=folder, members=tuple(name for name in MEMBERS if name in found))

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subjects of all members, one member after the other.

        Raises
        ------
        CorpusError : less than two members are there, or one of them is not as released
        """
        corpora = self.corpora()
        return {name: files for corpus in corpora.values() for name, files in corpus.find_subjects().items()}

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read a subject as its member does, and keep EEG and the common rating.

        Raises
        ------
        CorpusError : the subject is of no member, or its member can not read it
        """
        corpora = self.corpora()
        name = subject.partition("/")[0]
        if name not in corpora:
            raise CorpusError(f"{subject} is of none of {', '.join(corpora)}: name a subject of these")
        read = corpora[name].read_subject(subject)
        return replace(
            read,
            recordings=tuple(_as_common(one, POSITIVE_OF[name]) for one in read.recordings),
            notes=(*read.notes, *disagreements(corpora[name].declaration, read)),
        )

    def notes(self) -> tuple[str, ...]:
        """Which members are there, what each says of itself, and whether GAMEEMO has a target."""
        corpora = self.corpora()
        notes = [f"{', '.join(corpora)}; spectra, not names, tell which one a segment is of"]
        if "gameemo" in corpora and not self._sam_table():
            notes.append(
                f"gameemo: its valence is on scanned forms, and there is no {SAM_TABLE}: none of its "
                "segments has a target"
            )
        notes += [f"{name}: {note}" for name, corpus in corpora.items() for note in corpus.notes()]
        return tuple(notes)

    def tasks(self) -> Mapping[str, TaskConfig]:
        """The one question that all members answer."""
        classes = (("negative", (0.0,)), ("positive", (1.0,)))
        return {"valence": ClassTask(column=POSITIVE, classes=classes)}

    def corpora(self) -> Mapping[str, CorpusConfig]:
        """The members that are read, by name.

        Raises
        ------
        CorpusError : less than two are there, one that was named is not, or SEED-IV comes without its EEG
        """
        places = _folders_of(self.path) | dict(self.folders)
        wanted = self.members or tuple(name for name in MEMBERS if name in places)
        lacking = [name for name in wanted if name not in places]
        if lacking or len(wanted) < LEAST_MEMBERS:
            raise CorpusError(
                f"{self.path} holds {', '.join(places) or 'none of the data sets'}, and "
                f"{', '.join(lacking) or 'two or more'} are needed: put folders {', '.join(MEMBERS)} there, "
                "or say with folders where they lie"
            )
        return {name: self._member(name, places[name]) for name in wanted}

    def _member(self, name: MemberName, place: Path) -> CorpusConfig:
        found = MEMBERS[name].recognise(place)
        if found is None:
            raise CorpusError(
                f"{place} does not look like {name}: put the release there, with its file names"
            )
        if isinstance(found, Gameemo):
            return found.model_copy(update={"ratings": self._sam_table()})
        if isinstance(found, SeedIV) and found.content != "raw":
            raise CorpusError(
                f"{place} holds features of SEED-IV, and the members are read together from their EEG: add "
                "eeg_raw_data"
            )
        return found

    def _sam_table(self) -> Path | None:
        usual = self.path / SAM_TABLE
        return self.ratings or (usual if usual.is_file() else None)


def _folders_of(folder: Path) -> dict[MemberName, Path]:
    """Folders that are called as members are: SEED_IV and seed-iv, too."""
    if not folder.is_dir():
        return {}
    named = {
        place.name.lower().replace("-", "_"): place for place in sorted(folder.iterdir()) if place.is_dir()
    }
    return {name: named[name] for name in MEMBERS if name in named}


def _as_common(recording: Recording, positive_of: Callable[[Mapping[str, float]], float]) -> Recording:
    signals = {name: signal for name, signal in recording.signals.items() if name == "eeg"}
    ratings = {POSITIVE: positive_of(recording.ratings)}
    return replace(recording, signals=signals, ratings=ratings, annotations={})


def _felt(ratings: Mapping[str, float]) -> float:
    valence = ratings.get("self_valence", UNDEFINED)
    return float(valence > MIDDLE) if valence < MIDDLE or valence > MIDDLE else UNDEFINED


def _meant(ratings: Mapping[str, float]) -> float:
    return OF_EMOTION[EMOTIONS[int(ratings["label"])]]


POSITIVE_OF = {"deap": _felt, "gameemo": _felt, "seed_iv": _meant}
"""By member: 1 for positive, 0 for negative, NaN for neither, from its own ratings."""
