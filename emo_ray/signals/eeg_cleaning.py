"""EEG from as recorded to as analysed: filters, rate, bad channels, eyes, reference, in one fixed order.

The order, and why:

1. **Band-pass and notch** in one cascade, at the rate of the recording: filters ring less before samples are
   dropped, and all that follows would take drift and hum for signal.
2. **Resampling**: what follows costs less, and its own low-pass leaves nothing to fold back.
3. **Bad channels** are judged: missing, flat and clipped on the recording as it is (a filter hides them),
   amplitude and correlation on the filtered signal (drift is no fault of a channel).
4. **Eyes** (ICA) on the good channels alone, before anything is made up from others: an interpolated channel
   is a mixture and adds nothing to unmix, and a blink left in would be spread by the next two steps.
5. **Interpolation** of bad channels from cleaned neighbours.
6. **Reference** last, since a bad channel or a blink in the average would be written into every channel.

Gaps are bridged by straight lines so that filters can run, count as their bridge in averages and splines, and
are NaN again in what is returned.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64
from pydantic import BaseModel, ConfigDict, Field, model_validator

from emo_ray.errors import SignalError
from emo_ray.signals.bad_channels import BadChannels, Judged, find_bad_channels
from emo_ray.signals.cleaning_filters import Passband, filter_channels
from emo_ray.signals.electrodes import canonical_name, is_electrode
from emo_ray.signals.eye_components import EyeComponents, eye_signals, remove_eye_components
from emo_ray.signals.gaps import bridge_gaps, widen
from emo_ray.signals.interpolation import MIN_GOOD, interpolate_channels
from emo_ray.signals.resampling import resample, resample_missing

LARGEST = float(np.finfo(np.float32).max)
LEAST_SHARE_THERE = 0.5  # of the good channels, for an interpolated sample to mean something


class EegCleaning(BaseModel):
    """What is done to EEG before features are taken; every step is off until it is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low_hz: float | None = Field(None, gt=0, description="lower edge of the band-pass, gain one half")
    high_hz: float | None = Field(None, gt=0, description="upper edge of the band-pass, gain one half")
    notch_hz: float | None = Field(None, gt=0, description="mains, 50 or 60, with all harmonics")
    sfreq: float | None = Field(None, gt=0, description="Hz, the rate to resample to")
    gap_margin_s: float = Field(0.0, ge=0, description="also missing, before and after each gap")
    bad_channels: BadChannels | None = Field(None, description="None: every channel is taken as good")
    ica: EyeComponents | None = Field(None, description="None: blinks stay in")
    reference: Literal["none", "average"] | tuple[str, ...] = Field(
        "none", description='"average" of the good electrodes, or of the electrodes named'
    )

    @model_validator(mode="after")
    def _check_edges(self) -> "EegCleaning":
        """A band that can be, and a reference that names something."""
        problems = []
        if self.low_hz is not None and self.high_hz is not None and self.low_hz >= self.high_hz:
            problems.append(f"low_hz is {self.low_hz:g} and high_hz {self.high_hz:g}: give low < high")
        if self.sfreq is not None and self.high_hz is not None and self.high_hz >= self.sfreq / 2:
            problems.append(f"high_hz {self.high_hz:g} needs an sfreq above {2 * self.high_hz:g} Hz")
        if self.reference == ():
            problems.append('reference names no channel: give names, "average" or "none"')
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def passband(self) -> Passband:
        """What the filters keep, in Hz."""
        return Passband(self.low_hz, self.high_hz, self.notch_hz)

    @property
    def needs_electrodes(self) -> bool:
        """Whether a step is asked for that treats electrodes and other channels apart."""
        return self.bad_channels is not None or self.ica is not None or self.reference != "none"


@dataclass(frozen=True)
class CleanedEeg:
    """A signal ready for features.

    Attributes
    ----------
    values : in the unit given, a row a channel as given; NaN in gaps, in bad channels left so, and where
        float32 can not hold what a filter made
    sfreq : Hz
    bad : names of bad channels, and why
    notes : what was done to this signal that a reader of the report should know
    """

    values: Float32[np.ndarray, "channels times"]
    sfreq: float
    bad: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Work:
    """A signal between two steps; ``missing`` is True where a sample was made up or is of no use."""

    values: Float64[np.ndarray, "channels times"]
    missing: Bool[np.ndarray, "channels times"]
    sfreq: float
    names: tuple[str, ...]
    good: Bool[np.ndarray, " channels"]
    bad: Mapping[str, str]
    notes: tuple[str, ...] = ()


def clean_eeg(
    values: Float32[np.ndarray, "channels times"], sfreq: float, names: Sequence[str], config: EegCleaning
) -> CleanedEeg:
    """Clean one trial, or one whole recording, in the order that this file explains.

    Channels that are no electrode (``VEO``, ``ECG``) are filtered and resampled only. A silent recording
    stays silent; a channel without any sample stays NaN unless it is interpolated.

    Parameters
    ----------
    values : uV (or any other unit), NaN where missing
    sfreq : Hz
    names : of the channels, in any spelling that `emo_ray.signals.electrodes.canonical_name` takes
    config : the steps

    Raises
    ------
    SignalError : an edge does not fit the rate, the signal is too short for the filter, names and channels
        differ in number or name one electrode twice, or the reference is not there
    """
    _check_names(values.shape[0], names, config)
    bridged, missing = bridge_gaps(values)
    new_sfreq = config.sfreq or sfreq
    filtered = filter_channels(bridged, sfreq, config.passband)
    # a gap is felt by the new samples next to it, so it is widened at the old rate
    missing = widen(missing, math.ceil(config.gap_margin_s * sfreq))
    if new_sfreq != sfreq:
        filtered = resample(filtered, sfreq, new_sfreq)
        missing = resample_missing(missing, sfreq, new_sfreq)
    electrode = np.array([is_electrode(name) for name in names], dtype=bool)
    work = _Work(filtered, missing, new_sfreq, tuple(names), electrode & ~missing.all(axis=-1), {})
    if config.needs_electrodes and not electrode.all():
        others = ", ".join(name for name, known in zip(names, electrode, strict=True) if not known)
        work = replace(work, notes=(f"no electrodes, so filtered and resampled only: {others}",))
    if config.bad_channels is not None:
        work = _judge(work, values, sfreq, electrode, config.bad_channels)
    if config.ica is not None:
        work = _without_eyes(work, config.ica)
    if config.bad_channels is not None:
        work = _repair(work, electrode, config.bad_channels)
    if config.reference != "none":
        work = _rereferenced(work, electrode, config.reference)
    # what single precision can not hold is missing
    unknown = work.missing | (np.abs(work.values) > LARGEST)
    return CleanedEeg(
        np.where(unknown, np.nan, work.values).astype(np.float32), work.sfreq, work.bad, work.notes
    )


