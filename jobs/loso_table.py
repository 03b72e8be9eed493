#!/usr/bin/env python
"""Leave-one-subject-out evaluation on a feature table: CSV or Parquet with a subject and a label column.

python jobs/loso_table.py --data features.csv       roles of columns found by name, and reported
python jobs/loso_table.py --data my_table.yaml      columns named in YAML
"""

from emo_ray.cli.job import LosoJob, run_loso
from emo_ray.corpora.feature_table import FeatureTable
from emo_ray.models.mlp import MlpConfig
from emo_ray.training.config import TrainingConfig
from emo_ray.training.optimizer import OptimizerConfig

JOB = LosoJob(
    name="loso_table",
    corpus=lambda data: FeatureTable(path=data),
    model=MlpConfig(hidden=(64,), dropout=0.5),
    scaling="both",
    # Chosen by validation scores; the validation loss would stop too early on people as different as these.
    training=TrainingConfig(optimizer=OptimizerConfig(weight_decay=0.01), monitor="primary"),
    description="Leave-one-subject-out evaluation on a table of features (CSV or Parquet).",
)

if __name__ == "__main__":
    run_loso(JOB)
