"""Channels made up from the others: spherical splines over the places of the electrodes, by MNE."""

from collections.abc import Collection, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from emo_ray.errors import SignalError
from emo_ray.signals.electrodes import SJTU62, canonical_name, positions

MIN_GOOD = 4  # four places span a sphere


def interpolate_channels(
    signal: Float64[np.ndarray, "channels times"], names: Sequence[str], bad: Collection[str]
) -> Float64[np.ndarray, "channels times"]:
    """Replace bad channels by what the good ones say about their place.

    Parameters
    ----------
    signal : any unit, without NaN
    names : electrodes, each place once
    bad : some of the names

    Raises
    ------
    SignalError : a name is no electrode, a place comes twice, or less than four channels are good

    References
    ----------
    Perrin, Pernier, Bertrand & Echallier (1989), "Spherical splines for scalp potential and current density
    mapping", Electroencephalography and Clinical Neurophysiology 72(2), 184-187.
    """
    if not bad:
        return signal
    known = [canonical_name(name) for name in names]
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise SignalError(f"two channels are electrode {', '.join(twice)}: keep one before interpolating")
    if len(known) - len(bad) < MIN_GOOD:
        raise SignalError(
            f"{len(known) - len(bad)} good channels are too few to interpolate {len(bad)} from: "
            f"it takes {MIN_GOOD}; leave the trial out"
        )
    import mne  # 0.3 s: only for those who interpolate

    info = mne.create_info(known, sfreq=1.0, ch_types="eeg")  # the rate takes no part
    raw = mne.io.RawArray(signal.copy(), info, verbose="error")
    places = dict(zip(known, positions(known), strict=True))
    # "head": our places need no turning into MNE's frame, since the centre comes from them too
    raw.set_montage(mne.channels.make_dig_montage(places, coord_frame="head"), verbose="error")
    raw.info["bads"] = [canonical_name(name) for name in bad]
    raw.interpolate_bads(origin=_head_centre(), method={"eeg": "spline"}, verbose="error")
    interpolated: Float64[np.ndarray, "channels times"] = raw.get_data(verbose="error")
    return interpolated


@lru_cache(maxsize=1)
def _head_centre() -> tuple[float, float, float]:
    """Centre of the sphere nearest to the electrodes of a whole cap, metres."""
    places = positions(SJTU62)
    # |p - c|^2 = r^2 is linear in c and r^2 - |c|^2
    system = np.column_stack([2 * places, np.ones(len(places))])
    x, y, z, _ = np.linalg.lstsq(system, np.square(places).sum(axis=1))[0]
    return float(x), float(y), float(z)
