"""The embedded default: AMIGOS-format recordings, generated once into the user's cache folder."""

import json
from pathlib import Path

import platformdirs

from emo_ray.errors import ConfigError
from emo_ray.files import text_digest, write_atomically
from emo_ray.processes import in_processes
from emo_ray.progress import StageBar
from emo_ray.provenance import code_digest
from emo_ray.testing.amigos_files import AmigosFiles, write_subject

DEMO = AmigosFiles(n_subjects=12, long_videos=False, seed=7)
SMOKE = AmigosFiles(n_subjects=4, videos=("10", "13", "18", "58"), seed=7)
_DONE = "complete.json"


def amigos_demo(smoke: bool) -> Path:
    """Folder of the generated corpus; made, one process a core, where it is not complete yet."""
    files = SMOKE if smoke else DEMO
    # The generator's code is part of the name: after a change to it nobody meets the old files.
    recipe = files.model_dump_json() + code_digest(("testing",))
    folder = platformdirs.user_cache_path("emo_ray") / f"amigos-generated-{text_digest(recipe)[:12]}"
    # Written last, so a generation that was killed is done again.
    if (folder / _DONE).exists():
        return folder
    try:
        _generate(files, folder)
    except OSError as error:
        raise ConfigError(
            f"can not write the generated recordings to {folder} ({error.strerror or error}): make room "
            "or make it writable, name another place with XDG_CACHE_HOME, or give recordings with --data"
        ) from error
    return folder


def _generate(files: AmigosFiles, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    calls = {str(index): (files, index, folder) for index in range(files.n_subjects)}
    with StageBar("generate", len(calls), "subject") as bar:
        in_processes(bar, write_subject, calls)
    write_atomically(folder / _DONE, json.dumps({"generated": True, "config": files.model_dump(mode="json")}))
