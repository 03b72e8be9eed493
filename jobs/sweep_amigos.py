#!/usr/bin/env python
"""Search for settings of the AMIGOS multimodal LSTM: 25 candidates, TPE, poor ones stopped by ASHA.

python jobs/sweep_amigos.py                              on recordings that it generates, in AMIGOS format
python jobs/sweep_amigos.py --data FOLDER --hours 2      on yours, for two hours
python jobs/sweep_amigos.py --set-aside 6                six people stay unseen, for --from-sweep
python jobs/sweep_amigos.py --nested --candidates 12     a search inside every fold: an unbiased result
python jobs/sweep_amigos.py --smoke [--nested]           does everything work here?
ray job submit jobs/sweep_amigos.py                      on a cluster
"""

from emo_ray.cli.defaults import AMIGOS
from emo_ray.cli.sweep import SweepJob, run_sweep_job

JOB = SweepJob(
    name="sweep_amigos",
    description="Search for settings on AMIGOS; without --data on generated recordings.",
    **AMIGOS,
)

if __name__ == "__main__":
    run_sweep_job(JOB)
