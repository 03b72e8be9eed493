"""Files in the layout of WESAD, made on the spot: a pickle and a questionnaire a subject."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from emo_ray.corpora.wesad import SENSORS, SUBJECTS, Sensor
from emo_ray.files import atomic_path, write_atomically
from emo_ray.testing import body_signals
from emo_ray.testing.body_signals import Clock, Person, State
from emo_ray.testing.corpus_files import CorpusFiles
from emo_ray.testing.python2_pickle import write_python2_pickle

# Code of the label, name in the questionnaire, and how it feels.
STATES = {
    0: State(),
    1: State(arousal=-0.2, valence=0.1),
    2: State(arousal=1.0, valence=-0.8),
    3: State(arousal=0.2, valence=0.9),
    4: State(arousal=-0.8, valence=0.4),
}
NAMES = {1: "Base", 2: "TSST", 3: "Fun", 4: "Medi", 5: "bRead", 6: "sRead", 7: "fRead"}
READING_AFTER = {1: 5, 2: 6, 3: 7}
CROPPED_S = 131  # the pickle starts so much after the questionnaire's clock
LEFT_OUT_S = 10  # at each end of a condition, between questionnaire and label
QUEST_CELLS = 26


class WesadFiles(CorpusFiles):
    """``S2/S2.pkl`` and ``S2/S2_quest.csv``, for up to 15 subjects.

    As released, a pickle of protocol 2 has 270 MB; protocol 0, Python 2's default, about three times that.
    """

    n_subjects: int = Field(len(SUBJECTS), ge=1, le=len(SUBJECTS), description="people")
    baseline_s: int = Field(1144, ge=1)
    stress_s: int = Field(615, ge=1)
    amusement_s: int = Field(372, ge=1)
    meditation_s: int = Field(400, ge=1)
    reading_s: int = Field(85, ge=0, description="seconds of each stretch that is to be ignored")
    gap_s: int = Field(300, ge=0, description="seconds of label 0 before and after each condition")
    protocol: Literal[0, 2] = Field(2, description="of the pickle")
    wrist_ends_early: tuple[str, ...] = Field(("S3",), description="one sample of each wrist sensor less")
    with_quest: bool = True

    @classmethod
    def small(cls, n_subjects: int = 3) -> "WesadFiles":
        """Conditions of a little over a minute, the length of a default segment; 16 MB a person."""
        return cls(
            n_subjects=n_subjects,
            baseline_s=76,
            stress_s=76,
            amusement_s=76,
            meditation_s=62,
            reading_s=2,
            gap_s=1,
        )

    def write_part(self, index: int, folder: Path) -> tuple[Path, ...]:
        """The folder of one subject."""
        name = SUBJECTS[index]
        signal: dict[str, dict[str, np.ndarray]] = {"chest": {}, "wrist": {}}
        for sensor in SENSORS:
            values = self._values(index, sensor)
            early = sensor.device == "wrist" and name in self.wrist_ends_early
            signal[sensor.device][sensor.key] = values[:-1] if early else values
        lengths = self.runs(index)
        label = np.repeat([code for code, _ in lengths], [700 * seconds for _, seconds in lengths])
        files = [folder / name / f"{name}.pkl"]
        with atomic_path(files[0]) as part, part.open("wb") as target:
            content = {"subject": name, "signal": signal, "label": label.astype(np.int32)}
            write_python2_pickle(content, target, self.protocol)
        if self.with_quest:
            files.append(folder / name / f"{name}_quest.csv")
            write_atomically(files[1], self.quest(index))
        return tuple(files)

    def runs(self, index: int) -> list[tuple[int, int]]:
        """Code and seconds of each stretch: the order of stress and amusement alternates between subjects."""
        seconds = {1: self.baseline_s, 2: self.stress_s, 3: self.amusement_s, 4: self.meditation_s}
        first, second = (2, 3) if index % 2 == 0 else (3, 2)
        found = [(0, self.gap_s)]
        for code in (1, first, 4, second, 4):
            found += [(code, seconds[code]), (0, self.gap_s)]
            if code in READING_AFTER:
                found += [(READING_AFTER[code], self.reading_s), (0, self.gap_s)]
        return [(code, length) for code, length in found if length]

    def quest(self, index: int) -> str:
        """The questionnaire: times in minutes.seconds without a last zero, answers after every condition."""
        rng = self.stream("quest", index)
        named: list[tuple[int, int, int]] = []  # code, start, end
        reading: list[tuple[int, int, int]] = []
        start = CROPPED_S
        for code, length in self.runs(index):
            entry = (code, start - LEFT_OUT_S, start + length + LEFT_OUT_S)
            if code:
                (reading if code in READING_AFTER.values() else named).append(entry)
            start += length
        rows = [["# Subj", SUBJECTS[index]], ["# ORDER", *_names([code for code, _, _ in named + reading])]]
        rows += [["# START", *(_time(start) for _, start, _ in named + reading)]]
        rows += [["# END", *(_time(end) for _, _, end in named + reading)], []]
        codes = [code for code, _, _ in named]
        rows += [["# PANAS", *map(str, rng.integers(1, 6, 26 if code == 2 else 24))] for code in codes]
        rows += [[], *(["# STAI", *map(str, rng.integers(1, 5, 6))] for _ in codes), []]
        rows += [["# DIM", *_manikin(STATES[code])] for code in codes]
        rows += [[], ["# SSSQ", *map(str, rng.integers(1, 6, 6))]]
        return "".join(";".join([*row, *[""] * (QUEST_CELLS - len(row))]) + "\n" for row in rows)

    def _values(self, index: int, sensor: Sensor) -> Float[np.ndarray, "times channels"]:
        """One sensor over the whole day, stretch by stretch."""
        rng = self.stream("signals", index, sensor.device, sensor.key)
        who = Person.drawn(self.stream("person", index), 1)
        parts, start_s = [], 0.0
        for code, seconds in self.runs(index):
            felt = STATES.get(code, STATES[0])
            state = State(felt.arousal * self.strength, felt.valence * self.strength)
            clock = Clock(round(seconds * sensor.sfreq), sensor.sfreq, start_s)
            start_s += seconds
            parts.append(MAKERS[sensor.modality](rng, who, state, clock))
        values = np.concatenate(parts, axis=-1).reshape(len(sensor.channels), -1).T
        scale = 64.0 if sensor.unit == "1/64 g" else 1.0
        # as released: chest temperature is the one in single precision
        kind = np.float32 if sensor.key == "Temp" else np.float64
        return np.ascontiguousarray(values * scale, dtype=kind)


def _acceleration(rng: np.random.Generator, who: Person, state: State, clock: Clock) -> np.ndarray:
    """Gravity and restlessness, in g."""
    found: np.ndarray = 0.02 * np.exp(0.3 * state.arousal) * rng.standard_normal((3, clock.n_times))
    found += np.array([0.1, -0.2, 0.97])[:, None]
    return found


Maker = Callable[[np.random.Generator, Person, State, Clock], np.ndarray]
MAKERS: dict[str, Maker] = {
    "ecg": body_signals.ecg,
    "emg": lambda rng, who, state, clock: body_signals.emg(rng, state, clock) / 1e3,  # mV
    "eda": body_signals.eda,
    "temp": body_signals.temperature,
    "resp": body_signals.respiration,
    "bvp": body_signals.bvp,
    "acc": _acceleration,
}


def _names(codes: list[int]) -> list[str]:
    """Meditations are numbered."""
    numbers = iter(("1", "2"))
    return [f"{NAMES[code]} {next(numbers)}" if code == 4 else NAMES[code] for code in codes]


def _time(seconds: int) -> str:
    """``"50.3"`` for 50 min 30 s, as a spreadsheet leaves it."""
    text = f"{seconds // 60}.{seconds % 60:02d}"
    return text.rstrip("0").rstrip(".")


def _manikin(state: State) -> tuple[str, str]:
    """Valence and arousal from 1 to 9."""
    return str(round(5 + 4 * state.valence)), str(round(5 + 4 * state.arousal))
