"""Detectors of R peaks against each other on synthetic hearts whose beats are known.

    python benchmarks/beat_detectors.py

Ours (NeuroKit2, refined and judged by its intervals) first; its peers as far as they are installed. Shares of
beats that are found and of finds that are beats, in percent, within 50 ms; then what is found in noise, where
there is no beat at all; the time of each for one hour of signal, as a multiple of ours.
"""

import importlib.util
from collections.abc import Callable
from time import perf_counter
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import butter, find_peaks, sosfiltfilt

from emo_ray.features.ecg import ecg_tokens, find_beats

SFREQ = 128.0
HIT_S = 0.05
HEARTS: dict[str, dict[str, float]] = {
    "clean": {},
    "noise": {"noise": 150},
    "hum": {"hum": 300},
    "wander": {"wander": 2000},
    "steps": {"low": 0.3},
    "steps+noise": {"low": 0.3, "noise": 80},
    "150/min": {"rate": 150},
    "42/min": {"rate": 42},
    "inverted": {"gain": -1},
    "irregular": {"irregular": 0.15},
    "fibrillating": {"irregular": 0.25, "rate": 95},
}

T = TypeVar("T")
Detector = Callable[[Float[np.ndarray, " times"]], Float[np.ndarray, " beats"]]


def synthetic_heart(duration_s: float, seed: int = 1, **kind: float) -> tuple[np.ndarray, np.ndarray]:
    """An ECG in microvolts, and the times of its R peaks in seconds; `HEARTS` has the kinds."""
    rng = np.random.default_rng(seed)
    mean_rr = 60 / kind.get("rate", 75)
    breath = 0.05 * np.sin(2 * np.pi * 0.1 * mean_rr * np.arange(int(duration_s / mean_rr)))
    rr = mean_rr * (1 + breath + kind.get("irregular", 0.04) * rng.normal(size=breath.size))
    beats = 0.5 + np.cumsum(np.clip(rr, 0.35, 1.9))
    beats = beats[beats < duration_s - 0.7]
    times = np.arange(int(duration_s * SFREQ)) / SFREQ
    ecg = np.zeros(times.size)
    for beat in beats:
        near = slice(max(int((beat - 0.45) * SFREQ), 0), int((beat + 0.6) * SFREQ))
        height = kind.get("low", 1.0) if (beat // 20) % 2 else 1.0
        ecg[near] += height * one_beat(times[near] - beat)
    ecg += kind.get("wander", 300) * np.sin(2 * np.pi * 0.25 * times)
    ecg += kind.get("hum", 0) * np.sin(2 * np.pi * 50 * times)
    return kind.get("gain", 1.0) * (ecg + kind.get("noise", 50) * rng.normal(size=times.size)), beats


def one_beat(since_s: Float[np.ndarray, " times"]) -> Float[np.ndarray, " times"]:
    """P, Q, R, S and T as Gaussian bumps, microvolts."""
    waves = (
        (-0.17, 0.025, 120),
        (-0.03, 0.01, -150),
        (0, 0.012, 1000),
        (0.03, 0.01, -250),
        (0.27, 0.045, 300),
    )
    return np.sum([a * np.exp(-(((since_s - at) / sd) ** 2) / 2) for at, sd, a in waves], axis=0)


def compare_detectors() -> None:
    """Found and true shares in percent on every kind of heart, and seconds for one hour."""
    hour, _ = synthetic_heart(3600)
    times = {name: timed(lambda detect=detect: detect(hour))[1] for name, detect in detectors().items()}
    _, tokens_time = timed(lambda: ecg_tokens(hour, SFREQ, np.arange(3600.0)))
    print(f"ecg_tokens: {tokens_time:.2f} s for one hour\nbeats found / beats true, %:")
    print(" " * 24 + "".join(f"{kind:>13}" for kind in HEARTS) + "   in noise, 1/min   time to ours")
    for name, detect in detectors().items():
        row = "".join(f"{score(detect, kind):>13}" for kind in HEARTS)
        print(f"{name:<24}{row}{beats_in_noise(detect):>18.1f}{times[name] / times['emo_ray']:>15.2f}")


def score(detect: Detector, kind: str) -> str:
    """Share of the beats that are found, and of the finds that are beats."""
    ecg, beats = synthetic_heart(300, **HEARTS[kind])
    found = detect(ecg)
    if not len(found):
        return "none"
    hits = np.abs(found[:, None] - beats) < HIT_S
    return f"{100 * hits.any(axis=0).mean():.0f}/{100 * hits.any(axis=1).mean():.0f}"


def beats_in_noise(detect: Detector, minutes: int = 10) -> float:
    """Beats a minute of white noise."""
    noise = np.random.default_rng(0).normal(0, 100, round(60 * minutes * SFREQ))
    return len(detect(noise)) / minutes


def detectors() -> dict[str, Detector]:
    """Ours (NeuroKit2 and a refinement) first, then its peers, as far as they are installed."""
    found: dict[str, Detector] = {
        "emo_ray": lambda ecg: find_beats(ecg, SFREQ).times_s,
        "scipy find_peaks": slope_peaks,
        "mne qrs_detector": mne_peaks,
    }
    if importlib.util.find_spec("neurokit2"):
        found |= {
            f"nk {method}": lambda ecg, method=method: neurokit_peaks(ecg, method)
            for method in ("neurokit", "pantompkins1985", "hamilton2002")
        }
    return found


def slope_peaks(ecg: Float[np.ndarray, " times"]) -> Float[np.ndarray, " beats"]:
    """Peaks of the smoothed squared slope over a quarter of their local height."""
    filtered = sosfiltfilt(butter(2, (5, 20), "bandpass", fs=SFREQ, output="sos"), ecg)
    energy = uniform_filter1d(np.gradient(filtered) ** 2, int(0.1 * SFREQ))
    height = uniform_filter1d(maximum_filter1d(energy, int(2 * SFREQ)), int(6 * SFREQ))
    peaks, _ = find_peaks(energy, distance=int(0.3 * SFREQ))
    return peaks[energy[peaks] > height[peaks] / 4] / SFREQ


def mne_peaks(ecg: Float[np.ndarray, " times"]) -> Float[np.ndarray, " beats"]:
    """MNE's detector with its defaults."""
    from mne.preprocessing.ecg import qrs_detector

    return qrs_detector(SFREQ, ecg, filter_length="10s", verbose="error") / SFREQ


def neurokit_peaks(ecg: Float[np.ndarray, " times"], method: str) -> Float[np.ndarray, " beats"]:
    """One of NeuroKit2's detectors behind its own cleaning."""
    import neurokit2 as nk

    cleaned = nk.ecg_clean(ecg, sampling_rate=int(SFREQ), method=method)
    return (
        np.asarray(nk.ecg_findpeaks(cleaned, sampling_rate=int(SFREQ), method=method)["ECG_R_Peaks"]) / SFREQ
    )


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """Result of the work, and the least of three times it took, seconds; the first call warms up."""
    result = work()
    times = []
    for _ in range(3):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return result, min(times)


if __name__ == "__main__":
    compare_detectors()
