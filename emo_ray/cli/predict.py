"""``emo-ray predict``: what a final model says of a new recording."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from emo_ray.cli.places import default_tracking_uri, find_root, find_tracking_uri
from emo_ray.errors import ConfigError
from emo_ray.files import atomic_path, write_atomically

if TYPE_CHECKING:
    import pandas as pd

    from emo_ray.deployment.predictor import Answer

MAX_SHOWN = 40
SUFFIXES = (".csv", ".parquet", ".json")


def predict(options: argparse.Namespace) -> int:
    """Predict, and show it or write it; or write the request that a scoring server takes."""
    from emo_ray.deployment.package import read_package
    from emo_ray.deployment.predictor import Predictor
    from emo_ray.deployment.recordings import read_recordings
    from emo_ray.deployment.requests import as_request

    if options.out is not None and options.out.suffix not in SUFFIXES:
        raise ConfigError(f"--out {options.out}: give a name that ends with {', '.join(SUFFIXES)}")
    model, place = find_model(options), options.recording.expanduser().resolve()
    for target in (options.out, options.as_request):
        _check_target(target, place, model)
    package = read_package(model)
    recordings, notes = read_recordings(place, package, options.subject)
    if options.as_request is not None:
        body = json.dumps(as_request(recordings), allow_nan=False)
        _write(options.as_request, body)
        print(f"{len(recordings)} recordings in {options.as_request}")
        return 0
    answer = Predictor(package).answer(recordings)
    for note in (*notes, *answer.notes):
        print(note, file=sys.stderr)
    if options.out is None:
        _show(answer)
    else:
        write_table(answer, options.out)
        print(f"{len(answer.segments['trial'])} segments in {options.out}")
    return 0


def find_model(options: argparse.Namespace) -> Path:
    """The package that MODEL names: a folder, or a registered model.

    Raises
    ------
    ConfigError, TrackingError : there is no such model
    """
    from emo_ray.deployment.package import is_package

    place = Path(options.model).expanduser()
    for folder in (place, place / "package"):
        if is_package(folder):
            return folder
    if place.is_dir():
        raise ConfigError(f"{place} holds no model: name the folder that has package.json in it")
    root = find_root(options.root)
    uri = find_tracking_uri(options.tracking_uri, root)
    # MLflow would make an empty store here and find nothing in it.
    if not uri or (uri == default_tracking_uri(root) and not (root / "mlflow.db").exists()):
        raise ConfigError(
            f"{options.model} is no folder of a model, and {root} has no registered models: name the folder, "
            "or the --root or --tracking-uri of the job that trained it"
        )
    from emo_ray.tracking.registered import ModelRegistry

    return ModelRegistry(uri).folder_of(options.model)


def _check_target(target: Path | None, recording: Path, model: Path) -> None:
    """Refuse to write over what is asked, or what is asked about."""
    if target is None or not target.exists():
        return
    found = target.resolve()
    for name, place in (("recording", recording), ("model", model.resolve())):
        if found.is_relative_to(place):
            raise ConfigError(f"{target} is part of the {name}, and would be overwritten: give another name")


def write_table(answer: "Answer", path: Path) -> None:
    """Write segments as CSV or Parquet; as JSON segments, trials and notes.

    Raises
    ------
    ConfigError : the file can not be written
    """
    import pandas as pd

    segments = pd.DataFrame(dict(answer.segments))
    try:
        with atomic_path(path) as temporary:
            if path.suffix == ".csv":
                segments.to_csv(temporary, index=False)
            elif path.suffix == ".parquet":
                segments.to_parquet(temporary, index=False)
            else:
                temporary.write_text(_as_json(answer), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"can not write {path}: {error.strerror or error}") from error


def _as_json(answer: "Answer") -> str:
    import pandas as pd

    # pandas writes float32 as short as it can be read back
    tables = {
        name: json.loads(pd.DataFrame(dict(columns)).to_json(orient="records", double_precision=9))
        for name, columns in (("segments", answer.segments), ("trials", answer.trials))
    }
    return json.dumps({**tables, "notes": list(answer.notes)}, indent=2)


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text)
    except OSError as error:
        raise ConfigError(f"can not write {path}: {error.strerror or error}") from error


def _show(answer: "Answer") -> None:
    import pandas as pd

    segments, trials = pd.DataFrame(dict(answer.segments)), pd.DataFrame(dict(answer.trials))
    print(_text(segments.head(MAX_SHOWN)))
    if len(segments) > MAX_SHOWN:
        print(f"... {len(segments) - MAX_SHOWN} more segments; --out FILE.csv writes all")
    print("\nmeans by trial")
    print(_text(trials.head(MAX_SHOWN)))
    if len(trials) > MAX_SHOWN:
        print(f"... {len(trials) - MAX_SHOWN} more trials; --out FILE.json writes all")


def _text(table: "pd.DataFrame") -> str:
    return str(table.to_string(index=False, float_format=lambda value: f"{value:.3f}"))
