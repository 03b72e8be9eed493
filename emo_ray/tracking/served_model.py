"""The model as MLflow serves it: this file is copied into a registered model and run where it is loaded.

What it unpickles: nothing. The package among its artifacts is JSON and safetensors, checked when it is read.
"""

import logging
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from emo_ray.deployment.package import read_package
from emo_ray.deployment.predictor import Predictor
from emo_ray.deployment.requests import from_rows
from emo_ray.errors import EmoRayError

log = logging.getLogger(__name__)

LEVELS = ("segment", "trial")


class EmotionModel(PythonModel):
    """Rows of channels in (`emo_ray.deployment.requests`), a row a segment or a trial out."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the package, once."""
        self.predictor = Predictor(read_package(Path(context.artifacts["package"])))

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Predictions; ``params={"level": "trial"}`` gives means by trial."""
        level = (params or {}).get("level", "segment")
        if level not in LEVELS:
            raise MlflowException(
                f"level is {level!r}: give {' or '.join(LEVELS)}", error_code=INVALID_PARAMETER_VALUE
            )
        rows = [{str(name): value for name, value in row.items()} for row in model_input.to_dict("records")]
        try:
            answer = self.predictor.answer(from_rows(rows, "request"))
        except EmoRayError as error:
            # What the server passes on as a sentence; of any other error it sends a traceback.
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from error
        for note in answer.notes:
            log.warning("%s", note)
        return pd.DataFrame(dict(answer.trials if level == "trial" else answer.segments))


mlflow.models.set_model(EmotionModel())
