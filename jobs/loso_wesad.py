#!/usr/bin/env python
"""Leave-one-subject-out evaluation on Empatica E4 wrist recordings with a label table, as WESAD's.

python jobs/loso_wesad.py --data FOLDER                  baseline, stress, amusement
python jobs/loso_wesad.py --data FOLDER --task stress    stress against the rest
python jobs/loso_wesad.py --data my_lab.yaml             your own E4 folders, described in YAML
"""

from emo_ray.cli.job import LosoJob, run_loso
from emo_ray.corpora.empatica import wesad_wrist
from emo_ray.models.mlp import MlpConfig
from emo_ray.training.config import TrainingConfig
from emo_ray.training.optimizer import OptimizerConfig

JOB = LosoJob(
    name="loso_wesad",
    corpus=wesad_wrist,
    model=MlpConfig(hidden=(64,), dropout=0.5),
    scaling="both",
    # Chosen by validation scores; the validation loss would stop too early on people as different as these.
    training=TrainingConfig(optimizer=OptimizerConfig(weight_decay=0.01), monitor="primary"),
    description="Leave-one-subject-out evaluation on Empatica E4 folders with a label table, as WESAD's.",
)

if __name__ == "__main__":
    run_loso(JOB)
