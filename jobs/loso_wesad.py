#!/usr/bin/env python
"""Leave-one-subject-out evaluation on Empatica E4 wrist recordings with a label table, as WESAD's.

python jobs/loso_wesad.py --data FOLDER                       baseline, stress, amusement
python jobs/loso_wesad.py --data FOLDER --task stress         stress against the rest
python jobs/loso_wesad.py --data my_lab.yaml                  your own E4 folders, described in YAML
python jobs/loso_wesad.py --data FOLDER --from-sweep STUDY    with what a sweep has chosen
"""

from emo_ray.cli.defaults import WESAD
from emo_ray.cli.job import LosoJob, run_loso

JOB = LosoJob(
    name="loso_wesad",
    description="Leave-one-subject-out evaluation on Empatica E4 folders with a label table, as WESAD's.",
    **WESAD,
)

if __name__ == "__main__":
    run_loso(JOB)
