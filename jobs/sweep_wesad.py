#!/usr/bin/env python
"""Search for settings on Empatica E4 wrist recordings with a label table, as WESAD's.

python jobs/sweep_wesad.py --data FOLDER                             25 candidates, TPE and ASHA
python jobs/sweep_wesad.py --data FOLDER --set-aside 6               six people stay unseen, for --from-sweep
python jobs/sweep_wesad.py --data FOLDER --nested --candidates 12    a search inside every fold: unbiased
python jobs/sweep_wesad.py --data my_lab.yaml --inner-folds 5        your own folders; scored by five folds
"""

from emo_ray.cli.defaults import WESAD
from emo_ray.cli.sweep import SweepJob, run_sweep_job

JOB = SweepJob(
    name="sweep_wesad",
    description="Search for settings on Empatica E4 folders with a label table, as WESAD's.",
    **WESAD,
)

if __name__ == "__main__":
    run_sweep_job(JOB)
