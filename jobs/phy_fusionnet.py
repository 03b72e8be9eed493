#!/usr/bin/env python
"""Phy-FusionNet on WESAD, CL-Drive, PPB-Emo or any other corpus, leaving one subject out.

python jobs/phy_fusionnet.py                                       on recordings that it generates
python jobs/phy_fusionnet.py --data WESAD                          on yours
python jobs/phy_fusionnet.py --data WESAD --procedure published    and as published, leaks included
"""

from emo_ray.cli.defaults import PHY_FUSIONNET
from emo_ray.cli.job import LosoJob, run_loso

JOB = LosoJob(
    name="phy_fusionnet",
    description="Phy-FusionNet on any corpus; without --data on generated recordings.",
    **PHY_FUSIONNET,
)

if __name__ == "__main__":
    run_loso(JOB)
