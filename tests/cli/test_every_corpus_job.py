"""From nothing to a report, as typed, for every corpus: synthesize, inspect, one epoch of LOSO."""

import pytest

from emo_ray.cli.defaults import RECOGNISED
from emo_ray.cli.job import LosoJob, run_loso
from emo_ray.cli.main import main
from emo_ray.testing.registry import WRITERS

JOB = LosoJob(name="loso", **RECOGNISED)
QUICK = {"eegmat"}
KINDS = [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in WRITERS]


def ended(function, *arguments):
    with pytest.raises(SystemExit) as exit_code:
        function(*arguments)
    return exit_code.value.code


@pytest.mark.ray
@pytest.mark.parametrize("kind", KINDS)
def test_synthesize_inspect_and_one_epoch_of_loso(kind, tmp_path, local_cluster, capsys):
    files, page = tmp_path / "files", tmp_path / "page.html"
    assert ended(main, ["synthesize", kind, str(files), "--small"]) == 0
    assert ended(main, ["inspect", str(files), "--page", str(page)]) == 0
    flags = ["--data", str(files), "--root", str(tmp_path / "root"), "--tracking-uri", "none"]
    assert ended(run_loso, JOB, [*flags, "--smoke", "--epochs", "1", "--scaling", "train"]) == 0
    assert "All 4 runs finished" in capsys.readouterr().out
