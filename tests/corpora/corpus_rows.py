"""One row a way in which a corpus can be read: the writer of its files, and what the reader is told."""

from dataclasses import dataclass, field
from typing import Any

OWN_DATA = {"fake", "feature_table"}
"""Kinds that are no published corpus: there is no layout to write."""


@dataclass(frozen=True)
class Row:
    """A corpus as somebody may have it.

    Attributes
    ----------
    kind : of the corpus, and of the writer
    files : fields of the writer beside those of its small form
    corpus : fields of the reader
    extraction : fields of the default extraction
    """

    kind: str
    files: dict[str, Any] = field(default_factory=dict)
    corpus: dict[str, Any] = field(default_factory=dict)
    extraction: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Shown as the name of the test."""
        told = {**self.files, **self.corpus}
        return "-".join([self.kind, *(f"{key}={value}" for key, value in told.items())])


ROWS = (
    Row("amigos"),
    Row("cl_drive"),
    Row("deap"),
    Row("deap", files={"packagings": ("matlab",)}),
    Row("deap", files={"packagings": ("raw",), "video_s": 60}, corpus={"content": "raw"}),
    Row("dreamer"),
    Row("eegmat"),
    Row("empatica"),
    Row("gameemo"),
    Row("gameemo", files={"formats": ("mat",)}, corpus={"content": "raw"}),
    Row("multi"),
    Row("phyfusionnet_table"),
    Row("phyfusionnet_table", corpus={"content": "raw"}),
    Row("ppb_emo"),
    Row("ppb_emo", corpus={"content": "bands"}),
    Row("seed", files={"contents": ("raw",), "n_sessions": 1}),
    Row("seed", files={"contents": ("features_1s",)}, corpus={"content": "de_LDS"}),
    Row("seed_iv", files={"contents": ("raw",)}),
    Row("seed_iv", files={"contents": ("features",)}, corpus={"content": "de_LDS"}),
    Row("seed_v"),
    Row("seed_v", files={"contents": ("raw",), "clip_s": 12, "sfreq": 200}, corpus={"content": "raw"}),
    Row("seed_vii"),
    Row("seed_vii", files={"contents": ("raw",), "clip_s": 5}, corpus={"content": "raw"}),
    Row(
        "seed_vii",
        files={"contents": ("cnt",), "clip_s": 12, "gap_s": 1, "sfreq": 200},
        corpus={"content": "cnt"},
    ),
    Row("wesad"),
    Row("wesad", corpus={"device": "wrist"}),
)
