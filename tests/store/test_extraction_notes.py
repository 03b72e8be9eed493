"""What extraction did to signals is kept with the subject, each fact once."""

from collections.abc import Mapping
from typing import Literal

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.corpora.recording import Recording
from emo_ray.extraction.base import SegmentRows
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.store.reader import find_stored
from emo_ray.store.writer import store_subject


class Telling(RawTokens):
    """Notes by trial, for the test."""

    kind: Literal["raw_tokens"] = "raw_tokens"
    told: Mapping[str, tuple[str, ...]]

    def segments(self, recording: Recording) -> SegmentRows:
        rows = super().segments(recording)
        return SegmentRows(
            rows.start_s, rows.values, rows.masks, rows.ratings, rows.rejected, self.told[recording.trial]
        )


def test_a_fact_of_several_trials_is_told_once_with_what_differs(tmp_path):
    corpus = FakeCorpus(n_subjects=1, n_trials=3, seed=1)
    (subject,) = corpus.find_subjects()
    first, second, third = (recording.trial for recording in corpus.read_subject(subject).recordings)
    told = {
        first: ("eeg interpolated: P3", "not re-referenced"),
        third: ("eeg interpolated: O1",),
        second: (),
    }
    path = tmp_path / "subject.parquet"
    store_subject(corpus, Telling(told=told), subject, "k" * 64, path)
    notes = find_stored(path, "k" * 64).notes
    assert f"{subject}: eeg interpolated, in 2 trials ({first}: P3; {third}: O1)" in notes
    assert f"{subject}: not re-referenced, in 1 trial ({first})" in notes
