"""Which extraction a corpus takes unless told otherwise."""

from pathlib import Path
from typing import Literal

import pytest

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.errors import ConfigError
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.extraction.registry import DEFAULT_EXTRACTIONS, EXTRACTIONS, default_extraction
from emo_ray.extraction.signal_windows import SignalWindows


class OtherCorpus(FakeCorpus):
    """Any kind, any content."""

    kind: str = "other"
    path: Path = Path()
    content: Literal["raw", "de", "cnt", "rows"] = "raw"
    window_s: float = 4.0


@pytest.mark.parametrize("kind", DEFAULT_EXTRACTIONS)
def test_every_default_can_be_written_down_and_read_again(kind):
    for content in ("raw", "de", "cnt", "rows"):
        made = default_extraction(OtherCorpus(kind=kind, content=content))
        assert EXTRACTIONS[made.kind].model_validate(made.model_dump(mode="json")) == made


def test_shipped_features_are_taken_as_they_are_and_signals_are_described():
    assert isinstance(default_extraction(OtherCorpus(kind="seed_v", content="de")), RawTokens)
    raw = default_extraction(OtherCorpus(kind="seed_v", content="raw"))
    assert isinstance(raw, SignalWindows)
    assert raw.cleaning.sfreq == 200.0  # SEED-V's are recordings at 1000 Hz


@pytest.mark.parametrize(("window_s", "n_tokens"), [(1, 240), (4, 60)])
def test_a_clip_of_four_minutes_fits_whatever_the_feature_window(window_s, n_tokens):
    made = default_extraction(OtherCorpus(kind="seed", content="de", window_s=window_s))
    assert (made.n_tokens, made.whole) == (n_tokens, True)


def test_a_kind_without_a_default_is_an_error_that_names_the_extractions():
    with pytest.raises(ConfigError, match=r"no default extraction: name one of .*amigos_tokens"):
        default_extraction(OtherCorpus())
