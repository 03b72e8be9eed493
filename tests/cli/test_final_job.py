"""A final model through its commands: trained once, registered once, asked by terminal and server."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pandas as pd
import pytest

from emo_ray.cli.final import run_final
from emo_ray.cli.job import LosoJob, run_loso
from emo_ray.cli.main import main
from emo_ray.corpora.fake import FakeCorpus
from emo_ray.models.mlp import MlpConfig

# A group of Ray Train takes most of a minute to start.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("local_cluster"),
]

CORPUS = {"corpus": lambda data: FakeCorpus(path=data, n_subjects=4), "model": MlpConfig(hidden=(4,))}
FINAL, LOSO = LosoJob("train_final", **CORPUS), LosoJob("loso_fake", **CORPUS)


def ended(action, *arguments):
    with pytest.raises(SystemExit) as end:
        action(*arguments)
    return end.value.code


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture
def train(root, capsys):
    def run(*arguments):
        code = ended(run_final, FINAL, ["--data", str(root), "--root", str(root), *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture(scope="module")
def trained(root, local_cluster):
    words = ["--data", str(root), "--root", str(root), "--epochs", "1", "--name", "tiny"]
    assert ended(run_final, FINAL, words) == 0
    (folder,) = (root / "models").glob("tiny-*/package")
    return folder


@pytest.fixture
def ask(root, capsys):
    def run(*arguments):
        code = ended(main, ["predict", *map(str, arguments), "--root", str(root)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_a_second_start_finds_the_model_and_registers_nothing(trained, train, root):
    before = (trained / "weights.safetensors").stat().st_mtime_ns
    code, out, _ = train("--epochs", "1", "--name", "tiny")
    assert code == 0
    assert "found, trained before" in out
    assert "models:/tiny/1 (it was there)" in out
    assert (trained / "weights.safetensors").stat().st_mtime_ns == before


def test_a_start_that_was_killed_before_it_wrote_the_model_trains_nothing_again(trained, train):
    before = (trained / "package.json").read_text()
    shutil.rmtree(trained)
    code, _, err = train("--epochs", "1", "--name", "tiny")
    assert code == 0
    assert "training" not in err
    assert (trained / "package.json").read_text() == before


def test_a_model_says_what_its_study_scored_and_what_that_means(train, root):
    words = ["--data", str(root), "--root", str(root), "--study", "s", "--epochs", "3", "--scaling", "train"]
    assert ended(run_loso, LOSO, [*words, "--tracking-uri", "none"]) == 0
    code, out, _ = train("--from-study", "s", "--name", "told", "--tracking-uri", "none")
    lineage = json.loads(Path(out.strip().splitlines()[-1]).joinpath("lineage.json").read_text())
    assert (code, lineage["study"], lineage["scores"][0]["n_subjects"]) == (0, "s", 4)
    assert 1 <= lineage["n_epochs"] <= 3
    assert "this very model was tested on nobody" in lineage["meaning"]


def test_the_scoring_server_answers_as_the_command_does(trained, ask, root, tmp_path):
    request, out = tmp_path / "request.json", tmp_path / "out.parquet"
    ask("tiny", root, "--subject", "S03", "--as-request", request)
    ask("tiny", root, "--subject", "S03", "--out", out)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/tiny/1"]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{root}/mlflow.db"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    flags = ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([*command, *flags], env=environment, start_new_session=True)
    try:
        answer = asked(f"http://127.0.0.1:{port}", request.read_bytes())
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
    found, expected = pd.DataFrame(answer["predictions"]), pd.read_parquet(out)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6)


def asked(address, body, patience_s=120):
    until = time.monotonic() + patience_s
    while True:
        try:
            urllib.request.urlopen(f"{address}/ping", timeout=5).close()
            break
        except (urllib.error.URLError, OSError):
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
    sent = urllib.request.Request(
        f"{address}/invocations", data=body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(sent, timeout=60) as told:
        return json.loads(told.read())
