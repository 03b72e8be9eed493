"""A trained model as a folder of JSON and safetensors: no pickle, and every part under a checksum."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from jaxtyping import Float32
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from emo_ray.config_errors import explain
from emo_ray.corpora.base import PLACES
from emo_ray.errors import ConfigError
from emo_ray.experiment import ExperimentConfig, validated
from emo_ray.extraction.base import Modality
from emo_ray.files import sync_folder, text_digest, write_atomically
from emo_ray.tasks.base import HeadKind
from emo_ray.training.data import Affine

FORMAT = 1
MANIFEST = "package.json"
PARTS = (
    "experiment.json",
    "description.json",
    "lineage.json",
    "example.json",
    "scaler.safetensors",
    "weights.safetensors",
)
"""The only names that are ever opened: none is taken from a file."""

MAX_JSON_BYTES = 64 << 20
MAX_TENSOR_BYTES = 8 << 30
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
NO_SCORE = "no study speaks for these settings: how well they do on a new person is not known"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Checksum(_Part):
    """What a part must be, to be read."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    n_bytes: int = Field(ge=0)


class Manifest(_Part):
    """The first file that is read: which format, which model, what the parts must hash to."""

    format: int
    name: str = Field(pattern=NAME)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{32}$", description="of the training: equal for equal models")
    parts: dict[Literal[PARTS], Checksum]  # type: ignore[valid-type]

    @field_validator("parts")
    @classmethod
    def _all_of_them(cls, parts: dict[str, Checksum]) -> dict[str, Checksum]:
        lacking = sorted(set(PARTS) - set(parts))
        if lacking:
            raise ValueError(f"lacks {', '.join(lacking)}")
        return parts


class SignalFacts(_Part):
    """A signal as the model was trained on it."""

    unit: str
    channels: tuple[str, ...]
    sfreq: float = Field(gt=0, description="Hz")
    other_rates: tuple[float, ...] = Field((), description="Hz; where data sets were trained on together")


class ModalityFacts(_Part):
    """A modality as extraction makes it."""

    name: str
    n_tokens: int = Field(ge=1, le=1_000_000)
    features: tuple[str, ...]

    @property
    def modality(self) -> Modality:
        """The same as extraction's own kind of value."""
        return Modality(self.name, self.n_tokens, self.features)


class HeadFacts(_Part):
    """What a head puts out."""

    name: str
    kind: HeadKind
    classes: tuple[str, ...] = ()
    unit: str = Field(description="of what `predict` gives")


class Description(_Part):
    """What goes in, what comes out, and the numbers between them that are no weights."""

    heads: tuple[HeadFacts, ...]
    modalities: tuple[ModalityFacts, ...]
    signals: dict[str, SignalFacts]
    target_mean: dict[str, float]
    target_sd: dict[str, float]
    thresholds: dict[str, float] = Field(description="probability from which an event is called")


class StudyScore(_Part):
    """The primary score of the study that the settings come from."""

    metric: str
    mean: float | None
    low: float | None = None
    high: float | None = None
    n_subjects: int = 0


class Lineage(_Part):
    """Where a model comes from, and what is known of how well it does."""

    subjects: tuple[str, ...] = Field(description="everybody whose data trained it")
    n_segments: int
    keys_digest: str = Field(description="of the content addresses of their features")
    source: str = Field(description="where the settings come from, in words")
    study: str = ""
    settings_seen: tuple[str, ...] = Field((), description="whose data chose settings, epochs or thresholds")
    n_epochs: int
    scores: tuple[StudyScore, ...] = ()
    meaning: str = Field(NO_SCORE, description="what the scores say of this model")
    weights_digest: str
    n_parameters: int
    feature_code: str = Field(description="digest of the code that made the features")
    git: dict[str, str | bool] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    workers: int = Field(1, description="workers that trained it together")


@dataclass(frozen=True)
class PackageContent:
    """All that a package says, before it is written or after it was read.

    Attributes
    ----------
    affine : standardisation by the training people; None where each person is standardised by itself
    weights : safetensors bytes
    example : a short made-up request in the shape of a real one
    """

    name: str
    fingerprint: str
    experiment: ExperimentConfig
    description: Description
    lineage: Lineage
    affine: Affine | None
    weights: bytes
    example: Mapping[str, Any]

    @property
    def is_transductive(self) -> bool:
        """Whether a person is standardised by its own recordings."""
        return self.affine is None


def write_package(content: PackageContent, folder: Path) -> None:
    """Write a package; the folder is there whole or not at all, and replaces an older one.

    Raises
    ------
    ConfigError : the place can not be written
    """
    parts = _parts_of(content)
    checksums = {
        name: Checksum(sha256=_digest(data), n_bytes=len(data)).model_dump() for name, data in parts.items()
    }
    manifest = {"format": FORMAT, "name": content.name, "fingerprint": content.fingerprint}
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside the target: a rename is one step within a file system only.
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        for name, data in parts.items():
            write_atomically(draft / name, data)
        write_atomically(draft / MANIFEST, _to_json({**manifest, "parts": checksums}))
        draft.chmod(0o755)  # colleagues read it as they read any other folder
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        raise ConfigError(
            f"can not write the model to {folder} ({error.strerror or error}): what was trained is kept; "
            "make room, or the folder writable, and give the same command again"
        ) from error


def is_package(folder: Path) -> bool:
    """Whether a folder looks like a package."""
    return (folder / MANIFEST).is_file()


