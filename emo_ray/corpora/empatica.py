"""Empatica E4 folders with a table of labelled stretches: WESAD (wrist), Stress-Predict, or one's own.

A subject is a folder that holds ``BVP.csv``, ``EDA.csv`` or ``TEMP.csv``, plain or with ``.gz`` behind; row 1
is the start in unix seconds, row 2 the rate in Hz, then one sample a row. Nothing is filtered or resampled.
"""

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from emo_ray.corpora.base import CorpusCard, CorpusConfig
from emo_ray.corpora.corpus_files import check_inside
from emo_ray.corpora.declared import Declaration, DeclaredRating, DeclaredSignal
from emo_ray.corpora.e4_files import SENSOR_FILES, E4File, read_e4_file
from emo_ray.corpora.label_table import (
    LabelRows,
    LabelTable,
    Stretch,
    SubjectLabels,
    label_text,
    read_label_table,
)
from emo_ray.corpora.natural_order import natural_key
from emo_ray.corpora.recording import Recording, RejectedTrial, Signal, SubjectRecordings
from emo_ray.errors import CorpusError
from emo_ray.tasks.base import TaskConfig
from emo_ray.tasks.classes import ClassTask

SENSOR_FILE_NAME = re.compile(r"(BVP|EDA|TEMP)\.csv(\.gz)?")
SAME_TIME_S = 1e-6  # to which a label table is read; a sum of such times in double precision errs by less
WORTH_A_NOTE_S = 1.0  # label tables are good to about a second
EVERY_TRIAL = "(all)"  # in place of a trial, where all of a subject is rejected

Source = Literal["own", "wesad", "stress_predict"]
FIRST_LINE_BYTES = 4096  # of a label table that is only looked at
# What every E4 exports; subjects may lack a sensor.
E4_SIGNALS = {
    "bvp": DeclaredSignal(("BVP",), (64.0,), "arbitrary", may_lack=True),
    "eda": DeclaredSignal(("EDA",), (4.0,), "uS", may_lack=True),
    "temp": DeclaredSignal(("TEMP",), (4.0,), "degC", may_lack=True),
}
DECLARATIONS: Mapping[Source, Declaration] = {
    "own": Declaration(),
    "wesad": Declaration(
        n_subjects=15,
        sessions=("1",),
        n_trials=3,
        signals=E4_SIGNALS,
        ratings={"label": DeclaredRating(1.0, 3.0, "baseline, stress, amusement")},
    ),
    "stress_predict": Declaration(
        n_subjects=35,
        sessions=("1",),
        signals=E4_SIGNALS,
        ratings={"label": DeclaredRating(0.0, 1.0, "rest, stress")},
    ),
}

CARDS: Mapping[Source, CorpusCard] = {
    "own": CorpusCard(
        title="Empatica E4 folders with a label table",
        licence="that of the corpus in the folder",
        citation="that of the corpus in the folder",
        doi="",
        access="a folder of your own",
    ),
    "wesad": CorpusCard(
        title="WESAD, a multimodal dataset for wearable stress and affect detection (wrist signals)",
        licence=(
            "said to be CC BY 4.0 at UCI, a page not seen by us; the authors' readme states none and asks to "
            "cite; some call it scientific and non-commercial: treat as CC BY 4.0 with attribution, and look "
            "at the UCI page before publishing outside"
        ),
        citation="Schmidt, Reiss, Duerichen, Marberger & Van Laerhoven (2018), ICMI, 400-408",
        doi="10.1145/3242969.3242985",
        access="UCI Machine Learning Repository, dataset 465, doi 10.24432/C57K5T",
    ),
    "stress_predict": CorpusCard(
        title="Stress-Predict Dataset",
        licence="MIT, Copyright (c) 2022 Talha Iqbal, by the LICENSE in the authors' repository",
        citation="Iqbal, Simpkin, Roshan et al. (2022), Sensors 22(21), 8135",
        doi="10.3390/s22218135",
        access="github.com/italha-d/Stress-Predict-Dataset",
    ),
}


