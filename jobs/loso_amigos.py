#!/usr/bin/env python
"""Leave-one-subject-out evaluation of the AMIGOS multimodal LSTM: valence, arousal and transitions.

python jobs/loso_amigos.py                       on recordings that it generates, in AMIGOS format
python jobs/loso_amigos.py --data FOLDER         on yours
python jobs/loso_amigos.py --from-sweep STUDY    with what a sweep has chosen, on whom it has not seen
python jobs/loso_amigos.py --procedure published    beside it what was published, leaks included
ray job submit jobs/loso_amigos.py               on a cluster
"""

from emo_ray.cli.defaults import AMIGOS
from emo_ray.cli.job import LosoJob, run_loso

JOB = LosoJob(
    name="loso_amigos",
    description="Leave-one-subject-out evaluation on AMIGOS; without --data on generated ones.",
    **AMIGOS,
)

if __name__ == "__main__":
    run_loso(JOB)
