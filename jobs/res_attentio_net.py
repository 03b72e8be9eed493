#!/usr/bin/env python
"""ResAttentioNet on the SEED family or any other corpus, leaving one subject out.

python jobs/res_attentio_net.py                                         on recordings that it generates
python jobs/res_attentio_net.py --data SEED-IV                          on yours
python jobs/res_attentio_net.py --data SEED-IV --procedure published    and as published, leaks included
"""

from emo_ray.cli.defaults import RES_ATTENTIO_NET
from emo_ray.cli.job import LosoJob, run_loso

JOB = LosoJob(
    name="res_attentio_net",
    description="ResAttentioNet on any corpus; without --data on generated recordings.",
    **RES_ATTENTIO_NET,
)

if __name__ == "__main__":
    run_loso(JOB)
