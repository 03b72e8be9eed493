"""An extraction that is killed while it writes goes on where it was: nothing lost, nothing half taken."""

import signal
import subprocess
import sys

from numpy.testing import assert_array_equal

from emo_ray.corpora.fake import FakeCorpus
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.store.local import load_corpus, plan_store

CORPUS = FakeCorpus(n_subjects=3, n_trials=4)

DIES_IN_THE_SECOND_FILE = """
import os, signal, sys
from pathlib import Path
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.extraction.raw_tokens import RawTokens
from emo_ray.store import writer
from emo_ray.store.local import load_corpus

honest = writer.pq.write_table

def write(table, path, **options):
    honest(table, path, **options)
    if "S02" in path.name:
        path.write_bytes(path.read_bytes()[:-100])
        os.kill(os.getpid(), signal.SIGKILL)

writer.pq.write_table = write
load_corpus(FakeCorpus(n_subjects=3, n_trials=4), RawTokens(), Path(sys.argv[1]))
"""


def test_subjects_that_were_stored_before_a_kill_stay_stored(tmp_path):
    killed = subprocess.run(
        [sys.executable, "-c", DIES_IN_THE_SECOND_FILE, str(tmp_path / "one")], check=False
    )
    assert killed.returncode == -signal.SIGKILL
    plan = plan_store(CORPUS, RawTokens(), CORPUS.find_subjects(), tmp_path / "one")
    assert plan.missing == ("fake/S02", "fake/S03")
    found, whole = (load_corpus(CORPUS, RawTokens(), tmp_path / name) for name in ("one", "other"))
    assert_array_equal(found.values["features"], whole.values["features"])
