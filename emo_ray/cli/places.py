"""Where things are kept: the root of store, studies and pages, and the MLflow store."""

import os
from pathlib import Path

import platformdirs


def find_root(given: Path | None) -> Path:
    """Where everything is kept: the flag, else EMO_RAY_ROOT, else the user's data folder."""
    place = given or os.environ.get("EMO_RAY_ROOT") or platformdirs.user_data_path("emo_ray")
    return Path(place).expanduser().resolve()


def default_tracking_uri(root: Path) -> str:
    """The SQLite store below a root."""
    return f"sqlite:///{root / 'mlflow.db'}"


def find_tracking_uri(given: str | None, root: Path) -> str:
    """The flag, else MLFLOW_TRACKING_URI, else SQLite below the root; empty for no tracking."""
    uri = given or os.environ.get("MLFLOW_TRACKING_URI") or default_tracking_uri(root)
    return "" if uri == "none" else uri
