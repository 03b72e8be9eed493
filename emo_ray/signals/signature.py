"""Signatures: a few kilobytes of a recording by which a copy of it is known again.

A copy may be trimmed, rescaled, turned over, resampled, band-limited and noisy. What survives all that is
the course of the signal inside one narrow band in the middle of its spectrum. It is kept as a complex
envelope (the band moved down to 0 Hz): few samples, whose likeness hangs on no sign and no part of a sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Complex, Complex64, Float, Int8, Int64

from emo_ray.signals.filters import Band

OVERSAMPLING = 1.25  # samples a second and Hz of width, so that no shift falls between two samples
TAPER = 0.3  # share of the band over which its edges fall off
WHITENING = 6  # parts of the band within which the spectrum is flattened: 1/f alone would look alike
CLIP = 3.0  # medians; what is louder is an artefact, and artefacts look alike
INNER = 0.6  # share of a trial that a probe may take: a trimmed copy still holds the middle
MIN_SAMPLES = 16  # of a probe; fewer are alike by chance
QUIET = 0.2  # of the mean energy; quieter stretches are compared as if they were so loud


@dataclass(frozen=True)
class SignatureBand:
    """Where a kind of sensor is looked at.

    Attributes
    ----------
    band : edges in Hz
    probe_s : seconds of a stretch that is searched for in others
    kept_s : seconds kept of a subject, from the middle of every trial
    """

    band: Band
    probe_s: float
    kept_s: float


_FAST = SignatureBand(Band(7.0, 13.0), 20.0, 1200.0)
_HEART = SignatureBand(Band(7.0, 13.0), 40.0, 1200.0)  # longer: two steady hearts go along for a while
_PULSE = SignatureBand(Band(1.5, 5.0), 60.0, 1800.0)
_SLOW = SignatureBand(Band(0.005, 0.1), 600.0, 5400.0)
_SKIN = SignatureBand(Band(0.05, 0.6), 120.0, 3600.0)  # for trials too short for the slow band

# By how the name of a modality starts. Bands lie where usual filters and 20 dB of noise leave them alone.
SIGNATURE_BANDS: Mapping[str, tuple[SignatureBand, ...]] = {
    "eeg": (_FAST,),
    "ecg": (_HEART,),
    "eog": (_PULSE,),
    "emg": (_FAST,),
    "bvp": (_PULSE,),
    "ppg": (_PULSE,),
    "gsr": (_SLOW, _SKIN),
    "eda": (_SLOW, _SKIN),
    "temp": (_SLOW, _SKIN),
    "resp": (_SKIN,),
}


@dataclass(frozen=True)
class Signature:
    """What is kept of one channel of one subject in one band.

    Attributes
    ----------
    name : modality and band, ``"eda 0.01-0.1 Hz"``; only signatures of one name are compared
    probe_s : seconds of a probe
    rate_hz : complex samples a second
    starts : first sample of each trial, and the end
    samples : real and imaginary part, in parts of 127 of the loudest sample
    """

    name: str
    probe_s: float
    rate_hz: float
    starts: Int64[np.ndarray, " edges"]
    samples: Int8[np.ndarray, "samples 2"]

    @property
    def envelope(self) -> Complex64[np.ndarray, " samples"]:
        """The samples as complex numbers."""
        pairs = np.ascontiguousarray(self.samples, dtype=np.float32)
        envelope: Complex64[np.ndarray, " samples"] = pairs.view(np.complex64)[:, 0]
        return envelope


@dataclass(frozen=True)
class Probe:
    """A stretch of a signature, and the sample at which it starts there."""

    start: int
    samples: Complex64[np.ndarray, " samples"]


def bands_of(modality: str) -> tuple[SignatureBand, ...]:
    """Bands in which a modality is looked at; none for what is no known sensor."""
    parts = modality.lower().split("_")  # "wrist_eda" is of eda
    known = SIGNATURE_BANDS.items()
    return next((bands for kind, bands in known if any(part.startswith(kind) for part in parts)), ())


def make_signature(
    modality: str, place: SignatureBand, trials: Sequence[tuple[Float[np.ndarray, " _"], float]]
) -> Signature | None:
    """The signature of one channel over all trials; None where it is silent, too short or too slow.

    Parameters
    ----------
    trials : samples in any unit, NaN where missing, and Hz
    """
    rate_hz = OVERSAMPLING * (place.band.high_hz - place.band.low_hz)
    parts = [part for signal, sfreq in trials if (part := envelope(signal, sfreq, place.band)).any()]
    if not parts:
        return None
    # From the middle of every trial: copies that lack trials or their ends still share most of it.
    share = max(1, int(place.kept_s * rate_hz / len(parts)))
    parts = [part[max(0, (part.size - share) // 2) :][:share] for part in parts]
    samples = np.concatenate(parts)
    loudness = np.abs(samples)
    limit = CLIP * np.median(loudness[loudness > 0]) if loudness.any() else 1.0
    samples = samples * (np.minimum(loudness, limit) / np.where(loudness > 0, loudness, 1.0) / limit)
    return Signature(
        name=f"{modality} {place.band.low_hz:g}-{place.band.high_hz:g} Hz",
        probe_s=place.probe_s,
        rate_hz=rate_hz,
        starts=np.cumsum([0, *(part.size for part in parts)]),
        samples=np.rint(127 * np.stack([samples.real, samples.imag], axis=1)).astype(np.int8),
    )


def envelope(
    signal: Float[np.ndarray, " times"], sfreq: float, band: Band
) -> Complex[np.ndarray, " samples"]:
    """Whitened complex envelope of a signal in a band; empty where the band does not fit, or nothing lives.

    Parameters
    ----------
    signal : any unit; NaN is bridged, and 0 in the envelope
    sfreq : Hz
    band : edges in Hz
    """
    nothing = np.zeros(0, dtype=np.complex128)
    missing = ~np.isfinite(signal)
    width_hz, duration_s = band.high_hz - band.low_hz, signal.size / sfreq
    is_short = duration_s * width_hz < MIN_SAMPLES
    if is_short or band.high_hz >= sfreq / 2 or missing.all() or np.ptp(signal[~missing]) == 0:
        return nothing
    rate_hz = OVERSAMPLING * width_hz
    n_samples = int(np.ceil(duration_s * rate_hz))
    n_padded = max(signal.size, round(n_samples / rate_hz * sfreq))
    part, low_hz = _spectrum(_levelled(signal, missing), n_padded, sfreq, band)
    bins = np.zeros(n_samples, dtype=np.complex128)
    bins[: part.size] = part
    times_s = np.arange(n_samples) / rate_hz
    # The lowest bin lies elsewhere in a trial of another length: all are moved down by the same frequency.
    found = scipy.fft.ifft(bins) * np.exp(2j * np.pi * (low_hz - band.low_hz) * times_s)
    found[missing[np.minimum((times_s * sfreq).astype(np.int64), signal.size - 1)]] = 0
    edge = int(np.ceil(rate_hz / width_hz))  # samples that the ends of the trial are felt in
    inner: Complex[np.ndarray, " samples"] = found[edge : int(duration_s * rate_hz) - edge]
    return inner


def _levelled(signal: Float[np.ndarray, " times"], missing: np.ndarray) -> Float[np.ndarray, " times"]:
    """Gaps bridged, and both ends at 0: a step from the end to the start would fill every band."""
    times = np.arange(signal.size)
    bridged: Float[np.ndarray, " times"] = np.interp(times, times[~missing], signal[~missing])
    bridged -= np.interp(times, [0, signal.size - 1], bridged[[0, -1]])
    return bridged


def _spectrum(
    signal: Float[np.ndarray, " times"], n_padded: int, sfreq: float, band: Band
) -> tuple[Complex[np.ndarray, " bins"], float]:
    """Flattened spectrum inside the band, and the frequency of its lowest bin in Hz."""
    step_hz = sfreq / n_padded
    low, high = int(np.ceil(band.low_hz / step_hz)), int(band.high_hz / step_hz)
    # Times frequency first, against 1/f, so that the running mean need not follow a steep slope.
    part = scipy.fft.rfft(signal, n_padded)[low : high + 1] * np.arange(low, high + 1)
    power = scipy.ndimage.uniform_filter1d(np.abs(part) ** 2, max(5, part.size // WHITENING), mode="nearest")
    flat = (
        part
        / np.sqrt(np.maximum(power, np.finfo(np.float64).tiny))
        * scipy.signal.windows.tukey(part.size, TAPER)
    )
    return flat, low * step_hz


def probes_of(signature: Signature, n_probes: int) -> tuple[Probe, ...]:
    """Stretches to search for in others, spread over the trials; none where all trials are too short."""
    samples = signature.envelope
    spots = [
        (start, length)
        for first, end in zip(signature.starts[:-1], signature.starts[1:], strict=True)
        for start, length in _spots(int(first), int(end - first), signature)
        if np.abs(samples[start : start + length]).mean() > QUIET * np.abs(samples).mean()
    ]
    chosen = np.unique(np.linspace(0, len(spots) - 1, min(n_probes, len(spots))).round().astype(np.int64))
    return tuple(
        Probe(start, samples[start : start + length]) for start, length in (spots[i] for i in chosen)
    )


def _spots(first: int, n_samples: int, signature: Signature) -> list[tuple[int, int]]:
    """Places for probes in one trial, as many as fit into its middle: first sample and length."""
    inner = int(INNER * n_samples)
    length = min(inner, int(signature.probe_s * signature.rate_hz))
    if length < MIN_SAMPLES:
        return []
    start = first + (n_samples - inner) // 2
    return [(start + place * length, length) for place in range(inner // length)]


@dataclass(frozen=True)
class ProbeSet:
    """Probes with their spectra, to be searched for in many signatures."""

    probes: tuple[Probe, ...]
    n_times: int
    spectra: Complex64[np.ndarray, "probes times"]


def probe_set(probes: Sequence[Probe], n_samples: int) -> ProbeSet:
    """Make ready to be searched for in signatures of at most so many samples."""
    n_times = scipy.fft.next_fast_len(n_samples)
    spectra = np.zeros((len(probes), n_times), dtype=np.complex64)
    for row, probe in enumerate(probes):
        spectra[row] = scipy.fft.fft(probe.samples[:n_times], n_times).conj()
    return ProbeSet(tuple(probes), n_times, spectra)


def likeness(searched: ProbeSet, signature: Signature, own: bool = False) -> Float[np.ndarray, " probes"]:
    """How like each probe the most similar stretch of a signature is: 0 to 1, 1 for a perfect copy.

    It is the greatest normalised cross-correlation over all shifts. With ``own`` the signature is that which
    the probes are from, and each probe's own place does not count.
    """
    samples = signature.envelope
    spectrum = scipy.fft.fft(samples, searched.n_times)
    energy = np.concatenate([[0.0], np.cumsum(np.abs(samples) ** 2, dtype=np.float64)])
    quiet = QUIET * energy[-1] / samples.size
    found = np.zeros(len(searched.probes))
    # By length, for all probes of one length are divided by the energy of the same stretches.
    for length in sorted(
        {probe.samples.size for probe in searched.probes if probe.samples.size <= samples.size}
    ):
        loudness = 1.0 / np.maximum(energy[length:] - energy[:-length], quiet * length).astype(np.float32)
        for row in (row for row, probe in enumerate(searched.probes) if probe.samples.size == length):
            # Circular, but the shifts that wrap around are cut off.
            crossed = scipy.fft.ifft(spectrum * searched.spectra[row])[: loudness.size]
            alike = (crossed.real**2 + crossed.imag**2) * loudness
            start = searched.probes[row].start
            if own:
                alike[max(0, start - length) : start + length] = 0
            found[row] = alike.max() / max(_energy(searched.probes[row]), np.finfo(np.float32).tiny)
    return np.sqrt(found)


def _energy(probe: Probe) -> float:
    return float((np.abs(probe.samples) ** 2).sum(dtype=np.float64))
