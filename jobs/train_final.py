#!/usr/bin/env python
"""The model that is handed out: a chosen configuration on all people, in MLflow's registry.

python jobs/train_final.py --data FOLDER --from-study STUDY    settings and epochs of an evaluation
python jobs/train_final.py --data FOLDER --from-sweep STUDY    what a sweep has chosen
python jobs/train_final.py --data FOLDER --epochs 20           settings of this command
emo-ray predict MODEL RECORDING                                then: what it says of a new recording
"""

from emo_ray.cli.defaults import RECOGNISED
from emo_ray.cli.final import run_final
from emo_ray.cli.job import LosoJob

JOB = LosoJob(
    name="train_final",
    description="Train the model that is handed out: on all people, for a fixed number of epochs.",
    **RECOGNISED,
)

if __name__ == "__main__":
    run_final(JOB)
