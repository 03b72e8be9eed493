"""Empatica E4 folders with a label table, as WESAD's wrist recordings travel, made on the spot."""

import gzip
from pathlib import Path

import numpy as np
from pydantic import Field

from emo_ray.files import atomic_path, write_atomically
from emo_ray.testing.body_signals import Clock, Person, State, bvp, eda, temperature
from emo_ray.testing.corpus_files import CorpusFiles

START_UTC = 1_495_437_325.0  # of the first subject; others follow a day apart
DAY_S = 86_400.0
GAP_S = 60.0  # between two conditions
# code and arousal of each condition; the order of the middle two differs between people
CONDITIONS = {"baseline": (1, -0.5), "stress": (2, 1.0), "amusement": (3, 0.3), "meditation": (4, -1.0)}
RATES_HZ = {"BVP": 64.0, "EDA": 4.0, "TEMP": 4.0}


class EmpaticaFiles(CorpusFiles):
    """Folders ``S2``, ``S3``, ... with BVP, EDA and TEMP; ``labels.csv`` counts from the first BVP sample."""

    condition_s: float = Field(600.0, ge=60, description="seconds of each condition")
    compressed: bool = Field(True, description="files end in .csv.gz")
    without_temperature: tuple[int, ...] = Field((), description="indices of subjects who lack the sensor")

    @classmethod
    def small(cls, n_subjects: int = 3) -> "EmpaticaFiles":
        """Three minutes a condition."""
        return cls(n_subjects=n_subjects, condition_s=180.0)

    def write_shared(self, folder: Path) -> tuple[Path, ...]:
        """The label table of all subjects."""
        rows = ["subject,condition,protocol_name,label,start_s,end_s,duration_s"]
        for index in range(self.n_subjects):
            for name, start_s in self.starts_s(index).items():
                end_s = start_s + self.condition_s
                row = (f"S{index + 2}", name, name, CONDITIONS[name][0], start_s, end_s, self.condition_s)
                rows.append(",".join(map(str, row)))
        path = folder / "labels.csv"
        write_atomically(path, "\n".join(rows) + "\n")
        return (path,)

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """The signal files of one subject."""
        sensors = [name for name in RATES_HZ if name != "TEMP" or index not in self.without_temperature]
        paths = []
        for sensor in sensors:
            suffix = ".csv.gz" if self.compressed else ".csv"
            path = folder / f"S{index + 2}" / f"{sensor}{suffix}"
            head = [f"{START_UTC + index * DAY_S:.6f}", f"{RATES_HZ[sensor]:.6f}"]
            text = "\n".join([*head, *(f"{value:.6g}" for value in self.samples(index, sensor))]) + "\n"
            # mtime 0: the same arguments give the same bytes
            content = gzip.compress(text.encode(), mtime=0) if self.compressed else text.encode()
            with atomic_path(path) as part:
                part.write_bytes(content)
            paths.append(path)
        return tuple(paths)

    def starts_s(self, index: int) -> dict[str, float]:
        """Start of each condition of one subject, in the order of the protocol."""
        order = list(CONDITIONS)
        if index % 2:
            order[1], order[2] = order[2], order[1]
        return {name: GAP_S + place * (self.condition_s + GAP_S) for place, name in enumerate(order)}

    def samples(self, index: int, sensor: str) -> np.ndarray:
        """All samples of one sensor, gaps between the conditions included."""
        rng = self.stream(index, sensor)
        who = Person.drawn(self.stream(index, "person"), 1)
        pieces = []
        for name, start_s in self.starts_s(index).items():
            for state, from_s, seconds in (
                (State(), start_s - GAP_S, GAP_S),
                (State(self.strength * CONDITIONS[name][1]), start_s, self.condition_s),
            ):
                clock = Clock(round(seconds * RATES_HZ[sensor]), RATES_HZ[sensor], from_s)
                pieces.append(_sensor(sensor, rng, who, state, clock))
        return np.concatenate(pieces)


def _sensor(sensor: str, rng: np.random.Generator, who: Person, state: State, clock: Clock) -> np.ndarray:
    match sensor:
        case "BVP":
            return bvp(rng, who, state, clock)
        case "EDA":
            return eda(rng, who, state, clock)
        case _:
            return temperature(rng, who, state, clock)
