#!/usr/bin/env python
"""Leave-one-subject-out evaluation on a feature table: CSV or Parquet with a subject and a label column.

python jobs/loso_table.py --data features.csv                       roles of columns found by name
python jobs/loso_table.py --data my_table.yaml                      columns named in YAML
python jobs/loso_table.py --data features.csv --from-sweep STUDY    with what a sweep has chosen
"""

from emo_ray.cli.defaults import TABLE
from emo_ray.cli.job import LosoJob, run_loso

JOB = LosoJob(
    name="loso_table",
    description="Leave-one-subject-out evaluation on a table of features (CSV or Parquet).",
    **TABLE,
)

if __name__ == "__main__":
    run_loso(JOB)
