#!/usr/bin/env python
"""Search for settings on a feature table: CSV or Parquet with a subject and a label column.

python jobs/sweep_table.py --data features.csv                             25 candidates, TPE and ASHA
python jobs/sweep_table.py --data features.csv --set-aside 6               six people stay unseen
python jobs/sweep_table.py --data features.csv --nested --candidates 12    a search inside every fold
python jobs/sweep_table.py --data features.csv --space my_space.yaml       what is searched, in YAML
"""

from emo_ray.cli.defaults import TABLE
from emo_ray.cli.sweep import SweepJob, run_sweep_job

JOB = SweepJob(
    name="sweep_table",
    description="Search for settings on a table of features (CSV or Parquet).",
    **TABLE,
)

if __name__ == "__main__":
    run_sweep_job(JOB)