def read_package(folder: Path) -> PackageContent:
    """Read and check a package; nothing in it is executed, and no path in it is followed.

    Raises
    ------
    ConfigError : it is no package, of another format, damaged, or says what can not be
    """
    manifest = _manifest(folder)
    parts = {name: _checked(folder / name, manifest.parts[name]) for name in PARTS}
    arrays = _arrays(parts["scaler.safetensors"], folder)
    description = _model(Description, parts, "description.json", folder)
    content = PackageContent(
        name=manifest.name,
        fingerprint=manifest.fingerprint,
        experiment=_experiment(_plain(parts["experiment.json"], folder), folder),
        description=description,
        lineage=_model(Lineage, parts, "lineage.json", folder),
        affine=_affine(arrays, description, folder) if arrays else None,
        weights=parts["weights.safetensors"],
        example=_plain(parts["example.json"], folder),
    )
    if content.is_transductive != (content.experiment.scaling == "transductive"):
        raise ConfigError(
            f"{folder}: scaling is {content.experiment.scaling}, but its scaler says otherwise: damaged"
        )
    return content


def _parts_of(content: PackageContent) -> dict[str, bytes]:
    arrays: dict[str, np.ndarray] = {}
    if content.affine is not None:
        for side, rows in (("shift", content.affine.shift), ("scale", content.affine.scale)):
            arrays |= {f"{side}/{name}": np.ascontiguousarray(values) for name, values in rows.items()}
    return {
        "experiment.json": _to_json(content.experiment.identity()),
        "description.json": _to_json(content.description.model_dump(mode="json")),
        "lineage.json": _to_json(content.lineage.model_dump(mode="json")),
        "example.json": json.dumps(content.example, allow_nan=False).encode(),
        "scaler.safetensors": save_arrays(arrays),
        "weights.safetensors": content.weights,
    }


def _to_json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2, allow_nan=False).encode()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not path.is_file():
        raise ConfigError(f"{folder} holds no model: name the folder that has {MANIFEST} in it")
    content = _plain(_read(path, MAX_JSON_BYTES), folder)
    if content.get("format") != FORMAT:
        raise ConfigError(
            f"{folder} is a model of format {content.get('format')!r}, and this emo_ray reads format "
            f"{FORMAT}: use the version of emo_ray that wrote it, or train it again"
        )
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise ConfigError(explain(error, Manifest, str(path))) from error


def _checked(path: Path, expected: Checksum) -> bytes:
    data = _read(path, MAX_JSON_BYTES if path.suffix == ".json" else MAX_TENSOR_BYTES)
    if _digest(data) != expected.sha256:
        raise ConfigError(
            f"{path} is not what was written ({len(data)} bytes, expected {expected.n_bytes}): the copy is "
            "damaged; copy the model again"
        )
    return data


def _read(path: Path, limit: int) -> bytes:
    """A regular file of the folder itself, no link, of a size that a model may have."""
    try:
        # O_NOFOLLOW: in a model of somebody else's, a link could name any file of this machine.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            if not path.is_file():
                raise ConfigError(f"{path} is no file: the model is damaged")
            n_bytes = os.fstat(stream.fileno()).st_size
            if n_bytes > limit:
                raise ConfigError(f"{path} has {n_bytes} bytes, more than a model's part may have ({limit})")
            return stream.read(limit)
    except OSError as error:
        raise ConfigError(
            f"{path} can not be read ({error.strerror or error}): the model is incomplete; copy it again"
        ) from error


def _plain(data: bytes, folder: Path) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{folder}: a part is no JSON ({error}): the model is damaged") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{folder}: a part is {type(content).__name__}, not an object: damaged")
    return content


T = TypeVar("T", bound=BaseModel)


def _model(kind: type[T], parts: Mapping[str, bytes], name: str, folder: Path) -> T:
    try:
        return kind.model_validate(_plain(parts[name], folder))
    except ValidationError as error:
        raise ConfigError(explain(error, kind, f"{folder / name}")) from error


def _experiment(content: dict[str, Any], folder: Path) -> ExperimentConfig:
    """The experiment; where the training files lay is not in it, so whoever reads with it says where."""
    corpus = content.get("corpus")
    if not isinstance(corpus, dict) or PLACES & corpus.keys():
        raise ConfigError(f"{folder}: experiment.json names no corpus, or a folder of one: damaged")
    try:
        return validated({**content, "corpus": {**corpus, "path": "."}})
    except ConfigError as error:
        raise ConfigError(
            f"{folder}: its settings do not fit this version of emo_ray: {error}\nuse the version that it "
            "was trained with (lineage.json), or train it again"
        ) from error


def _arrays(data: bytes, folder: Path) -> dict[str, np.ndarray]:
    try:
        return dict(load_arrays(data))
    except (SafetensorError, KeyError, ValueError) as error:
        raise ConfigError(f"{folder}: scaler.safetensors can not be read ({error}): damaged") from error


def _affine(arrays: Mapping[str, np.ndarray], description: Description, folder: Path) -> Affine:
    sides: dict[str, dict[str, Float32[np.ndarray, "_ _"]]] = {"shift": {}, "scale": {}}
    for item in description.modalities:
        for side, found in sides.items():
            values = arrays.get(f"{side}/{item.name}")
            expected = (1, len(item.features))
            if values is None or values.shape != expected or values.dtype != np.float32:
                raise ConfigError(f"{folder}: the {side} of {item.name!r} is not {expected} float32: damaged")
            found[item.name] = values
    return Affine(sides["shift"], sides["scale"])


def package_fingerprint(spec_fingerprint: str, thresholds: Mapping[str, float], source: str) -> str:
    """Names a model: its training, and what stands beside its weights."""
    beside = json.dumps([spec_fingerprint, FORMAT, dict(sorted(thresholds.items())), source])
    return text_digest(beside)[:32]
