#!/usr/bin/env python
"""Search for settings on any corpus that is recognised by its files.

python jobs/sweep.py --data FOLDER                                    of the dense net
python jobs/sweep.py --data FOLDER --model res_attentio_net           of a published network, in its own space
python jobs/sweep.py --data FOLDER --nested --candidates 12           a search inside every fold
"""

from emo_ray.cli.defaults import RECOGNISED
from emo_ray.cli.sweep import SweepJob, run_sweep_job

JOB = SweepJob(
    name="sweep",
    description="Search for settings on any corpus that is recognised by its files.",
    **RECOGNISED,
)

if __name__ == "__main__":
    run_sweep_job(JOB)
