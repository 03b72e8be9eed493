"""Final models in MLflow's registry: registered once, found again by name and version."""

import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from emo_ray.deployment.package import PackageContent, read_package
from emo_ray.deployment.predictor import Predictor
from emo_ray.deployment.requests import BODY, from_rows
from emo_ray.errors import TrackingError
from emo_ray.files import shown_uri
from emo_ray.tracking.entries import defined, parameters, shortened
from emo_ray.tracking.store import MlflowStore

os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

MODEL_FOLDER = "model"
PACKAGE = "package"
FINGERPRINT = "emo.fingerprint"
NEEDED = ("torch", "numpy", "scipy", "pandas", "pyarrow", "safetensors", "mne", "neurokit2", "mlflow")
REFERENCE = re.compile(r"(?:models:/)?(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,99})(?:/(?P<version>[0-9]{1,9}))?")


@dataclass(frozen=True)
class Registered:
    """A version of a registered model."""

    name: str
    version: str
    is_new: bool

    @property
    def uri(self) -> str:
        """As MLflow names it."""
        return f"models:/{self.name}/{self.version}"


class ModelRegistry:
    """The registry of one MLflow store. Every method raises `TrackingError` when it does not answer.

    Parameters
    ----------
    uri : ``sqlite:///...`` or the address of an MLflow server
    experiment : name of the MLflow experiment that holds the runs of final models
    artifact_root : folder for artifacts; a server decides
    """

    def __init__(self, uri: str, experiment: str = "", artifact_root: Path | None = None) -> None:
        self.store = MlflowStore(uri, experiment, artifact_root)

    def register(self, folder: Path, command: str = "") -> Registered:
        """Put a package into the registry; a model that is there already (by fingerprint) stays as it is."""
        content = read_package(folder)
        with self.store.telling(f"register model {content.name}"):
            known = self._version_of(content)
            if known is not None:
                return known
            self.store.open_experiment()
            run_id = self._run(content, folder, command)
            client = self.store.client
            if not client.search_registered_models(f"name = '{content.name}'"):
                client.create_registered_model(content.name)
            made = client.create_model_version(
                content.name,
                f"{client.get_run(run_id).info.artifact_uri}/{MODEL_FOLDER}",
                run_id,
                tags={FINGERPRINT: content.fingerprint, **_tags(content)},
                description=_description(content),
            )
            return Registered(content.name, str(made.version), is_new=True)

    def folder_of(self, reference: str) -> Path:
        """The package of a registered model: ``name``, ``name/3`` or ``models:/name/3``; newest by default.

        Raises
        ------
        TrackingError : there is no such model or version; names those there are
        """
        name, wanted = parse_reference(reference)
        with self.store.telling(f"find model {name}"):
            found = {
                int(one.version): one for one in self.store.client.search_model_versions(f"name = '{name}'")
            }
            if not found:
                raise TrackingError(self._unknown(name))
            number = int(wanted) if wanted else max(found)
            if number not in found:
                raise TrackingError(
                    f"model {name} has no version {number}: it has {', '.join(map(str, sorted(found)))}"
                )
            if FINGERPRINT not in found[number].tags:
                raise TrackingError(f"models:/{name}/{number} was not registered by emo_ray")
            from mlflow.artifacts import download_artifacts

            # By its place: MLflow would look for models:/ in the store that is set for the whole process.
            place = f"{found[number].source}/artifacts/{PACKAGE}"
            return Path(download_artifacts(place, tracking_uri=self.store.uri))

    def _unknown(self, name: str) -> str:
        known = sorted(one.name for one in self.store.client.search_registered_models())
        there = f"it has {', '.join(known)}" if known else "it has none; jobs/train_final.py makes one"
        return (
            f"no model {name!r} in MLflow at {shown_uri(self.store.uri)}: {there}, or name a model's folder"
        )

    def _version_of(self, content: PackageContent) -> Registered | None:
        for one in self.store.client.search_model_versions(f"name = '{content.name}'"):
            if one.tags.get(FINGERPRINT) == content.fingerprint:
                return Registered(content.name, str(one.version), is_new=False)
        return None

    def _run(self, content: PackageContent, folder: Path, command: str) -> str:
        """The run that shows how the model came about, with the model among its artifacts."""
        found = self.store.find({FINGERPRINT: content.fingerprint, "emo.kind": "final"})
        now_ms = int(1000 * time.time())
        tags = shortened({"mlflow.source.name": command, "mlflow.source.type": "JOB", **_tags(content)})
        identity = {FINGERPRINT: content.fingerprint, "emo.kind": "final"}
        # A start that was killed in between is completed, not repeated.
        run_id = (
            str(found[0].info.run_id)
            if found
            else self.store.create(content.name, now_ms, {**tags, **identity})
        )
        if found and found[0].info.status == "FINISHED":
            return run_id
        scores = [(f"study/{s.metric}", s.mean, 0, now_ms) for s in content.lineage.scores]
        n_weights = ("n_parameters", content.lineage.n_parameters, 0, now_ms)
        self.store.log(run_id, defined([*scores, n_weights]), parameters(content.experiment.identity()), tags)
        with tempfile.TemporaryDirectory(prefix="emo-ray-") as place:
            model = Path(place) / MODEL_FOLDER
            save_model(content, folder, model)
            self.store.client.log_artifacts(run_id, str(model), MODEL_FOLDER)
        self.store.end(run_id, "FINISHED", int(1000 * time.time()))
        return run_id