class EmpaticaFolders(CorpusConfig):
    """E4 exports in a folder a subject, and a csv table that says which seconds carry which label.

    One recording is one labelled stretch, cut from each file by that file's own clock; its clip is the
    condition. A stretch without signal, without a proper start, end or label, or over another one is
    rejected; so is all of a subject whose folder or labels are missing.
    """

    kind: Literal["empatica"] = "empatica"
    name: str = Field(
        "empatica",
        pattern=r"^[A-Za-z0-9_.-]+$",
        description='put before subject names: "wesad" gives "wesad/S2"',
    )
    source: Source = Field("own", description="whose licence and citation the report gives")
    labels: LabelTable = Field(default_factory=LabelTable, description="the table of labelled stretches")
    keep_labels: tuple[float | str, ...] = Field(
        (), description="labels to read, as written in the table; empty for all"
    )
    label_tasks: Mapping[str, Mapping[str, tuple[float | str, ...]]] = Field(
        default_factory=dict,
        description="tasks by name, each from class name to labels as written in the table; "
        'empty for one task "label" over all labels read',
    )

    @field_validator("keep_labels", mode="before")
    @classmethod
    def _no_truth_values(cls, labels: object) -> object:
        if isinstance(labels, list | tuple) and any(isinstance(label, bool) for label in labels):
            raise ValueError("YAML reads a bare yes or no as true or false: put such labels in quotes")
        return labels

    @model_validator(mode="after")
    def _check_label_tasks(self) -> "EmpaticaFolders":
        """A task may only use labels that are read, and must have two classes or more."""
        kept = {_as_written(label) for label in self.keep_labels}
        for task, classes in self.label_tasks.items():
            used = {_as_written(label) for labels in classes.values() for label in labels}
            if kept and not used <= kept:
                left_out = ", ".join(sorted(used - kept))
                raise ValueError(f"task {task!r} uses labels that keep_labels leaves out: {left_out}")
            if len(classes) < 2:
                raise ValueError(f"task {task!r} needs two classes or more, not {len(classes)}")
        return self

    @property
    def card(self) -> CorpusCard:
        """Of the corpus that ``source`` names."""
        return CARDS[self.source]

    @property
    def declaration(self) -> Declaration:
        """Of the corpus that ``source`` names; empty for one's own."""
        return DECLARATIONS[self.source]

    @classmethod
    def recognise(cls, folder: Path) -> "EmpaticaFolders | None":
        """E4 files beside a ``labels.csv``, whose columns tell the two public corpora."""
        table = folder / LabelTable().file
        if not table.is_file() or not any(map(SENSOR_FILE_NAME.fullmatch, _names_below(folder))):
            return None
        with table.open("rb") as stream:
            line = stream.readline(FIRST_LINE_BYTES).decode("utf-8-sig", "replace")
        columns = {name.strip().strip('"') for name in line.split(",")}
        if not {"subject", "start_s", "end_s", "label"} <= columns:
            return None
        if {"condition", "protocol_name"} <= columns:
            return wesad_wrist(folder)
        if "segment" in columns:
            return stress_predict(folder)
        return cls(path=folder, labels=LabelTable(condition="condition" if "condition" in columns else None))

    def find_subjects(self) -> Mapping[str, tuple[Path, ...]]:
        """Every subject that has a folder or a row of the label table: the table, then the signal files.

        Raises
        ------
        CorpusError : folder, table or signals are missing; a subject has two folders or two files of a kind;
            a link leads out of the folder
        """
        table = self._label_file()
        folders = self._folders()
        labelled = self._label_rows().by_subject
        # A folder without labels and labels without a folder are subjects too: their rejection must be seen.
        names = sorted({*folders, *labelled}, key=natural_key)
        return {f"{self.name}/{name}": (table, *folders.get(name, {}).values()) for name in names}

    def read_subject(self, subject: str) -> SubjectRecordings:
        """One recording a labelled stretch, in time order; the rating ``label`` is the code of the label.

        Raises
        ------
        CorpusError : a signal file is truncated, garbled or has an impossible rate; there is no such subject
        """
        # "wesad/S2" is the folder S2; the table names folders
        own_name = subject.removeprefix(f"{self.name}/")
        files = self._folders().get(own_name, {})
        rows = self._label_rows().by_subject.get(own_name)
        if rows is None and not files:
            raise CorpusError(
                f"{self.path} has no subject {subject!r}: call find_subjects() for those it has"
            )
        if rows is None:
            reason = f"no row of {self.labels.file} has {self.labels.subject} {own_name!r}"
            return SubjectRecordings((), (RejectedTrial(subject, EVERY_TRIAL, reason),))
        if not files:
            reason = (
                f"in {self.labels.file}, but no folder {own_name!r} with BVP, EDA or TEMP below {self.path}"
            )
            return SubjectRecordings((), (RejectedTrial(subject, EVERY_TRIAL, reason),))
        return self._cut(subject, rows, {sensor: read_e4_file(file) for sensor, file in files.items()})

    def tasks(self) -> Mapping[str, TaskConfig]:
        """Those of ``label_tasks``, or one task ``label`` over all labels of the table that are read.

        Raises
        ------
        CorpusError : a task names a label that the table does not have, or the table has less than two
        """
        codes = self._label_rows().codes
        tasks = self.label_tasks or {"label": {text: (text,) for text in codes if self._keeps(text)}}
        if not self.label_tasks and len(tasks["label"]) < 2:
            raise CorpusError(
                f"{self._label_file()} has {len(tasks['label'])} label to learn: "
                "a task needs two, see keep_labels"
            )
        return {name: self._class_task(name, classes, codes) for name, classes in tasks.items()}

    def _class_task(
        self, name: str, classes: Mapping[str, tuple[float | str, ...]], codes: Mapping[str, float]
    ) -> ClassTask:
        """A task from labels as written to codes."""
        unknown = sorted(
            {_as_written(label) for labels in classes.values() for label in labels} - set(codes),
            key=natural_key,
        )
        if unknown:
            raise CorpusError(
                f"task {name!r} uses label {', '.join(unknown)}, which {self._label_file()} does not have; "
                f"it has {', '.join(codes)}"
            )
        return ClassTask(
            classes=tuple(
                (label, tuple(codes[_as_written(code)] for code in written))
                for label, written in classes.items()
            )
        )

    def _keeps(self, label: str) -> bool:
        """Whether a label is to be read."""
        return not self.keep_labels or label in {_as_written(kept) for kept in self.keep_labels}

    def _label_rows(self) -> LabelRows:
        """The label table, which must have every label that is to be kept."""
        rows = read_label_table(self.labels, self._label_file())
        unknown = sorted(
            {_as_written(label) for label in self.keep_labels} - set(rows.codes), key=natural_key
        )
        if unknown:
            raise CorpusError(
                f"keep_labels has {', '.join(unknown)}, which {self._label_file()} does not have; "
                f"it has {', '.join(rows.codes)}"
            )
        return rows

    def _label_file(self) -> Path:
        """The label table, inside the corpus folder."""
        if not self.path.is_dir():
            raise CorpusError(
                f"{self.path} is no folder: set the path of the corpus to the folder with the subjects"
            )
        file = self.path / self.labels.file  # may be a link, so look where it ends
        if not file.resolve().is_relative_to(self.path.resolve()):
            raise CorpusError(f"the label table {file} leads out of {self.path}: put it inside")
        if not file.is_file():
            raise CorpusError(
                f"{self.path} has no label table {self.labels.file!r}: add it or set labels.file"
            )
        return file

    def _folders(self) -> dict[str, dict[str, Path]]:
        """Signal files by subject and modality."""
        folders: dict[str, dict[str, Path]] = {}
        places: dict[str, Path] = {}
        for file in sorted(self.path.rglob("*.csv*")):
            match = SENSOR_FILE_NAME.fullmatch(file.name)
            if match is None:
                continue
            # At any depth: corpora travel flat, in Raw_data, or one folder a zip.
            subject, sensor = file.parent.name, SENSOR_FILES[match[1]].modality
            if places.setdefault(subject, file.parent) != file.parent:
                raise CorpusError(
                    f"subject {subject!r} has two folders, {places[subject]} and {file.parent}: remove one"
                )
            files = folders.setdefault(subject, {})
            if sensor in files:
                raise CorpusError(f"{files[sensor]} and {file.name} are the same sensor twice: remove one")
            check_inside(file, self.path)
            files[sensor] = file
        if not folders:
            raise CorpusError(
                f"{self.path} has no folder with BVP.csv, EDA.csv or TEMP.csv (or .csv.gz): "
                "set the path of the corpus to the folder with the subjects"
            )
        return folders

    def _cut(self, subject: str, rows: SubjectLabels, files: Mapping[str, E4File]) -> SubjectRecordings:
        """Cut all labelled stretches of one subject."""
        kept = [stretch for stretch in rows.stretches if self._keeps(stretch.label)]
        rejected = [RejectedTrial(subject, trial, reason) for trial, reason in rows.rejected]
        notes = []
        if len(kept) < len(rows.stretches):
            others = sorted({s.label for s in rows.stretches if not self._keeps(s.label)}, key=natural_key)
            n_others = len(rows.stretches) - len(kept)
            notes.append(
                f"{subject}: {n_others} stretches with label {', '.join(others)} not read (keep_labels)"
            )
        recordings = []
        zero_s = self._zero_s(files)
        for stretch in kept:
            signals = {} if zero_s is None else cut_signals(stretch, zero_s, files)
            if signals:
                recordings.append(_recording(subject, stretch, signals))
                notes += _short_signals(subject, stretch, signals)
            else:
                rejected.append(RejectedTrial(subject, stretch.trial, _why_no_signal(stretch, zero_s, files)))
        return SubjectRecordings(tuple(recordings), tuple(rejected), tuple(notes))

    def _zero_s(self, files: Mapping[str, E4File]) -> float | None:
        """Unix seconds at which the clock of the label table reads 0; None if that is not known."""
        if self.labels.clock == "unix":
            return 0.0
        return files["bvp"].start_s if "bvp" in files else None


