"""Files of DEAP, GAMEEMO and SEED-IV side by side, made on the spot: the layout that `multi` reads."""

from pathlib import Path

from pydantic import Field

from emo_ray.corpora.gameemo import GAMES
from emo_ray.corpora.multi import SAM_TABLE, MemberName
from emo_ray.files import write_atomically
from emo_ray.testing.corpus_files import CorpusFiles
from emo_ray.testing.deap_files import DeapFiles
from emo_ray.testing.gameemo_files import STATES, GameemoFiles
from emo_ray.testing.seed_iv_files import SeedIVFiles

MEMBERS: tuple[MemberName, ...] = ("deap", "gameemo", "seed_iv")


class MultiFiles(CorpusFiles):
    """A folder for each of the three, and what people of GAMEEMO wrote on their forms, as a table."""

    n_subjects: int = Field(75, ge=3, le=200, description="people, dealt out to the three in turn")
    brief: bool = Field(False, description="each in its small form, SEED-IV as EEG alone")

    @classmethod
    def small(cls, n_subjects: int = 3) -> "MultiFiles":
        """The small forms of all three, one person each at least."""
        return cls(n_subjects=max(n_subjects, len(MEMBERS)), brief=True)

    def write_shared(self, folder: Path) -> tuple[Path, ...]:
        """What the three share among their own people, and the table of GAMEEMO."""
        files = [file for name in MEMBERS for file in self.member(name).write_shared(folder / name)]
        return (*files, self._write_sam(folder / SAM_TABLE))

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """All files of one subject."""
        name = MEMBERS[index % len(MEMBERS)]
        return self.member(name).write_part(index // len(MEMBERS), folder / name)

    def member(self, name: MemberName) -> CorpusFiles:
        """The writer of one of the three."""
        n_subjects = len(range(MEMBERS.index(name), self.n_subjects, len(MEMBERS)))
        if name == "seed_iv":
            clips = SeedIVFiles.small(n_subjects) if self.brief else SeedIVFiles(n_subjects=n_subjects)
            # as released, but for a second folder called SEED_IV
            return clips.model_copy(update={**self._told(), "contents": ("raw",), "root": ""})
        if name == "gameemo":
            games = GameemoFiles.small(n_subjects) if self.brief else GameemoFiles(n_subjects=n_subjects)
            return games.model_copy(update=self._told())
        videos = DeapFiles.small(n_subjects) if self.brief else DeapFiles(n_subjects=n_subjects)
        return videos.model_copy(update=self._told())

    def _told(self) -> dict[str, float | int]:
        return {"seed": self.seed, "strength": self.strength}

    def _write_sam(self, file: Path) -> Path:
        """Valence and arousal from 1 to 9, on the side that the game is meant to be on."""
        lines = ["subject,game,valence,arousal"]
        for subject in range(self.member("gameemo").n_subjects):
            for game in GAMES:
                noise = self.stream("sam", subject, game).uniform(-0.9, 0.9, 2)
                scores = (5 + 4 * STATES[game].valence + noise[0], 5 + 4 * STATES[game].arousal + noise[1])
                lines.append(f"S{subject + 1:02d},{game}," + ",".join(f"{score:.1f}" for score in scores))
        write_atomically(file, "\n".join(lines) + "\n")
        return file
