"""How long a job needs from its command to its first training step, where the features are stored.

    python benchmarks/second_run.py [--runs 3] [--corpus table files]

Two corpora, both in a temporary root: ``table``, 40 subjects of a fake corpus whose features take 205 MB, and
``files``, 36 generated subjects in AMIGOS format. Each is run once, so that features are stored, then again
with other seeds, every time as a fresh process with a Ray of its own and MLflow on SQLite. A run is stopped
after its first fold. Prints seconds from the command to

- plan: flags judged, features looked up and loaded, duplicates ruled out, runs planned;
- fold: a worker begins the first fold;
- step: its first training step, at the latest (nothing but training and the test follows the fold's start),

and the processor seconds that all processes of the job had taken by then. The exit code is 1 where the median
of the last exceeds 5 s. Meant for a machine that does nothing else: the load is printed beside.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emo_ray.cli.definition import LosoJob
from emo_ray.cli.job import run_loso

if TYPE_CHECKING:
    from emo_ray.corpora.base import CorpusConfig
    from emo_ray.models.base import ModelConfig

LIMIT_S = 5.0
PATIENCE_S = 900.0  # the first run computes features
LOOK_S = 0.05
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
JOBS = Path(__file__).parents[1] / "jobs"


def table(data: Path) -> "CorpusConfig":
    """40 subjects x 64 segments of 20 x 1000 values: 205 MB."""
    from emo_ray.corpora.fake import FakeCorpus

    return FakeCorpus(path=data, n_subjects=40, n_trials=64, n_tokens=20, n_features=1000)


def small_model() -> "ModelConfig":
    """As little arithmetic as there can be."""
    from emo_ray.models.mlp import MlpConfig

    return MlpConfig(hidden=(8,))


JOB = LosoJob("second_run", table, small_model, scaling="train")


@dataclass(frozen=True)
class Start:
    """Seconds from a command to each phase; processor seconds of all its processes up to the last."""

    plan_s: float
    fold_s: float
    step_s: float
    cpu_s: float


def start(command: Sequence[str], root: Path, name: str) -> Start:
    """Start a job as a process of its own, wait for its first record, stop it."""
    study = root / "studies" / name
    with (root / f"{name}.log").open("w") as log:
        began = time.time()
        job = subprocess.Popen([*command, "--study", name], stdout=log, stderr=log)
        spent: dict[float, float] = {}
        while not (line := first_line(study / "journal.jsonl")):
            spent[time.time() - began] = processor_seconds(job.pid)
            if job.poll() is not None or time.time() - began > PATIENCE_S:
                job.kill()
                raise SystemExit(f"{name} has recorded nothing:\n{(root / log.name).read_text()}")
            time.sleep(LOOK_S)
        job.send_signal(signal.SIGINT)
        job.wait(PATIENCE_S)
    record, header = json.loads(line), json.loads((study / "study.json").read_text())
    fold_s = record["started_unix"] - began
    step_s = fold_s + record["seconds"]["total"] - record["seconds"]["train"]
    by_then = max((cpu_s for at_s, cpu_s in spent.items() if at_s <= step_s), default=0.0)
    return Start(header["created_unix"] - began, fold_s, step_s, by_then)


def first_line(journal: Path) -> str:
    """The first record, once all of it stands there."""
    text = journal.read_text() if journal.exists() else ""
    return text.split("\n")[0] if "\n" in text else ""


def processor_seconds(root_pid: int) -> float:
    """What a process and all its living descendants have taken, from /proc; 0 where there is none."""
    parents, seconds = {}, {}
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        pid = int(place.parent.name)
        parents[pid], seconds[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND
    family = {root_pid}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(seconds.get(pid, 0.0) for pid in family)


def generated_files(folder: Path) -> Path:
    """36 subjects in AMIGOS format: the short videos."""
    from emo_ray.processes import in_processes
    from emo_ray.progress import StageBar
    from emo_ray.testing.amigos_files import AmigosFiles, write_subject

    files = AmigosFiles(n_subjects=36, long_videos=False, seed=7)
    folder.mkdir()
    calls = {str(index): (files, index, folder) for index in range(files.n_subjects)}
    with StageBar("generate", len(calls), "subject") as bar:
        in_processes(bar, write_subject, calls)
    return folder


def measure(corpus: str, root: Path, n_runs: int) -> float:
    """Print one line a run of one corpus; the median of the second runs."""
    if corpus == "table":
        command = [sys.executable, __file__, "job", "--data", str(root)]
    else:
        command = [
            sys.executable,
            str(JOBS / "loso_amigos.py"),
            "--data",
            str(generated_files(root / "data")),
        ]
    command += ["--root", str(root), "training.max_epochs=1", "references=[]"]
    seconds = []
    for seed in range(n_runs + 1):
        found = start([*command, "--seed", str(seed)], root, f"{corpus}-{seed}")
        kind = "second run" if seed else "first run "
        print(
            f"{corpus:5} {kind} plan {found.plan_s:6.2f} s, fold {found.fold_s:6.2f} s, step "
            f"{found.step_s:6.2f} s, {found.cpu_s:5.1f} processor s, load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
        seconds.append(found.step_s)
    again = seconds[1:]
    median = statistics.median(again)
    print(f"{corpus:5} second run: minimum {min(again):.2f} s, median {median:.2f} s   (limit {LIMIT_S:g} s)")
    return median


def main() -> None:
    """Measure the chosen corpora; fail where a second run starts too late."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3, help="second runs of each corpus")
    parser.add_argument("--corpus", nargs="+", choices=("table", "files"), default=("table", "files"))
    options = parser.parse_args()
    medians = []
    for corpus in options.corpus:
        with tempfile.TemporaryDirectory() as root:
            medians.append(measure(corpus, Path(root), options.runs))
    sys.exit(max(medians) > LIMIT_S)


if __name__ == "__main__":
    if sys.argv[1:2] == ["job"]:
        run_loso(JOB, sys.argv[2:])
    main()