def _names_below(folder: Path) -> Iterator[str]:
    return (file.name for file in folder.rglob("*.csv*"))


def wesad_wrist(path: Path) -> EmpaticaFolders:
    """The wrist signals of WESAD, 15 subjects: baseline, stress and amusement, no meditation and reading.

    Parameters
    ----------
    path : folder with S2 .. S17 and ``labels.csv``, its clock in seconds since the first BVP sample

    References
    ----------
    Schmidt, Reiss, Duerichen, Marberger & Van Laerhoven (2018), "Introducing WESAD, a multimodal dataset for
    wearable stress and affect detection", ICMI, 400-408, doi 10.1145/3242969.3242985.
    """
    return EmpaticaFolders(
        path=path,
        name="wesad",
        source="wesad",
        labels=LabelTable(condition="condition", trial="protocol_name"),
        keep_labels=(1, 2, 3),  # 4 is meditation, 5 to 7 are readings between the conditions
        label_tasks={
            "three_classes": {"baseline": (1,), "stress": (2,), "amusement": (3,)},
            "stress": {"no_stress": (1, 3), "stress": (2,)},
        },
    )


def stress_predict(path: Path) -> EmpaticaFolders:
    """Stress-Predict: three stressors against rest, 34 labelled subjects of 35.

    Parameters
    ----------
    path : folder with ``Raw_data`` and ``labels.csv``, its clock in seconds since the first BVP sample

    References
    ----------
    Iqbal, Simpkin, Roshan et al. (2022), "Stress monitoring using wearable sensors: a pilot study and
    Stress-Predict dataset", Sensors 22(21), 8135, doi 10.3390/s22218135.
    """
    return EmpaticaFolders(
        path=path,
        name="stress_predict",
        source="stress_predict",
        labels=LabelTable(condition="segment"),
        label_tasks={"stress": {"rest": (0,), "stress": (1,)}},
    )