def parse_reference(reference: str) -> tuple[str, str]:
    """Name and version of a registered model; an empty version is the newest.

    Raises
    ------
    TrackingError : it is no such name
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise TrackingError(
            f"{reference!r} is no model: give the folder of one, or NAME, NAME/3 or models:/NAME/3"
        )
    return match["name"], match["version"] or ""


def save_model(content: PackageContent, folder: Path, place: Path) -> None:
    """Write what ``mlflow models serve`` takes: package, script that reads it, signature and example."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature

    script = Path(__file__).with_name("served_model.py")
    rows = content.example[BODY]
    answer = Predictor(content).answer(from_rows(rows, "example"))
    outputs = pd.DataFrame(dict(answer.segments))
    inferred = infer_signature(model_output=outputs)
    from mlflow.models import ModelSignature

    signature = ModelSignature(inputs=_input_schema(), outputs=inferred.outputs, params=_params_schema())
    with _quiet():
        mlflow.pyfunc.save_model(
            path=str(place),
            python_model=str(script),
            artifacts={PACKAGE: str(folder)},
            signature=signature,
            input_example=(pd.DataFrame(rows), {"level": "segment"}),
            pip_requirements=pinned(),
            metadata={"emo_ray": _tags(content)},
        )
    (place / "preprocessing.yaml").write_text(_preprocessing(content), encoding="utf-8")


def pinned() -> list[str]:
    """What a machine needs to serve a model, in the versions that are installed here."""
    found = []
    for name in ("emo_ray", *NEEDED):
        try:
            found.append(f"{name}=={version(name).split('+')[0]}")
        except PackageNotFoundError:
            continue  # emo_ray itself may run from a checkout
    return found


def _input_schema() -> Any:
    from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

    texts = [ColSpec(DataType.string, name) for name in ("signal", "channel", "unit")]
    optional = [ColSpec(DataType.string, name, required=False) for name in ("subject", "session", "trial")]
    clocks = [ColSpec(DataType.double, name, required=False) for name in ("start_s", "baseline_s")]
    # Arrays of doubles would do, but MLflow then refuses lists of whole numbers; `from_rows` checks them.
    values = ColSpec(AnyType(), "values")  # type: ignore[no-untyped-call]
    numbers = [ColSpec(DataType.double, "sfreq"), values]
    return Schema([*optional, *texts, *clocks, *numbers])


def _params_schema() -> Any:
    from mlflow.types.schema import DataType, ParamSchema, ParamSpec

    return ParamSchema([ParamSpec("level", DataType.string, "segment")])


@contextmanager
def _quiet() -> Iterator[None]:
    """MLflow tells of the environment that it can not infer, and of hints that a table does not need."""
    import logging
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger = logging.getLogger("mlflow")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _tags(content: PackageContent) -> Mapping[str, str]:
    lineage = content.lineage
    return shortened(
        {
            "emo.study": lineage.study,
            "emo.source": lineage.source,
            "emo.meaning": lineage.meaning,
            "emo.subjects": ", ".join(lineage.subjects),
            "emo.keys_digest": lineage.keys_digest,
            "emo.scaling": content.experiment.scaling,
            "emo.weights_digest": lineage.weights_digest,
            "mlflow.source.git.commit": str(lineage.git.get("commit") or ""),
        }
    )


def _description(content: PackageContent) -> str:
    lineage = content.lineage
    told = "; ".join(f"{s.metric} {s.mean:.3f}" for s in lineage.scores if s.mean is not None)
    return (
        f"{content.experiment.model.kind} on {content.experiment.corpus.kind}, trained on "
        f"{len(lineage.subjects)} people, epochs: {lineage.n_epochs}. "
        f"{told + '. ' if told else ''}{lineage.meaning}"
    )[:5000]


def _preprocessing(content: PackageContent) -> str:
    """What is done to a recording before the network sees it, for people."""
    identity = content.experiment.identity()
    signals = {name: facts.model_dump(mode="json") for name, facts in content.description.signals.items()}
    told = {"signals": signals, "extraction": identity["extraction"], "scaling": identity["scaling"]}
    told["modalities"] = [item.name for item in content.description.modalities]
    return str(yaml.safe_dump(told, sort_keys=False))
