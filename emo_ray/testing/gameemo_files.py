"""Files in the layout of GAMEEMO, made on the spot: CSV and MAT, raw and preprocessed, scanned forms."""

from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import scipy
from jaxtyping import Float64
from pyarrow import csv
from pydantic import Field

from emo_ray.corpora.gameemo import GAMES, SFREQ
from emo_ray.corpora.gameemo_arrays import FILE_ORDER
from emo_ray.files import atomic_path, write_atomically
from emo_ray.testing.body_signals import Clock, Person, State, eeg
from emo_ray.testing.corpus_files import CorpusFiles

Part = Literal["raw", "preprocessed"]
FOLDERS = {"raw": "Raw EEG Data", "preprocessed": "Preprocessed EEG Data"}
NAMES = {"raw": "AllRawChannels", "preprocessed": "AllChannels"}
# What each game is meant to do: boring, calm, horror, funny.
STATES = {
    "G1": State(-0.7, -0.6),
    "G2": State(-0.7, 0.6),
    "G3": State(0.7, -0.6),
    "G4": State(0.7, 0.6),
}
OFFSET_UV = 4200.0  # of the raw EEG of an EPOC
SPREAD_TIMES = 300  # samples by which games are shorter or longer
PDF = b"%PDF-1.4\n% a scanned form would be here; synthetic\n%%EOF\n"

# In place of SciPy's text, which holds the time of writing: the same arguments give the same bytes.
HEADER_TEXT = b"MATLAB 5.0 MAT-file, synthetic GAMEEMO game made by emo_ray".ljust(116)


class GameemoFiles(CorpusFiles):
    """A folder ``(S01)`` a subject; data folders that begin with a dot, CSV lines that end with a comma."""

    n_subjects: int = Field(28, ge=1, le=99, description="people")
    contents: tuple[Part, ...] = ("raw", "preprocessed")
    formats: tuple[Literal["csv", "mat"], ...] = ("csv", "mat")
    game_s: float = Field(
        300.0, ge=10, description="about the seconds of a game; lengths differ by up to 5 s"
    )
    misnamed: tuple[str, ...] = Field(("S01G2",), description="raw files named as preprocessed ones")
    mat_layout: Literal["vectors", "rows", "matrix"] = Field(
        "vectors", description="vectors: (n, 1) an electrode; rows: (1, n); matrix: one of (n, 14)"
    )
    trailing_comma: bool = Field(True, description="as released; else as after a spreadsheet saved the files")
    forms: bool = Field(True, description="the PDFs of the self-assessment, without content")

    @classmethod
    def small(cls, n_subjects: int = 3) -> "GameemoFiles":
        """Games of about 20 s, as CSV alone."""
        return cls(n_subjects=n_subjects, formats=("csv",), game_s=20.0)

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """All files of one subject."""
        subject = f"S{index + 1:02d}"
        home = folder / f"({subject})"
        files = []
        for game in GAMES:
            values = self.eeg(index, game)
            for content in self.contents:
                samples = values if content == "preprocessed" else values + OFFSET_UV
                name = NAMES["preprocessed" if subject + game in self.misnamed else content]
                for suffix in self.formats:
                    file = home / FOLDERS[content] / f".{suffix} format" / f"{subject}{game}{name}.{suffix}"
                    write = self._write_csv if suffix == "csv" else self._write_mat
                    files.append(write(file, np.round(samples, 4)))
            if self.forms:
                files.append(home / "SAM Ratings" / f"{game}.pdf")
                write_atomically(files[-1], PDF)
        return tuple(files)

    def eeg(self, index: int, game: str) -> Float64[np.ndarray, "times 14"]:
        """EEG of one game in uV, in the order of the files."""
        rng = self.stream("eeg", index, game)
        who = Person.drawn(self.stream("person", index), len(FILE_ORDER))
        felt = State(self.strength * STATES[game].arousal, self.strength * STATES[game].valence)
        spread = int(min(SPREAD_TIMES, 0.1 * self.game_s * SFREQ))
        n_times = round(self.game_s * SFREQ) + int(rng.integers(-spread, spread + 1))
        return eeg(rng, who, felt, Clock(n_times, SFREQ)).T.astype(np.float64)

    def _write_csv(self, file: Path, values: Float64[np.ndarray, "times 14"]) -> Path:
        columns = {name: values[:, index] for index, name in enumerate(FILE_ORDER)}
        if self.trailing_comma:
            columns["end"] = pa.nulls(len(values), pa.string())  # nothing, and so a comma before it
        with atomic_path(file) as part, part.open("wb") as target:
            target.write((",".join(FILE_ORDER) + ("," if self.trailing_comma else "") + "\n").encode())
            options = csv.WriteOptions(include_header=False, quoting_style="none")
            csv.write_csv(pa.table(columns), target, options)
        return file

    def _write_mat(self, file: Path, values: Float64[np.ndarray, "times 14"]) -> Path:
        vectors = {name: values[:, index : index + 1] for index, name in enumerate(FILE_ORDER)}
        content = {
            "vectors": vectors,
            "rows": {name: vector.T for name, vector in vectors.items()},
            "matrix": {"data": values},
        }[self.mat_layout]
        with atomic_path(file) as part, part.open("wb") as target:
            scipy.io.savemat(target, content, do_compression=True)
            target.seek(0)
            target.write(HEADER_TEXT)
        return file
