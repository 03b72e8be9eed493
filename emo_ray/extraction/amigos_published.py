"""AMIGOS as the published LSTM was given it, flaws included; to reproduce its numbers, never for a result."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Bool, Float, Float32, Float64
from pydantic import Field

from emo_ray.corpora.amigos import VIDEOS
from emo_ray.corpora.recording import Recording, RejectedTrial, Signal
from emo_ray.errors import ConfigError
from emo_ray.extraction.annotated import annotated_ratings
from emo_ray.extraction.base import ExtractionConfig, Modality, SegmentRows
from emo_ray.extraction.segment_rows import rejected_rows
from emo_ray.signals.filters import Band
from emo_ray.tasks.affect import AROUSAL, PLACE_IN_FILE, VALENCE

BAND = Band(0.5, 45.0)  # Hz, as designed; at 128 Hz it is 0.63 to 56.5
DESIGN_SFREQ = 102.0  # Hz; the recordings have 128
ORDER = 4  # of one pass
CLIP_SD = 4.0
PAD_TIMES = 3 * (2 * ORDER + 1)  # how far `scipy.signal.filtfilt` reflects such a filter's ends
PLACES = {video: place for place, video in enumerate(VIDEOS)}


class AmigosPublished(ExtractionConfig):
    """The published preprocessing of AMIGOS, step by step; needs the corpus with ``ecg_lead="both"``.

    What is wrong with it, all of it kept:

    - The whole recording, its 5 s of baseline included, is cut into as many equal parts as it has labels, and
      the labels are of overlapping segments of 20 s: a part begins up to 19 s before or 15 s after them.
    - EEG passes a zero-phase Butterworth filter of 0.5 to 45 Hz that was designed for 102 Hz, in each part by
      itself; at 128 Hz it passes 0.63 to 56.5 Hz.
    - ECG (its right lead), and what is called GSR but is the left lead of the ECG, are clipped at 4 sd.
    - Each part is z-scored channel by channel: level and amplitude are gone.
    - The first 2,048 samples are kept. A shorter part is filled up with zeros that are not masked.
    - A part with a missing sample is left out, and the next one follows it as if nothing lay between.

    Task ``affect`` with ``pairs="published"`` makes the transitions that go with it.

    References
    ----------
    S. Prakash, "Amigos-Emotion-Recognition", github.com/sachinprakash553, notebook ``amigos.analysis_lab``.
    """

    kind: Literal["amigos_published"] = "amigos_published"
    n_samples: int = Field(2048, ge=2, description="samples kept of each part; published: 2048, 16 s")

    def modalities(self, recording: Recording) -> tuple[Modality, ...]:
        """EEG, ECG, and a second lead of the ECG that is called GSR.

        Raises
        ------
        ConfigError : the recording is not of AMIGOS with both leads
        """
        return tuple(
            Modality(name, self.n_samples, signal.channels) for name, signal in _branches(recording).items()
        )

    def segments(self, recording: Recording) -> SegmentRows:
        """Cut one trial into as many parts as it has labels.

        A trial is rejected when it has no labels, or when its parts are too short for the filter.

        Raises
        ------
        ConfigError : the recording is not of AMIGOS with both leads
        """
        branches = _branches(recording)
        n_parts = _n_labelled(recording)
        if n_parts == 0:
            return rejected_rows(recording, "no external annotation: there is nothing to cut it by")
        eeg = branches["eeg"]
        length = eeg.values.shape[1] // n_parts
        if length <= PAD_TIMES:
            return rejected_rows(
                recording, f"{n_parts} parts of {length} samples: the filter needs more than {PAD_TIMES}"
            )
        parts = {  # parts channels times
            name: _equal_parts(signal.values, n_parts, length) for name, signal in branches.items()
        }
        whole = np.all([np.isfinite(part).all(axis=(1, 2)) for part in parts.values()], axis=0)
        ratings = {
            **annotated_ratings(recording, n_parts),
            PLACE_IN_FILE: np.full(n_parts, PLACES[recording.trial], dtype=np.float32),
        }
        return SegmentRows(
            start_s=(np.flatnonzero(whole) * length / eeg.sfreq).astype(np.float32),
            values={name: self._windows(name, part[whole]) for name, part in parts.items()},
            # nothing is masked: the padding is to be seen
            masks={name: np.ones((int(whole.sum()), self.n_samples), dtype=bool) for name in parts},
            ratings={name: values[whole] for name, values in ratings.items()},
            rejected=_left_out(recording, whole),
        )

    def _windows(
        self, name: str, parts: Float64[np.ndarray, "parts channels times"]
    ) -> Float32[np.ndarray, "parts samples channels"]:
        """Filtered or clipped, z-scored, cut off or filled up."""
        treated = published_filter(parts) if name == "eeg" else published_clip(parts)
        scored = published_z_score(treated)[..., : self.n_samples]
        padding = self.n_samples - scored.shape[2]
        return np.pad(scored, ((0, 0), (0, 0), (0, padding))).transpose(0, 2, 1).astype(np.float32)


def published_filter(
    parts: Float64[np.ndarray, "parts channels times"],
) -> Float64[np.ndarray, "parts channels times"]:
    """Zero-phase band-pass of each part by itself, designed for the wrong rate.

    Parameters
    ----------
    parts : EEG at 128 Hz
    """
    # numerator and denominator, not second-order sections, as published: in digits it differs
    numerator, denominator = scipy.signal.butter(ORDER, BAND, btype="bandpass", fs=DESIGN_SFREQ)
    filtered: Float64[np.ndarray, "parts channels times"] = scipy.signal.filtfilt(
        numerator, denominator, parts, axis=-1
    )
    return filtered


def published_clip(
    parts: Float64[np.ndarray, "parts channels times"],
) -> Float64[np.ndarray, "parts channels times"]:
    """Each channel of each part clipped at its mean and 4 sd to either side."""
    mean, reach = parts.mean(axis=-1, keepdims=True), CLIP_SD * parts.std(axis=-1, keepdims=True)
    clipped: Float64[np.ndarray, "parts channels times"] = np.clip(parts, mean - reach, mean + reach)
    return clipped


def published_z_score(
    parts: Float64[np.ndarray, "parts channels times"],
) -> Float64[np.ndarray, "parts channels times"]:
    """Each channel of each part less its mean, by its sd; a constant one is 0."""
    sd = parts.std(axis=-1, keepdims=True)
    scored: Float64[np.ndarray, "parts channels times"] = parts - parts.mean(axis=-1, keepdims=True)
    return scored / np.where(sd > 0, sd, 1.0)


def _branches(recording: Recording) -> Mapping[str, Signal]:
    """What each branch of the published network reads, by the name that it has there."""
    eeg, ecg = recording.signals.get("eeg"), recording.signals.get("ecg")
    if eeg is None or ecg is None or len(ecg.channels) != 2 or recording.trial not in PLACES:
        raise ConfigError(
            f"{recording.subject}: extraction amigos_published needs AMIGOS with EEG and both ECG leads, as "
            "the second one was taken for skin conductance: set corpus.ecg_lead=both, or choose another "
            "extraction"
        )
    right, left = (
        Signal(ecg.values[lead : lead + 1], ecg.sfreq, ecg.unit, ecg.channels[lead : lead + 1])
        for lead in (0, 1)
    )
    return {"eeg": eeg, "ecg": right, "gsr": left}


def _n_labelled(recording: Recording) -> int:
    """Rows of the external annotation; 0 where nobody annotated."""
    rows = [recording.annotations.get(name, np.empty(0)) for name in (VALENCE, AROUSAL)]
    return len(rows[0]) if all(np.isfinite(row).any() for row in rows) else 0


def _equal_parts(
    values: Float[np.ndarray, "channels times"], n_parts: int, length: int
) -> Float64[np.ndarray, "parts channels length"]:
    cut = values[:, : n_parts * length].reshape(len(values), n_parts, length)
    return cut.transpose(1, 0, 2).astype(np.float64)


def _left_out(recording: Recording, whole: Bool[np.ndarray, " parts"]) -> tuple[RejectedTrial, ...]:
    if whole.all():
        return ()
    reason = f"{np.count_nonzero(~whole)} of {len(whole)} parts hold missing samples, left out as published"
    return (RejectedTrial(recording.subject, recording.trial, reason),)
