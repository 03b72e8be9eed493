"""The errors of emo_ray: what is wrong, with which value, in which file, and the next step.

Every error here is for a person: jobs and the command line print its message without a traceback
(``--debug`` shows it). All carry one string, so they survive pickling between Ray processes.
"""


class EmoRayError(Exception):
    """Parent of all errors that emo_ray raises on purpose."""


class ConfigError(EmoRayError):
    """A configuration that can not work; lists all its problems at once."""


class CorpusError(EmoRayError):
    """A corpus folder or file that is missing, broken or not of the declared layout."""


class SignalError(EmoRayError):
    """A signal that a filter or feature is not defined for."""


class StoreError(EmoRayError):
    """The feature store can not be written or read."""


class ProtocolError(EmoRayError):
    """Anything that smells of leakage: a fitted thing would meet a subject it has seen."""


class TrainingError(EmoRayError):
    """A training run that can not go on, with the reason."""


class JournalError(EmoRayError):
    """A study folder whose journal is damaged, held by another driver, or of another experiment."""


class ClusterError(EmoRayError):
    """Ray can not be started or reached, or lost what was running on it."""


class TrackingError(EmoRayError):
    """The MLflow store can not be reached or written."""


class SearchError(EmoRayError):
    """A search that can not go on: its storage does not answer or was changed, or too much of it fails."""
