#!/usr/bin/env python
"""Leave-one-subject-out evaluation on any corpus that is recognised by its files.

python jobs/loso.py --data FOLDER                                  whatever corpus it is
python jobs/loso.py --data FOLDER --task arousal                   another target of it
python jobs/loso.py --data FOLDER --corpus seed corpus.content=de_LDS    shipped features instead of signals
"""

from emo_ray.cli.defaults import RECOGNISED
from emo_ray.cli.job import LosoJob, run_loso

JOB = LosoJob(
    name="loso",
    description="Leave-one-subject-out evaluation on any corpus that is recognised by its files.",
    **RECOGNISED,
)

if __name__ == "__main__":
    run_loso(JOB)
