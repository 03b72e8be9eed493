"""Which signals, channels and electrodes of a recording a model takes."""

from dataclasses import replace

import numpy as np
import pytest

from emo_ray.corpora.recording import Recording, Signal
from emo_ray.deployment.fitting import fitted_recordings, needed_signals
from emo_ray.deployment.package import ModalityFacts, SignalFacts
from emo_ray.errors import CorpusError
from emo_ray.extraction.stft_tokens import StftTokens
from emo_ray.signals.electrodes import SJTU62

EEG = SignalFacts(unit="uV", channels=("Fp1", "Fp2", "Cz"), sfreq=128.0, other_rates=(200.0,))
ECG = SignalFacts(unit="mV", channels=("ECG",), sfreq=128.0)


@pytest.fixture
def eeg_model(package):
    """A model of EEG, trained on recordings that have an ECG beside it."""
    modality = ModalityFacts(name="eeg", n_tokens=1, features=("f",))
    return replace(
        package,
        experiment=package.experiment.model_copy(update={"extraction": StftTokens(electrodes=SJTU62)}),
        description=package.description.model_copy(
            update={"signals": {"eeg": EEG, "ecg": ECG}, "modalities": (modality,)}
        ),
    )


def recording(unit="uV", sfreq=128.0, **channels):
    signals = {
        name: Signal(np.zeros((len(names), 8), np.float32), sfreq, unit, names)
        for name, names in channels.items()
    }
    return Recording("lab/a", "1", "1", "1", "lab/a", signals)


def test_what_no_modality_is_made_from_may_be_missing(eeg_model):
    assert list(needed_signals(eeg_model)) == ["eeg"]
    (kept,), _ = fitted_recordings([recording(eeg=EEG.channels)], eeg_model)
    assert list(kept.signals) == ["eeg"]


def test_any_montage_will_do_where_electrodes_are_mapped_by_name(eeg_model):
    (kept,), notes = fitted_recordings([recording(eeg=("Cz", "Pz"), sfreq=200.0)], eeg_model)
    assert kept.signals["eeg"].channels == ("Cz", "Pz")
    assert notes == ("eeg has 2 of the model's 62 electrodes: the others count as missing",)


def test_a_rate_that_no_training_recording_had_is_told(eeg_model):
    _, notes = fitted_recordings([recording(eeg=SJTU62, sfreq=250.0)], eeg_model)
    assert notes[0].startswith("eeg is sampled at 250 Hz, the training recordings at 128 Hz")


def test_a_montage_is_needed_as_it_was_where_channels_are_taken_as_they_are(eeg_model):
    as_they_are = eeg_model.experiment.model_copy(update={"extraction": StftTokens()})
    with pytest.raises(CorpusError, match="'eeg' lacks channel Fp1, Fp2"):
        fitted_recordings([recording(eeg=("Cz", "Pz"))], replace(eeg_model, experiment=as_they_are))


def test_a_signal_beside_the_needed_ones_is_left_out_where_it_does_not_fit(eeg_model):
    (kept,), _ = fitted_recordings([recording(eeg=EEG.channels, ecg=("ECG",))], eeg_model)
    assert list(kept.signals) == ["eeg"]  # an ECG in uV
