"""GAMEEMO: 28 people play four games of five minutes, each meant for one emotion; 14 EEG channels."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from emo_ray.corpora.account import Account
from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import files_of, matching_files, one_each
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.gameemo_arrays import channels_of_csv, channels_of_mat
from emo_ray.corpora.gameemo_sam import SAM_SCALES, read_sam
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.plausible import unlike_microvolts
from emo_ray.corpora.recording import Recording, Signal, SubjectRecordings
from emo_ray.errors import CorpusError
from emo_ray.signals.electrodes import EMO14
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask
from emo_ray.tasks.rating import RatingTask

N_SUBJECTS = 28
SFREQ = 128.0  # Hz, EMOTIV EPOC+
USUAL_S, WORTH_A_NOTE_S = 300.0, 10.0  # a game takes five minutes; one file is known to be 298.84 s long
GAMES = ("G1", "G2", "G3", "G4")
EMOTIONS = ("boring", "calm", "horror", "funny")  # codes 0 to 3, in the order of the games

# Some raw files are named as preprocessed ones: only subject and game are taken from the name.
FILE_NAME = re.compile(r"S(\d{2})G([1-4])(?!\d).*\.(csv|mat)", re.IGNORECASE)
CONTENT_FOLDER = re.compile(r"(raw|preprocessed)[\s_-]*eeg", re.IGNORECASE)
RAW_NAME = re.compile(r"raw", re.IGNORECASE)

Content = Literal["preprocessed", "raw"]

CARD = CorpusCard(
    title="GAMEEMO: database for an emotion recognition system based on EEG and various computer games",
    licence="CC BY 4.0 by the page of the data (not verified)",
    citation="Alakus, Gonen & Turkoglu (2020), Biomedical Signal Processing and Control 60, 101951",
    doi="10.1016/j.bspc.2020.101951",
    access="Mendeley Data, record b3pn4kwpmn",
)


class Gameemo(CorpusConfig):
    """``S01G1AllChannels.csv`` or ``.mat`` to ``S28G4``, in folders that say raw or preprocessed.

    CSV is read where there are both: the inner layout of the MAT files is known from one source alone. The
    label is the game. What people felt comes with the release on scanned forms only: give a table of your
    own as ``ratings``. Its columns are ``subject`` (S01 or 1), ``game`` (G1 or 1), ``valence`` and
    ``arousal`` (1 to 9), and perhaps ``satisfaction``, ``boring``, ``horrible``, ``calm`` and ``funny``
    (1 to 10); a blank is a missing answer.
    """

    kind: Literal["gameemo"] = "gameemo"
    path: Path = Field(description="folder of the release, or of one of its parts")
    content: Content = "preprocessed"
    prefer: Literal["csv", "mat"] = Field("csv", description="which to read where a game has both")
    ratings: Path | None = Field(None, description="CSV with the self-assessment, typed in from the forms")

    @property
    def card(self) -> CorpusCard:
        """Of the release, whichever part of it is read."""
        return CARD

    @property
    def declaration(self) -> Declaration:
        """28 people of four games."""
        sam = {
            f"self_{name}": DeclaredRating(low, high, "self-assessment, as typed in from the forms")
            for name, (low, high) in SAM_SCALES.items()
        }
        return Declaration(
            n_subjects=N_SUBJECTS,
            sessions=("1",),
            n_trials=len(GAMES),
            signals={"eeg": DeclaredSignal(EMO14, (SFREQ,), "uV")},
            ratings={"label": DeclaredRating(0.0, 3.0, ", ".join(EMOTIONS))} | (sam if self.ratings else {}),
            unverified=(
                "EEG is in uV",
                "a game takes about 300 s",
                "MAT files have one vector an electrode",
                "the games were played in the order of their numbers",
            ),
        )

    @classmethod
    def recognise(cls, folder: Path) -> "Gameemo | None":
        """By the names of the files; preprocessed EEG if there is any."""
        found = {content_of(file) for file in folder.rglob("*") if FILE_NAME.fullmatch(file.name)}
        if not found:
            return None
        return cls(path=folder, content="raw" if found == {"raw"} else "preprocessed")

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Subject to the files of its games, then the table of ratings.

        Raises
        ------
        CorpusError : nothing is found, or a game has two files of one format
        """
        found = matching_files(self.path, FILE_NAME)
        wanted = (
            ((int(match[1]), match[2], match[3].lower()), file)
            for file, match in found.items()
            if content_of(file) == self.content
        )
        files = one_each(wanted, "subject, game and format")
        if not files:
            raise CorpusError(
                f"{self.path} holds no {self.content} files such as S01G1AllChannels.csv ({len(found)} "
                "of other content): correct the path, or choose another content"
            )
        chosen: dict[tuple[int, str], Path] = {}
        for (number, game, suffix), file in sorted(files.items()):
            if suffix == self.prefer or (number, game) not in chosen:
                chosen[number, game] = file
        subjects: dict[str, tuple[Path, ...]] = {}
        for (number, _), file in chosen.items():
            name = f"gameemo/S{number:02d}"
            subjects[name] = (*subjects.get(name, ()), file)
        table = (self.ratings,) if self.ratings else ()
        return {name: (*subjects[name], *table) for name in sorted(subjects, key=natural_key)}

    def read_subject(self, subject: str) -> SubjectRecordings:
        """Read the games of one subject, for instance ``"gameemo/S01"``.

        Raises
        ------
        CorpusError : the subject is unknown, or the table of ratings is none; a file that can not be read
            is a trial rejected
        """
        files = files_of(subject, self.find_subjects(), self.path)
        reader = SubjectReader(self, files, Account(subject, subject))
        return reader.account.closed(list(reader.recordings()))

    def tasks(self) -> Mapping[str, TaskConfig]:
        """The game that was played; its valence and arousal as meant; as felt, where ratings are given."""
        codes = dict(zip(EMOTIONS, (0.0, 1.0, 2.0, 3.0), strict=True))
        meant = {
            "emotion": ClassTask(classes=tuple((name, (code,)) for name, code in codes.items())),
            "valence": ClassTask(classes=(("negative", (0.0, 2.0)), ("positive", (1.0, 3.0)))),
            "arousal": ClassTask(classes=(("low", (0.0, 1.0)), ("high", (2.0, 3.0)))),
        }
        felt = {f"self_{name}": RatingTask(rating=f"self_{name}") for name in ("valence", "arousal")}
        return {**meant, **(felt if self.ratings else {})}