def cut_signals(stretch: Stretch, zero_s: float, files: Mapping[str, E4File]) -> dict[str, Signal]:
    """The samples of every file that lie in a stretch; a file that has none there is left out.

    A stretch begins with the first sample at or after its start, and has all the samples that its seconds
    hold, both to within a microsecond: the difference of 64.1 and 4.1 in double precision is a hair less
    than 60 s, and without that tolerance a sample, and with it a segment of a minute, would be lost.

    WESAD so has 578, 322 and 177 segments of a minute (baseline, stress, amusement), 1,077 in all. The README
    beside these recordings counts 1,075: its rule had no tolerance, and two baselines of 1,200 s, of S6
    and S14, are 2e-13 s short in double precision, so that each lost its last segment.

    Parameters
    ----------
    stretch : its seconds on the clock of the table
    zero_s : unix seconds at which that clock reads 0
    files : by modality
    """
    signals = {}
    for modality, file in files.items():
        start_s = stretch.start_s - (file.start_s - zero_s)  # on the clock of this file
        begin = math.ceil((start_s - SAME_TIME_S) * file.sfreq)
        stop = begin + math.floor((stretch.end_s - stretch.start_s + SAME_TIME_S) * file.sfreq)
        first = max(begin, 0)  # the file may start after the stretch does
        values = file.values[first : max(stop, 0)]
        if values.size:
            # seconds into the stretch; less than a sample unless the file starts late
            offset_s = max(first / file.sfreq - start_s, 0.0)
            # channels times: one channel a sensor
            signals[modality] = Signal(values[None], file.sfreq, file.unit, (modality.upper(),), offset_s)
    return signals


