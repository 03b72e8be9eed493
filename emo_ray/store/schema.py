"""The Arrow schema of a stored subject, and its metadata: what made the file."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from emo_ray.corpora.recording import RejectedTrial
from emo_ray.extraction.base import Modality
from emo_ray.signals.signature import Signature
from emo_ray.store.moments import Moments

# A file of another format counts as missing, and its subject is computed again.
FORMAT = "emo_ray.segments/3"
_METADATA = b"emo_ray"
_SIGNATURES = b"emo_ray.signatures"
TEXT_COLUMNS = ("session", "trial", "clip")


@dataclass(frozen=True)
class StoredSubject:
    """What stands in the metadata of a stored subject beside its rows.

    ``key`` is the content address: digest of corpus files, corpus and extraction configuration, and code.
    """

    key: str
    subject: str
    group: str
    modalities: tuple[Modality, ...]
    moments: Mapping[str, Moments]
    rejected: tuple[RejectedTrial, ...] = ()
    notes: tuple[str, ...] = ()
    signatures: tuple[Signature, ...] = ()


def schema_of(modalities: Sequence[Modality], ratings: Sequence[str]) -> pa.Schema:
    """Columns of a stored subject; units are those that the features' names and docs state."""
    fields = [pa.field(name, pa.dictionary(pa.int32(), pa.string())) for name in TEXT_COLUMNS]
    fields += [
        pa.field("index", pa.int32()),
        pa.field("start_s", pa.float32()),
        pa.field("session_s", pa.float32()),
    ]
    fields += [pa.field(f"rating/{name}", pa.float32()) for name in ratings]
    for modality in modalities:
        size = modality.n_tokens * modality.n_features
        fields.append(pa.field(f"values/{modality.name}", pa.list_(pa.float32(), size)))
        # Bytes, not Arrow's bits: numpy reads them without unpacking.
        fields.append(pa.field(f"mask/{modality.name}", pa.list_(pa.uint8(), modality.n_tokens)))
    return pa.schema(fields)


def to_metadata(stored: StoredSubject) -> dict[bytes, bytes]:
    """Schema metadata of a Parquet file: JSON, whose floats read back exactly."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "key": stored.key,
        "subject": stored.subject,
        "group": stored.group,
        "modalities": [asdict(modality) for modality in stored.modalities],
        "moments": {name: _moments_to_json(part) for name, part in stored.moments.items()},
        "rejected": [asdict(trial) for trial in stored.rejected],
        "notes": list(stored.notes),
    }
    return {
        _METADATA: json.dumps(content, allow_nan=False).encode(),
        _SIGNATURES: json.dumps([_signature_to_json(one) for one in stored.signatures]).encode(),
    }


def from_metadata(metadata: Mapping[bytes, bytes] | None) -> StoredSubject | None:
    """The metadata of a stored subject; None where a file is not one of ours or of another format."""
    try:
        given = metadata or {}
        content = json.loads(given[_METADATA])
        if content["format"] != FORMAT:
            return None
        return StoredSubject(
            key=content["key"],
            subject=content["subject"],
            group=content["group"],
            modalities=tuple(
                Modality(item["name"], item["n_tokens"], tuple(item["features"]))
                for item in content["modalities"]
            ),
            moments={name: _moments_from_json(part) for name, part in content["moments"].items()},
            rejected=tuple(RejectedTrial(**trial) for trial in content["rejected"]),
            notes=tuple(content["notes"]),
            signatures=tuple(_signature_from_json(one) for one in json.loads(given[_SIGNATURES])),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _moments_to_json(moments: Moments) -> dict[str, list[float]]:
    return {"count": moments.count.tolist(), "mean": moments.mean.tolist(), "m2": moments.m2.tolist()}


def _moments_from_json(content: Mapping[str, list[float]]) -> Moments:
    return Moments(*(np.asarray(content[name], dtype=np.float64) for name in ("count", "mean", "m2")))


def _signature_to_json(signature: Signature) -> dict[str, Any]:
    return {
        "name": signature.name,
        "probe_s": signature.probe_s,
        "rate_hz": signature.rate_hz,
        "starts": signature.starts.tolist(),
        # Text, for not all readers of Parquet take other bytes in metadata.
        "samples": base64.b64encode(signature.samples.tobytes()).decode(),
    }


def _signature_from_json(content: Mapping[str, Any]) -> Signature:
    samples = np.frombuffer(base64.b64decode(content["samples"]), dtype=np.int8)
    return Signature(
        name=content["name"],
        probe_s=content["probe_s"],
        rate_hz=content["rate_hz"],
        starts=np.asarray(content["starts"], dtype=np.int64),
        samples=samples.reshape(-1, 2),
    )
