#!/usr/bin/env python
"""GRU-XNet on the spectra of the EEG of DEAP, GAMEEMO, SEED-IV or any other corpus, leaving one subject out.

python jobs/gru_xnet.py                                      on recordings that it generates
python jobs/gru_xnet.py --data DEAP                          on yours
python jobs/gru_xnet.py --data DEAP --procedure published    and as published, leaks included
"""

from emo_ray.cli.defaults import GRU_XNET
from emo_ray.cli.job import LosoJob, run_loso

JOB = LosoJob(
    name="gru_xnet",
    description="GRU-XNet on EEG spectra of any corpus; without --data on generated recordings.",
    **GRU_XNET,
)

if __name__ == "__main__":
    run_loso(JOB)
