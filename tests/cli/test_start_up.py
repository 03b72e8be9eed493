"""What is loaded before training starts: seconds that a second run does not have."""

import subprocess
import sys
from typing import get_args

import pytest

from emo_ray.cli import flags
from emo_ray.models.registry import MODELS
from emo_ray.protocols.duplicates import DuplicateRule
from emo_ray.protocols.subject_protocols import PROTOCOLS
from emo_ray.training.published import PublishedTraining

HEAVY = {"matplotlib", "mlflow", "mne", "neurokit2", "openpyxl", "optuna", "scipy.signal", "sklearn"}


def loaded_by(statement):
    """Names of all modules that a fresh process has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_a_job_script_can_bring_up_its_workers_before_torch_is_loaded():
    loaded = loaded_by("import emo_ray.cli.defaults, emo_ray.cli.job")
    assert "ray" in loaded
    assert not loaded & {*HEAVY, "torch", "pandas", "ray.tune"}


@pytest.mark.parametrize("module", ["emo_ray.cli.evaluation", "emo_ray.orchestration.worker"])
def test_neither_driver_nor_worker_loads_what_no_training_step_needs(module):
    assert not loaded_by(f"import {module}") & HEAVY


def test_flags_name_all_that_the_registries_hold():
    assert tuple(MODELS) == flags.MODEL_KINDS
    assert tuple(PROTOCOLS) == flags.PROTOCOL_KINDS
    assert get_args(PublishedTraining) == flags.PUBLISHED_PROCEDURES
    assert get_args(DuplicateRule) == flags.DUPLICATE_RULES