def _check_names(n_channels: int, names: Sequence[str], config: EegCleaning) -> None:
    if len(names) != n_channels:
        raise SignalError(f"{len(names)} names for {n_channels} channels: give one name a channel")
    if not config.needs_electrodes:
        return
    known = [canonical_name(name) for name in names if is_electrode(name)]
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise SignalError(f"two channels are electrode {', '.join(twice)}: keep one of each")
    if len(known) < MIN_GOOD:
        raise SignalError(
            f"{len(known)} of the channels {', '.join(names)} are electrodes; bad channels, ICA and a "
            f"reference take {MIN_GOOD}: rename them, or switch these steps off"
        )


def _judge(
    work: _Work,
    recorded: Float32[np.ndarray, "channels old_times"],
    sfreq: float,
    electrode: Bool[np.ndarray, " channels"],
    limits: BadChannels,
) -> _Work:
    """Name the bad channels among the electrodes."""
    names = [name for name, known in zip(work.names, electrode, strict=True) if known]
    judged = Judged(recorded[electrode], work.values[electrode], sfreq, work.sfreq, names)
    bad = find_bad_channels(judged, limits)
    good = work.good & np.array([name not in bad for name in work.names], dtype=bool)
    reasons = "; ".join(f"{name}, {reason}" for name, reason in bad.items())
    return replace(
        work, bad=bad, good=good, notes=(*work.notes, f"bad channels: {reasons}") if bad else work.notes
    )


def _without_eyes(work: _Work, config: EyeComponents) -> _Work:
    """Take the eyes out of the good electrodes."""
    if work.good.sum() < 2:
        return replace(work, notes=(*work.notes, "ICA left out: less than two good channels"))
    usable = ~work.missing[work.good].any(axis=0)
    eyes = eye_signals(work.values, work.names, config)
    unmixed = remove_eye_components(work.values[work.good], work.sfreq, eyes, usable, config)
    values = work.values.copy()
    values[work.good] = unmixed.values
    return replace(work, values=values, notes=work.notes + unmixed.notes)


def _repair(work: _Work, electrode: Bool[np.ndarray, " channels"], limits: BadChannels) -> _Work:
    """Interpolate the bad channels, or leave NaN in their place."""
    if not work.bad or limits.repair == "keep":
        return work
    is_bad = np.array([name in work.bad for name in work.names], dtype=bool)
    # a channel without any sample is bad even where no check asks for it
    unusable = electrode & ~work.good
    share = float(unusable.sum() / electrode.sum())
    missing = work.missing.copy()
    if limits.repair == "missing" or share > limits.max_bad_share or work.good.sum() < MIN_GOOD:
        missing[is_bad] = True
        note = f"{int(is_bad.sum())} of {int(electrode.sum())} channels are bad and left NaN"
        return replace(work, missing=missing, notes=(*work.notes, note))
    sources = work.good | is_bad
    names = [name for name, takes_part in zip(work.names, sources, strict=True) if takes_part]
    values = work.values.copy()
    values[sources] = interpolate_channels(work.values[sources], names, tuple(work.bad))
    missing[is_bad] = work.missing[work.good].mean(axis=0) > LEAST_SHARE_THERE
    return replace(
        work,
        values=values,
        missing=missing,
        good=sources,
        notes=(*work.notes, f"interpolated: {', '.join(work.bad)}"),
    )


def _rereferenced(
    work: _Work, electrode: Bool[np.ndarray, " channels"], reference: Literal["average"] | tuple[str, ...]
) -> _Work:
    """Take the average of some electrodes off all electrodes."""
    rows = work.good if reference == "average" else _named(work, tuple(reference))
    if not rows.any():
        return replace(work, notes=(*work.notes, "not re-referenced: no good channel"))
    values = work.values.copy()
    values[electrode] -= work.values[rows].mean(axis=0)
    return replace(work, values=values)


def _named(work: _Work, reference: tuple[str, ...]) -> Bool[np.ndarray, " channels"]:
    """Rows of the reference electrodes, all of which must be there and good."""
    wanted = {canonical_name(name) for name in reference}
    rows = np.array(
        [is_electrode(name) and canonical_name(name) in wanted for name in work.names], dtype=bool
    )
    if rows.sum() < len(wanted) or not work.good[rows].all():
        state = {
            name: "bad" if name in work.bad else "missing"
            for name, is_reference, is_good in zip(work.names, rows, work.good, strict=True)
            if is_reference and not is_good
        }
        raise SignalError(
            f"the reference {', '.join(reference)} is not there or no good channel {state or ''}: choose "
            f"other channels or the average; the recording has {', '.join(work.names)}"
        )
    return rows