def _recording(subject: str, stretch: Stretch, signals: Mapping[str, Signal]) -> Recording:
    """The recording of one stretch."""
    return Recording(
        subject=subject,
        session="1",  # an export is one sitting
        trial=stretch.trial,
        clip=stretch.condition,  # the condition is what all subjects went through alike
        group=subject,  # one wrist at a time
        signals=signals,
        ratings={"label": stretch.code},
        start_s=stretch.start_s,
    )


def _short_signals(subject: str, stretch: Stretch, signals: Mapping[str, Signal]) -> list[str]:
    """A note for every signal that does not reach from one end of a stretch to the other."""
    notes = []
    length_s = stretch.end_s - stretch.start_s
    for modality, signal in signals.items():
        missing_s = length_s - signal.values.shape[1] / signal.sfreq
        if missing_s > WORTH_A_NOTE_S:
            notes.append(
                f"{subject}, {stretch.trial}: {modality} lacks {missing_s:.1f} s of {length_s:.1f} s"
            )
    return notes


def _why_no_signal(stretch: Stretch, zero_s: float | None, files: Mapping[str, E4File]) -> str:
    """Why a stretch has no signal at all, and what to do."""
    if zero_s is None:
        return (
            "no BVP file, whose first sample is second 0 of the label table: "
            "give unix times (labels.clock: unix)"
        )
    spans = ", ".join(
        f"{modality} {file.start_s - zero_s:.1f}-{file.end_s - zero_s:.1f} s"
        for modality, file in files.items()
    )
    return (
        f"{stretch.start_s:.1f}-{stretch.end_s:.1f} s lies outside the recording ({spans}): "
        "check labels.clock and the table"
    )


def _as_written(label: float | str) -> str:
    """A label as the table's key for it."""
    return label_text(str(label))