def content_of(file: Path) -> Content:
    """Raw or preprocessed: by the nearest folder that says so, else by the name of the file."""
    for folder in file.absolute().parents:
        match = CONTENT_FOLDER.search(folder.name)
        if match:
            return "raw" if match[1].lower() == "raw" else "preprocessed"
    return "raw" if RAW_NAME.search(file.name) else "preprocessed"


@dataclass
class SubjectReader:
    """Reads one subject's files, keeping account of what is rejected and what is odd."""

    corpus: Gameemo
    files: tuple[Path, ...]
    account: Account

    def recordings(self) -> Iterator[Recording]:
        """All games that have a file."""
        sam = read_sam(self.corpus.ratings, self.account) if self.corpus.ratings else {}
        games = {f"G{match[2]}": file for file in self.files if (match := FILE_NAME.fullmatch(file.name))}
        for code, game in enumerate(GAMES):
            if game not in games:
                self.account.reject(game, f"no {self.corpus.content} file of this game")
                continue
            signal = self.signal(game, games[game])
            if signal is not None:
                yield Recording(
                    subject=self.account.subject,
                    session="1",
                    trial=game,
                    clip=f"gameemo/{game}",
                    group=self.account.subject,
                    signals={"eeg": signal},
                    ratings={"label": float(code), **sam.get(game, {})},
                )

    def signal(self, game: str, file: Path) -> Signal | None:
        """EEG of one game in the order of `EMO14`, or None where the trial is rejected."""
        try:
            if file.suffix.lower() == ".csv":
                columns, remark = channels_of_csv(file), ""
            else:
                columns, remark = channels_of_mat(file)
        except CorpusError as error:
            self.account.reject(game, str(error))
            return None
        if remark:
            self.account.note(game, remark, file.name)
        values = self.account.finite_float32(np.stack([columns[name] for name in EMO14]), EMO14, game)
        odd_step = unlike_microvolts(values)
        if odd_step:
            self.account.note(game, "does not look like uV", odd_step)
        duration_s = values.shape[1] / SFREQ
        if abs(duration_s - USUAL_S) > WORTH_A_NOTE_S:
            self.account.note(game, "another length than about 300 s", f"{duration_s:.1f} s")
        return Signal(values, SFREQ, "uV", EMO14)
